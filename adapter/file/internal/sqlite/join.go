package sqlite

import (
	"github.com/ncruces/go-sqlite3"
)

// URI returns the name of the database for connections that others open.
func (db *DB) URI() string { return uri(db.Path(), db.c.VFS) }

// Join runs an operation in the transaction that is open on a connection of somebody else's, and returns what has to be done
// after its commit.
func (db *DB) Join(conn *sqlite3.Conn, run func(*Tx) error) (after []func(), err error) {
	c := NewConn(conn)
	defer func() {
		if failed := c.Finish(); err == nil {
			err = failed
		}
	}()
	tx := &Tx{Conn: c, Now: db.c.Clock()}
	if err := tx.load(); err != nil {
		return nil, err
	}
	if db.c.Begin != nil {
		if err := db.c.Begin(tx); err != nil {
			return nil, err
		}
	}
	if err := run(tx); err != nil {
		return nil, err
	}
	if db.c.Joined != nil {
		if err := db.c.Joined(tx); err != nil {
			return nil, err
		}
	}
	return append(tx.after, db.touch), tx.store(false)
}
