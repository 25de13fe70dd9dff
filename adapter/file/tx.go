package file

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// Shares reports whether q is the queue of the same open directory. See [adapter.Transactor].
func (s *Store) Shares(q adapter.Queue) bool {
	in, ok := q.(*Queue)
	return ok && in.b == s.b
}

// transaction is an adapter.Tx on its way.
type transaction struct {
	adapter.Tx
	jobs []preparedJob
}

func (s *Store) prepare(op string, t *adapter.Tx) (*transaction, error) {
	if t.Queue != nil && !s.Shares(t.Queue) {
		return nil, fail(op, fmt.Errorf("%w: the queue is not that of the same open directory", adapter.ErrUnsupported))
	}
	if t.Queue == nil && len(t.Enqueue)+len(t.Settle) > 0 {
		return nil, invalid(op, "there are jobs, and no queue", "set Tx.Queue")
	}
	if t.Batch != nil {
		if err := checkBatch(t.Batch); err != nil {
			return nil, fail(op, err)
		}
	}
	if err := checkVerdicts(t.Settle); err != nil {
		return nil, err
	}
	jobs, err := prepareJobs(t.Enqueue)
	return &transaction{*t, jobs}, err
}

func (s *Store) run(tx *sqlite.Tx, t *transaction) (r adapter.TxResult, err error) {
	if t.Batch != nil {
		if r.Committed, err = s.apply(tx, t.Batch); err != nil { // it writes nothing before everything is checked
			return r, err
		}
	}
	if r.Enqueued, err = s.b.queue.enqueue(tx, t.jobs); err != nil {
		return r, err
	}
	if len(t.Settle) > 0 {
		r.Settled, err = s.b.queue.settleAll(tx, t.Settle)
	}
	r.Now = timeOf(tx.Now)
	return r, err
}

// CommitTx does all of t in one transaction. A job of it that a consumer of this process has a place for is handed out in
// the same transaction; the place of a delivery that t settles counts as free. See [adapter.Transactor].
func (s *Store) CommitTx(ctx context.Context, t adapter.Tx) (r adapter.TxResult, err error) {
	const op = "commit transaction"
	if err := s.usable(ctx, op); err != nil {
		return r, err
	}
	p, err := s.prepare(op, &t)
	if err != nil {
		return r, err
	}
	err = s.b.db.Write(ctx, false, func(tx *sqlite.Tx) (err error) {
		r, err = s.run(tx, p)
		return err
	})
	if err != nil {
		return adapter.TxResult{}, fail(op, err)
	}
	return r, nil
}

// JoinTx does t within a transaction of the caller: a *sql.Tx of the database/sql driver of github.com/ncruces/go-sqlite3, on
// a connection to this database that [Backend.Extend] has seen:
//
//	db, err := driver.Open(b.DSN(), b.Extend)
//
// While such a transaction is open nobody else can write: keep it short, and do not wait within it for what this package
// does outside of it. See [adapter.Transactor].
func (s *Store) JoinTx(ctx context.Context, tx any, t adapter.Tx) (r adapter.TxResult, err error) {
	const op = "join transaction"
	if err := s.usable(ctx, op); err != nil {
		return r, err
	}
	p, err := s.prepare(op, &t)
	if err != nil {
		return r, err
	}
	own, ok := tx.(*sql.Tx)
	if !ok || own == nil {
		return r, invalid(op, fmt.Sprintf("the transaction is a %T, want a *sql.Tx", tx), "begin it on driver.Open(b.DSN(), b.Extend)")
	}
	j := &joining{run: func(tx *sqlite.Tx) (err error) {
		r, err = s.run(tx, p)
		return err
	}}
	_, err = own.ExecContext(ctx, "SELECT nvent_join(?)", sqlite3.Pointer(j))
	switch {
	case j.err != nil: // what the driver makes of it is text
		return adapter.TxResult{}, fail(op, j.err)
	case err != nil:
		return adapter.TxResult{}, fail(op, fmt.Errorf("is its database opened with Backend.Extend? %w", err))
	}
	return r, nil
}

// DSN returns the data source name of the database for the database/sql driver of github.com/ncruces/go-sqlite3. Tables of
// your own in the same database may have any name that no table of ours has; begin with a prefix.
func (b *Backend) DSN() string {
	return b.db.URI() + "&_txlock=immediate&_pragma=busy_timeout(30000)&_pragma=synchronous(full)"
}

// Extend prepares a connection to the database for [Store.JoinTx]. It is for driver.Open, which calls it for each connection.
func (b *Backend) Extend(c *sqlite3.Conn) error {
	var after []func() // of what has joined the transaction that is open
	c.RollbackHook(func() { after = nil })
	c.WALHook(func(*sqlite3.Conn, string, int) error { // after each commit
		done := after
		after = nil
		for _, f := range done {
			f()
		}
		return nil
	})
	return c.CreateFunction("nvent_join", 1, sqlite3.DIRECTONLY, func(ctx sqlite3.Context, args ...sqlite3.Value) {
		j, ok := args[0].Pointer().(*joining)
		if !ok {
			ctx.ResultError(fmt.Errorf("nvent_join is for package file"))
			return
		}
		var more []func()
		if more, j.err = b.db.Join(c, j.run); j.err != nil {
			ctx.ResultError(j.err)
			return
		}
		after = append(after, more...)
	})
}

// joining is what shall happen in a transaction of the caller.
type joining struct {
	run func(*sqlite.Tx) error
	err error
}
