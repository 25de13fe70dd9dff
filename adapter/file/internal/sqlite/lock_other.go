//go:build !unix

package sqlite

import "os"

// Elsewhere SQLite's own lock has to do. It is correct, but a process may wait long for busy others.

func lockFile(*os.File) error { return nil }

func unlockFile(*os.File) {}
