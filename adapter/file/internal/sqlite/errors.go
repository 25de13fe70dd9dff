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
func Explain(err error) (hint string, explained error) {
	var code sqlite3.ErrorCode
	switch {
	case errors.Is(err, ErrLostTail):
		return "restore a backup; or, to go on with what is there, set acceptLoss once", err
	case errors.Is(err, ErrNewer):
		return "upgrade this program; it must not write to the file", err
	case errors.Is(err, ErrForeign):
		return "name another directory: connections.file.dataDir", err
	case errors.Is(err, ErrNoDirectory):
		return "make the directory, or name another one: connections.file.dataDir", fmt.Errorf("%w: %w", adapter.ErrInvalid, err)
	case errors.Is(err, sqlite3.FULL), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "free space; nothing that was acknowledged is lost", fmt.Errorf("%w: the disk is full: %w", adapter.ErrUnavailable, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, sqlite3.READONLY), errors.Is(err, sqlite3.PERM), errors.Is(err, syscall.EROFS):
		return "the directory and the files in it must be writable for this user",
			fmt.Errorf("%w: no permission to write: %w", adapter.ErrUnavailable, err)
	case errors.Is(err, sqlite3.CANTOPEN):
		return "the directory and the files in it must be readable and writable", fmt.Errorf("%w: %w", adapter.ErrUnavailable, err)
	case errors.Is(err, sqlite3.NOTADB):
		return "the file is no SQLite database, or its first page is damaged: restore a backup, or name another directory",
			fmt.Errorf("%w: %w", ErrForeign, err)
	case errors.Is(err, sqlite3.IOERR_DATA):
		return "restore a backup; file.Check tells what is damaged", fmt.Errorf("%w: the checksum of a page does not match: %w", ErrCorrupt, err)
	case errors.Is(err, sqlite3.CORRUPT):
		return "restore a backup; file.Check tells what is damaged", fmt.Errorf("%w: %w", ErrCorrupt, err)
	case isSyncFailure(err):
		return "check the disk and restart this process; nothing that was acknowledged is lost", err
	case errors.Is(err, sqlite3.TOOBIG):
		return "", fmt.Errorf("%w: %w", adapter.ErrTooLarge, err)
	case errors.As(err, &code):
		return "", fmt.Errorf("%w: %w", adapter.ErrUnavailable, err)
	}
	return "", err
}

// escapeURI escapes what has a meaning in the path of a URI.
func escapeURI(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}
