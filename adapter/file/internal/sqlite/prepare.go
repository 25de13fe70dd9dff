package sqlite

import (
	"errors"
	"fmt"
)

// prepare makes or checks what is in the file, with the lock held.
func (db *DB) prepare() error {
	c := db.w.conn
	tables, err := c.Int("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return fmt.Errorf("read %s: %w", db.Path(), err)
	}
	app, err := c.Int("PRAGMA application_id")
	if err != nil {
		return fmt.Errorf("read %s: %w", db.Path(), err)
	}
	if tables > 0 && app != applicationID {
		return fmt.Errorf("%w: %s belongs to another program", ErrForeign, db.Path())
	}
	version, err := c.Int("PRAGMA user_version")
	if err != nil {
		return fmt.Errorf("read %s: %w", db.Path(), err)
	}
	if int(version) > len(db.c.Migrations) {
		return fmt.Errorf("%w: %s has schema %d, this program knows up to %d", ErrNewer, db.Path(), version, len(db.c.Migrations))
	}
	if tables == 0 {
		if err := c.db.EnableChecksums("main"); err != nil {
			return fmt.Errorf("create %s: %w", db.Path(), err)
		}
	}
	var mode string
	if _, err := c.One("PRAGMA journal_mode = wal", func(r Row) { mode = r.Text(0) }); err != nil || mode != "wal" {
		return fmt.Errorf("set %s to write-ahead logging: mode is %q, %w", db.Path(), mode, orText(err, "the file system may lack locks"))
	}
	if err := c.Script("PRAGMA synchronous = FULL"); err != nil {
		return err
	}
	if err := db.migrate(int(version)); err != nil {
		return err
	}
	return db.openCounter()
}

func orText(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}

func (db *DB) migrate(from int) error {
	if from == len(db.c.Migrations) {
		return nil
	}
	c := db.w.conn
	if err := c.Script("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for n := from; n < len(db.c.Migrations); n++ {
		if err := c.Script(db.c.Migrations[n]); err != nil {
			_ = c.Script("ROLLBACK")
			return fmt.Errorf("bring %s to schema %d: %w", db.Path(), n+1, err)
		}
	}
	err := c.Script(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", applicationID, len(db.c.Migrations)))
	if err != nil {
		_ = c.Script("ROLLBACK")
		return fmt.Errorf("bring %s to schema %d: %w", db.Path(), len(db.c.Migrations), err)
	}
	return syncDir(db.c.Dir)
}

func (db *DB) openCounter() error {
	f, err := open(db.c.Dir, counterName)
	if err != nil {
		return err
	}
	db.count = &counter{f}
	var commits int64
	_, err = db.w.conn.One("SELECT id, commits FROM counter", func(r Row) { db.id, commits = r.Text(0), r.Int(1) })
	if err != nil {
		return fmt.Errorf("read %s: %w", db.Path(), err)
	}
	counted, known, err := db.count.read(db.id)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Name(), err)
	}
	if known && counted > commits {
		if !db.c.AcceptLoss {
			return fmt.Errorf("%w: %s ends with commit %d, but commit %d was acknowledged", ErrLostTail, db.Path(), commits, counted)
		}
		known = false
		if err := f.Truncate(0); err != nil {
			return fmt.Errorf("reset %s: %w", f.Name(), err)
		}
	}
	if !known {
		if err := db.count.write(db.id, commits); err != nil {
			return fmt.Errorf("write %s: %w", f.Name(), err)
		}
	}
	return nil
}
