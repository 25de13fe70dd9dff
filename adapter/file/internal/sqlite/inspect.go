package sqlite

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"
)

// Inspection is a database that is looked at, or copied, and not changed. Processes may use it meanwhile.
type Inspection struct {
	*Conn
	ID      string
	Schema  int64
	Commits int64 // that the database has
	Counted int64 // that were acknowledged, as far as the file beside it knows
	Known   bool  // whether that file is there
	dir     string
}

// Inspect opens a directory. The snapshot that it sees is that of its first query.
func Inspect(ctx context.Context, dir string, schema int) (i *Inspection, err error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	db := &DB{c: Config{Dir: dir, VFS: Register()}}
	if _, err := os.Stat(db.Path()); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s has no %s", ErrNoDirectory, dir, FileName)
	} else if err != nil {
		return nil, err
	}
	i = &Inspection{dir: dir}
	if err := i.readCount(); err != nil { // before the snapshot: commits that come meanwhile make no difference
		return nil, err
	}
	counted, known := i.Counted, i.Known
	if i.Conn, err = db.connect(false); err != nil {
		return nil, err
	}
	opened := i.Conn
	defer func() {
		if err != nil {
			_ = opened.close() // what is wrong with it matters more
		}
	}()
	app, err := i.Int("PRAGMA application_id")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", db.Path(), err)
	}
	if app != applicationID {
		return nil, fmt.Errorf("%w: %s belongs to another program", ErrForeign, db.Path())
	}
	if i.Schema, err = i.Int("PRAGMA user_version"); err != nil {
		return nil, err
	}
	if i.Schema > int64(schema) {
		return nil, fmt.Errorf("%w: %s has schema %d, this program knows up to %d", ErrNewer, db.Path(), i.Schema, schema)
	}
	if _, err := i.Exec("BEGIN"); err != nil {
		return nil, err
	}
	_, err = i.One("SELECT id, commits FROM counter", func(r Row) { i.ID, i.Commits = r.Text(0), r.Int(1) })
	if err != nil {
		return nil, err
	}
	if i.Counted, i.Known = counted, known; known {
		i.Counted, i.Known, err = i.countOf(i.ID)
		i.Counted = min(i.Counted, max(counted, 0))
	}
	return i, err
}

// readCount reads the highest count, of whatever database.
func (i *Inspection) readCount() error {
	n, known, err := i.countOf("")
	i.Counted, i.Known = n, known
	return err
}

func (i *Inspection) countOf(id string) (int64, bool, error) {
	f, err := os.Open(filepath.Join(i.dir, counterName))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = f.Close() }()
	return (&counter{f}).read(id)
}

// Close ends the inspection.
func (i *Inspection) Close() error {
	_, err := i.Exec("COMMIT")
	return errors.Join(err, i.close())
}

// pageSize is that of all our databases, the checksum at the end of each page included.
const pageSize = 4096

// Pages calls bad for each page of the file whose checksum does not match, and returns how many pages there are. It reads
// the file itself: what is in the write-ahead log has checksums of another kind.
func (i *Inspection) Pages(ctx context.Context, bad func(page int64)) (pages int64, err error) {
	f, err := os.Open(filepath.Join(i.dir, FileName))
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	var lock fairLock
	if err := lock.open(i.dir); err != nil {
		return 0, err
	}
	defer func() { _ = lock.close() }()
	buf := make([]byte, pageSize)
	for ; ctx.Err() == nil; pages++ {
		n, err := f.ReadAt(buf, pages*pageSize)
		if n == 0 && errors.Is(err, io.EOF) {
			return pages, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return pages, err
		}
		if n == pageSize && sound(buf) {
			continue
		}
		// Somebody may be writing it just now. Nobody does while we have the lock.
		if err := lock.lock(); err != nil {
			return pages, err
		}
		n, err = f.ReadAt(buf, pages*pageSize)
		lock.unlock()
		if n != pageSize || err != nil || !sound(buf) {
			bad(pages + 1)
		}
	}
	return pages, context.Cause(ctx)
}

// sound reports whether the checksum of a page matches: that of SQLite's checksum VFS.
func sound(page []byte) bool {
	var a, b uint32
	for end := page[:pageSize-8]; len(end) > 0; end = end[8:] {
		a += binary.LittleEndian.Uint32(end) + b
		b += binary.LittleEndian.Uint32(end[4:]) + a
	}
	return binary.LittleEndian.Uint32(page[pageSize-8:]) == a && binary.LittleEndian.Uint32(page[pageSize-4:]) == b
}

// Backup copies the database, as it is at one moment, to a directory that is made or empty.
func Backup(ctx context.Context, dir, to string, schema int) (err error) {
	i, err := Inspect(ctx, dir, schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	if err := MakeDir(to); err != nil {
		return err
	}
	if entries, err := os.ReadDir(to); err != nil || len(entries) > 0 {
		return fmt.Errorf("%w: %s is not empty, %w", ErrNoDirectory, to, orText(err, "a backup needs a directory of its own"))
	}
	target := filepath.Join(to, FileName)
	if err := i.copyTo(ctx, target); err != nil {
		return errors.Join(err, os.RemoveAll(target))
	}
	f, err := open(to, counterName)
	if err != nil {
		return err
	}
	err = (&counter{f}).write(i.ID, i.Commits)
	err = errors.Join(err, f.Sync(), f.Close())
	return errors.Join(err, syncDir(to))
}

func (i *Inspection) copyTo(ctx context.Context, target string) (err error) {
	b, err := i.db.BackupInit("main", uri(target, Register()))
	if err != nil {
		return fmt.Errorf("back up to %s: %w", target, err)
	}
	for done := false; !done; {
		if err := ctx.Err(); err != nil {
			return errors.Join(context.Cause(ctx), b.Close())
		}
		if done, err = b.Step(1000); err != nil && !errors.Is(err, sqlite3.BUSY) {
			return errors.Join(fmt.Errorf("back up to %s: %w", target, err), b.Close())
		}
	}
	if err := b.Close(); err != nil {
		return fmt.Errorf("back up to %s: %w", target, err)
	}
	f, err := os.OpenFile(target, os.O_RDWR, 0) //nolint:gosec // the directory is the user's choice
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
