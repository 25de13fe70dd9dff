// Package file keeps queues, streams and a store in one directory, in a SQLite database.
package file
