package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/ncruces/go-sqlite3"

	"github.com/nvent-go/nvent/adapter"
)

// maxGroup is how many operations share a transaction at most, so that none waits long for the others.
const maxGroup = 512

// Tx is a write transaction, shared by several operations.
type Tx struct {
	*Conn
	Now  int64 // microseconds since 1970
	Data any   // what Config.Begin has left here

	ticks, commits int64
	changesBefore  int64
	news           bool
	after          []func()
}

// Tick returns a number that is higher than all before it, in all processes.
func (t *Tx) Tick() int64 {
	t.ticks++
	return t.ticks
}

// After makes f run once the transaction is committed, before any of its operations returns.
func (t *Tx) After(f func()) { t.after = append(t.after, f) }

// News says that other processes have something to look for after this transaction.
func (t *Tx) News() { t.news = true }

// operation is what one caller wants from a transaction.
type operation struct {
	ctx  context.Context
	lazy bool
	run  func(*Tx) error
	err  error
	done chan struct{}
}

// writer runs all write transactions of this process, one after another, on a connection of its own.
type writer struct {
	db   *DB
	conn *Conn

	mu      sync.Mutex
	waiting []*operation
	kicked  bool // a transaction is wanted even if no operation waits
	closed  bool
	wake    chan struct{}
	done    chan struct{}

	broken error // a sync has failed: what the system still has in memory cannot be trusted to be on disk
	synced bool  // what PRAGMA synchronous is set to
}

var errClosed = adapter.ErrClosed

// do adds an operation and waits for its transaction.
func (w *writer) do(ctx context.Context, lazy bool, run func(*Tx) error) error {
	op := &operation{ctx: ctx, lazy: lazy, run: run, done: make(chan struct{})}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return errClosed
	}
	w.waiting = append(w.waiting, op)
	w.signal()
	w.mu.Unlock()
	select {
	case <-op.done:
		return op.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// start adds an operation that nobody waits for. Its error is lost: it must be one that is made up for later.
func (w *writer) start(lazy bool, run func(*Tx) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.waiting = append(w.waiting, &operation{ctx: context.Background(), lazy: lazy, run: run, done: make(chan struct{})})
		w.signal()
	}
}

// kick asks for a transaction, for what Config.End does in it.
func (w *writer) kick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kicked = true
	w.signal()
}

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// loop runs transactions until the writer is closed and nothing waits.
func (w *writer) loop() {
	defer close(w.done)
	for range w.wake {
		runtime.Gosched() // those that the last transaction has woken are about to come
		for {
			w.mu.Lock()
			n := min(len(w.waiting), maxGroup)
			ops, kicked, closed := w.waiting[:n:n], w.kicked, w.closed
			w.waiting, w.kicked = w.waiting[n:], false
			w.mu.Unlock()
			if n == 0 && !kicked {
				if closed {
					return
				}
				break
			}
			for again := ops; ; {
				if again = w.try(again); len(again) == 0 {
					break
				}
			}
		}
	}
}

// close ends the loop after what waits.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.signal()
	w.mu.Unlock()
	<-w.done
}

func finish(ops []*operation, err error) {
	for _, op := range ops {
		if err != nil && op.err == nil {
			op.err = err
		}
		close(op.done)
	}
}

// try runs operations in one transaction. When one of them fails half-way it is rolled back, and those that have to be run
// again are returned.
func (w *writer) try(ops []*operation) (again []*operation) {
	durable := w.db.durable(ops)
	tx, err := w.begin(durable)
	if err != nil {
		finish(ops, err)
		return nil
	}
	for i, op := range ops {
		if op.err = nil; op.ctx.Err() != nil {
			op.err = context.Cause(op.ctx)
			continue
		}
		w.conn.wrote = false
		afterBefore := len(tx.after)
		if op.err = op.run(tx); op.err != nil && w.conn.wrote {
			w.rollback()
			w.db.lock.unlock()
			finish([]*operation{op}, nil)
			again = append(again, ops[:i]...)
			return append(again, ops[i+1:]...)
		}
		if op.err != nil {
			tx.after = tx.after[:afterBefore]
		}
	}
	err = w.commit(tx, durable)
	w.db.lock.unlock()
	if err != nil {
		finish(ops, err)
		return nil
	}
	for _, f := range tx.after {
		f()
	}
	finish(ops, nil)
	return nil
}

func (db *DB) durable(ops []*operation) bool {
	if db.c.Relaxed {
		return false
	}
	for _, op := range ops {
		if !op.lazy {
			return true
		}
	}
	return false
}

func (w *writer) begin(durable bool) (*Tx, error) {
	if w.broken != nil {
		return nil, w.broken
	}
	if err := w.db.lock.lock(); err != nil {
		return nil, err
	}
	tx := &Tx{Conn: w.conn, Now: w.db.c.Clock()}
	err := w.setSync(durable)
	if err == nil {
		_, err = w.conn.Exec("BEGIN IMMEDIATE")
	}
	if err != nil {
		w.db.lock.unlock()
		return nil, err
	}
	if err = tx.load(); err == nil && w.db.c.Begin != nil {
		err = w.db.c.Begin(tx)
	}
	if err != nil {
		w.rollback()
		w.db.lock.unlock()
		return nil, err
	}
	return tx, nil
}

func (t *Tx) load() error {
	_, err := t.One("SELECT commits, ticks FROM counter", func(r Row) { t.commits, t.ticks = r.Int(0), r.Int(1) })
	t.changesBefore = t.db.TotalChanges()
	return err
}

func (w *writer) setSync(durable bool) error {
	if w.synced == durable {
		return nil
	}
	mode := "NORMAL"
	if durable {
		mode = "FULL"
	}
	if err := w.conn.Script("PRAGMA synchronous = " + mode); err != nil {
		return err
	}
	w.synced = durable
	return nil
}

// commit ends a transaction that may have written something.
func (w *writer) commit(tx *Tx, durable bool) error {
	var err error
	if w.db.c.End != nil {
		err = w.db.c.End(tx)
	}
	counted := durable && err == nil && tx.changed()
	if err == nil {
		err = tx.store(counted)
	}
	if err == nil {
		_, err = w.conn.Exec("COMMIT")
	}
	if err != nil {
		w.rollback()
		if isSyncFailure(err) {
			w.broken = fmt.Errorf("%w: the disk failed to store what was written: %w", adapter.ErrUnavailable, err)
			return w.broken
		}
		return err
	}
	if counted {
		if err := w.db.count.write(w.db.id, tx.commits); err != nil {
			return fmt.Errorf("write commit counter (the transaction itself is committed): %w", err)
		}
	}
	if tx.news {
		w.db.touch()
	}
	return nil
}

func (t *Tx) changed() bool { return t.db.TotalChanges() != t.changesBefore }

// store writes the counters back.
func (t *Tx) store(counted bool) error {
	if !t.changed() {
		return nil
	}
	if counted {
		t.commits++
	}
	_, err := t.Exec("UPDATE counter SET commits = ?, ticks = ?", t.commits, t.ticks)
	return err
}

func (w *writer) rollback() {
	if !w.conn.db.GetAutocommit() { // some errors have done so already
		_, _ = w.conn.Exec("ROLLBACK") // fails only where there is nothing to roll back
	}
}

func isSyncFailure(err error) bool {
	return errors.Is(err, sqlite3.IOERR_FSYNC) || errors.Is(err, sqlite3.IOERR_DIR_FSYNC)
}
