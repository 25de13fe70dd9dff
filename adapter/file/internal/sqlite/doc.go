// Package sqlite runs SQLite for the adapters of package file: connections that keep their statements prepared, a writer
// that commits what many callers ask for at once, a lock that is fair between processes, a counter of commits outside of the
// database, and a wake-up for other processes.
//
// It knows nothing of queues, streams and stores.
package sqlite
