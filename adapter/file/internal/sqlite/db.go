package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// Names of the files in the directory.
const (
	FileName    = "nvent.db"
	lockName    = "nvent.lock"
	turnName    = "nvent.turn"
	counterName = "nvent.commits"
	wakeName    = "nvent.wake"
)

// applicationID marks the file as one of ours, for file(1) and for ourselves.
const applicationID = 0x6e76656e // "nven"

// Config says how to open a database.
type Config struct {
	Dir        string
	VFS        string // name of the file layer; empty: that of Register
	Relaxed    bool   // commits are not synced
	AcceptLoss bool   // open although the end of the database was lost
	ReadOnly   bool   // change nothing, not even the files beside the database
	Clock      func() int64
	Migrations []string // the schema: each brings the version before it forward

	Begin func(*Tx) error // called at the beginning of each write transaction
	End   func(*Tx) error // called at its end, before the commit
	// Joined is called instead of End when the transaction is somebody else's.
	Joined func(*Tx) error
	Woken  func() // called after another process, or this one, has had news; in a goroutine of its own
}

// DB is an open database. Its methods may be called from many goroutines.
type DB struct {
	c       Config
	id      string
	lock    fairLock
	count   *counter
	wake    *os.File
	unwatch func()
	w       *writer

	readers chan *Conn // idle ones
	slots   chan struct{}
	closing sync.Once
	closed  chan struct{}
	err     error
}

// readerCount is how many reads run at once.
const readerCount = 4

// Open opens the database in a directory, and makes both where they do not exist. It brings an older schema forward.
func Open(ctx context.Context, c Config) (db *DB, err error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if c.VFS == "" {
		c.VFS = Register()
	}
	if err := MakeDir(c.Dir); err != nil {
		return nil, err
	}
	db = &DB{c: c, closed: make(chan struct{}), readers: make(chan *Conn, readerCount), slots: make(chan struct{}, readerCount)}
	opening := db
	defer func() {
		if err != nil {
			_ = opening.release() // why it cannot be opened matters more
		}
	}()
	if err := db.lock.open(c.Dir); err != nil {
		return nil, err
	}
	if err := db.lock.lock(); err != nil { // two processes may come at once
		return nil, err
	}
	defer db.lock.unlock()
	conn, err := db.connect(true)
	if err != nil {
		return nil, err
	}
	db.w = &writer{db: db, conn: conn, wake: make(chan struct{}, 1), done: make(chan struct{}), synced: true}
	if err := db.prepare(); err != nil {
		return nil, err
	}
	if db.wake, err = open(c.Dir, wakeName); err != nil {
		return nil, err
	}
	if c.Woken != nil {
		if db.unwatch, err = watchFile(db.wake.Name(), c.Woken); err != nil {
			return nil, err
		}
	}
	go db.w.loop()
	return db, nil
}

// Path returns where the database is.
func (db *DB) Path() string { return filepath.Join(db.c.Dir, FileName) }

func uri(path, vfs string) string {
	return "file:" + escapeURI(path) + "?vfs=" + vfs
}

// connect opens one more connection.
func (db *DB) connect(writes bool) (*Conn, error) {
	flags := sqlite3.OPEN_READWRITE | sqlite3.OPEN_URI
	if writes {
		flags |= sqlite3.OPEN_CREATE
	}
	c, err := sqlite3.OpenFlags(uri(db.Path(), db.c.VFS), flags)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", db.Path(), err)
	}
	conn := NewConn(c)
	pragmas := "PRAGMA busy_timeout = 30000; PRAGMA temp_store = memory; PRAGMA foreign_keys = off;"
	if writes {
		pragmas += "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000;"
	} else {
		pragmas += "PRAGMA cache_size = -16384; PRAGMA query_only = on;"
	}
	if err := conn.Script(pragmas); err != nil {
		_ = conn.close()
		return nil, fmt.Errorf("open %s: %w", db.Path(), err)
	}
	return conn, nil
}

// Write runs an operation in a transaction that it may share with others, and returns once that is on disk; a lazy one
// returns when all processes see it, and is on disk no later than what follows.
//
// run may be called several times, and must not keep anything of a call that has failed. It must check everything before it
// writes: when it fails after a write, the others have to be run again.
func (db *DB) Write(ctx context.Context, lazy bool, run func(*Tx) error) error {
	return db.w.do(ctx, lazy, run)
}

// Start is a lazy Write that nobody waits for.
func (db *DB) Start(run func(*Tx) error) { db.w.start(true, run) }

// Kick makes a transaction, for what Config.End does in it.
func (db *DB) Kick() { db.w.kick() }

// Read runs a function on a snapshot of the database.
func (db *DB) Read(ctx context.Context, run func(*Conn) error) error {
	select {
	case <-db.closed:
		return errClosed
	default:
	}
	select {
	case db.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-db.closed:
		return errClosed
	}
	defer func() { <-db.slots }()
	var c *Conn
	select {
	case c = <-db.readers:
	default:
		var err error
		if c, err = db.connect(false); err != nil {
			return err
		}
	}
	defer func() { db.readers <- c }()
	if _, err := c.Exec("BEGIN"); err != nil {
		return err
	}
	err := run(c)
	if _, failed := c.Exec("COMMIT"); failed != nil {
		if !c.db.GetAutocommit() {
			_, _ = c.Exec("ROLLBACK") // the connection is of no use otherwise, and the next read will say so
		}
		if err == nil {
			err = failed
		}
	}
	return err
}

// touch tells other processes that there are news.
func (db *DB) touch() {
	_, _ = db.wake.WriteAt([]byte{'.'}, 0) // the others poll as well
}

// Close ends the use of the database. What has been asked for before is done first.
func (db *DB) Close() error {
	db.closing.Do(func() {
		db.w.close()
		close(db.closed)
		if db.unwatch != nil {
			db.unwatch()
		}
		for range readerCount { // wait for the reads
			db.slots <- struct{}{}
		}
		db.err = db.release()
	})
	return db.err
}

// release closes what is open.
func (db *DB) release() error {
	var first error
	keep := func(err error) {
		if err != nil && first == nil {
			first = err
		}
	}
	for len(db.readers) > 0 {
		keep((<-db.readers).close())
	}
	if db.w != nil {
		keep(db.w.conn.close())
	}
	if db.count != nil {
		keep(db.count.f.Close())
	}
	if db.wake != nil {
		keep(db.wake.Close())
	}
	keep(db.lock.close())
	return first
}

// Micros returns a time as it is stored.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
