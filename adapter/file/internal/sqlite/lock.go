package sqlite

import (
	"errors"
	"fmt"
	"os"
)

// fairLock is a lock between processes. SQLite's own lock is polled for, and the process that has just released it mostly
// wins it again; so may a lock of the kernel, when the others have yet to wake up. So there are two: whoever wants the lock
// waits for its turn first, and keeps that until it has the lock. Nobody takes it twice while another one waits.
type fairLock struct{ turn, main *os.File }

func (l *fairLock) open(dir string) (err error) {
	if l.turn, err = open(dir, turnName); err != nil {
		return err
	}
	l.main, err = open(dir, lockName)
	return err
}

func (l *fairLock) lock() error {
	if err := lockFile(l.turn); err != nil {
		return fmt.Errorf("lock %s: %w", l.turn.Name(), err)
	}
	err := lockFile(l.main)
	unlockFile(l.turn)
	if err != nil {
		return fmt.Errorf("lock %s: %w", l.main.Name(), err)
	}
	return nil
}

func (l *fairLock) unlock() { unlockFile(l.main) }

func (l *fairLock) close() error {
	var errs []error
	for _, f := range []*os.File{l.turn, l.main} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
