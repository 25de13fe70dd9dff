//go:build unix

package sqlite

import (
	"os"
	"syscall"
)

// SQLite's own lock is polled for, and the process that has just released it mostly wins it again. Waiting in the kernel is
// fair: so write transactions hold this lock around SQLite's.

func lockFile(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != syscall.EINTR {
			return err
		}
	}
}

func unlockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
