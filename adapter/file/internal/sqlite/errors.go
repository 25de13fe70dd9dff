package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/ncruces/go-sqlite3"

	"github.com/nvent-go/nvent/adapter"
)

// Errors about what is on disk.
var (
	ErrCorrupt     = errors.New("data is damaged")
	ErrLostTail    = errors.New("the last commits are lost")
	ErrNewer       = errors.New("written by a newer version")
	ErrForeign     = errors.New("not a database of ours")
	ErrNoDirectory = errors.New("no data directory")
)

// Explain returns the error in the words of package adapter, and what to do about it.
func Explain(err error) (explained error, hint string) {
	var coded *sqlite3.Error
	switch {
	case errors.Is(err, ErrLostTail):
		return err, "restore a backup; or, to go on with what is there, set acceptLoss once"
	case errors.Is(err, ErrNewer):
		return err, "upgrade this program; it must not write to the file"
	case errors.Is(err, ErrForeign):
		return err, "name another directory: connections.file.dataDir"
	case errors.Is(err, ErrNoDirectory):
		return fmt.Errorf("%w: %w", adapter.ErrInvalid, err), "make the directory, or name another one: connections.file.dataDir"
	case errors.Is(err, sqlite3.FULL), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: the disk is full: %w", adapter.ErrUnavailable, err), "free space; nothing that was acknowledged is lost"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, sqlite3.READONLY), errors.Is(err, sqlite3.PERM), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: no permission to write: %w", adapter.ErrUnavailable, err),
			"the directory and the files in it must be writable for this user"
	case errors.Is(err, sqlite3.CANTOPEN):
		return fmt.Errorf("%w: %w", adapter.ErrUnavailable, err), "the directory and the files in it must be readable and writable"
	case errors.Is(err, sqlite3.NOTADB):
		return fmt.Errorf("%w: %w", ErrForeign, err), "the file is no SQLite database, or its first page is damaged: restore a backup, or name another directory"
	case errors.Is(err, sqlite3.IOERR_DATA):
		return fmt.Errorf("%w: the checksum of a page does not match: %w", ErrCorrupt, err), "restore a backup; file.Check tells what is damaged"
	case errors.Is(err, sqlite3.CORRUPT):
		return fmt.Errorf("%w: %w", ErrCorrupt, err), "restore a backup; file.Check tells what is damaged"
	case isSyncFailure(err):
		return err, "check the disk and restart this process; nothing that was acknowledged is lost"
	case errors.Is(err, sqlite3.TOOBIG):
		return fmt.Errorf("%w: %w", adapter.ErrTooLarge, err), ""
	case errors.As(err, &coded):
		return fmt.Errorf("%w: %w", adapter.ErrUnavailable, err), ""
	}
	return err, ""
}

// escapeURI escapes what has a meaning in the path of a URI.
func escapeURI(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}
