package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeDir makes a directory, unless it is there. What it is in must be.
func MakeDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return fmt.Errorf("%w: %s is a file", ErrNoDirectory, dir)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("look at data directory: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %s does not exist, and neither does what it is in", ErrNoDirectory, dir)
		}
		return fmt.Errorf("make data directory: %w", err)
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the directory is the user's choice
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	_ = d.Sync() // some file systems cannot; then there is nothing to be done about it
	return d.Close()
}

func open(dir, name string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the directory is the user's choice
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	return f, nil
}
