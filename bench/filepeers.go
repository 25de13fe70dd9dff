package main

import (
	"context"
	"database/sql"
	_ "embed"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"maragu.dev/goqite"
	"maragu.dev/goqite/jobs"
	_ "modernc.org/sqlite" // the driver that River and goqite recommend
)

// openSQLite opens a database as the peers advise: one connection, a write-ahead log; synced at every commit, as ours.
func openSQLite(dir string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "peer.db")+
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

type riverArgs struct {
	N int `json:"n"`
}

// Kind is what River calls the job.
func (riverArgs) Kind() string { return "noop" }

type riverWorker struct {
	river.WorkerDefaults[riverArgs]
	done func()
}

// Work does nothing.
func (w *riverWorker) Work(context.Context, *river.Job[riverArgs]) error {
	w.done()
	return nil
}

// withRiver opens River with so many workers; 0: it only enqueues.
func withRiver(ctx context.Context, dir string, workers int, done func(), do func(*river.Client[*sql.Tx]) ([]float64, error)) (
	values []float64, err error,
) {
	db, err := openSQLite(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if failed := db.Close(); err == nil {
			err = failed
		}
	}()
	driver := riversqlite.New(db)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, err
	}
	config := &river.Config{
		Logger: slog.New(slog.DiscardHandler), Workers: river.NewWorkers(),
		FetchCooldown: time.Millisecond, FetchPollInterval: time.Millisecond, // the least; the defaults take 10 batches a second
	}
	river.AddWorker(config.Workers, &riverWorker{done: done})
	if workers > 0 {
		config.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}}
	}
	client, err := river.NewClient(driver, config)
	if err != nil {
		return nil, err
	}
	if workers > 0 {
		if err := client.Start(ctx); err != nil {
			return nil, err
		}
		defer func() {
			if failed := client.Stop(context.WithoutCancel(ctx)); err == nil {
				err = failed
			}
		}()
	}
	return do(client)
}

func enqueueRiver(goroutines, n int) func(context.Context, string) ([]float64, error) {
	return func(ctx context.Context, dir string) ([]float64, error) {
		return withRiver(ctx, dir, 0, nil, func(c *river.Client[*sql.Tx]) ([]float64, error) {
			return rate(n, func() error {
				return inFlight(ctx, goroutines, n, func(ctx context.Context, i int) error {
					_, err := c.Insert(ctx, riverArgs{i}, nil)
					return err
				})
			})
		})
	}
}

func insertRiver(ctx context.Context, c *river.Client[*sql.Tx], n int) error {
	list := make([]river.InsertManyParams, jobBatch)
	for i := range list {
		list[i].Args = riverArgs{i}
	}
	for range n / jobBatch {
		if _, err := c.InsertMany(ctx, list); err != nil {
			return err
		}
	}
	return nil
}

func batchRiver(n int) func(context.Context, string) ([]float64, error) {
	return func(ctx context.Context, dir string) ([]float64, error) {
		return withRiver(ctx, dir, 0, nil, func(c *river.Client[*sql.Tx]) ([]float64, error) {
			return rate(n, func() error { return insertRiver(ctx, c, n) })
		})
	}
}

// countdown returns a function to call for each of n jobs, and a channel that is closed with the last one.
func countdown(n int) (done func(), last chan struct{}) {
	var count atomic.Int64
	last = make(chan struct{})
	return func() {
		if count.Add(1) == int64(n) {
			close(last)
		}
	}, last
}

func wait(ctx context.Context, last <-chan struct{}) error {
	select {
	case <-last:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func drainRiver(workers, n int) func(context.Context, string) ([]float64, error) {
	return func(ctx context.Context, dir string) ([]float64, error) {
		_, err := withRiver(ctx, dir, 0, nil, func(c *river.Client[*sql.Tx]) ([]float64, error) { return nil, insertRiver(ctx, c, n) })
		if err != nil {
			return nil, err
		}
		done, last := countdown(n)
		return rate(n, func() error {
			_, err := withRiver(ctx, dir, workers, done, func(*river.Client[*sql.Tx]) ([]float64, error) { return nil, wait(ctx, last) })
			return err
		})
	}
}

func withGoqite(ctx context.Context, dir string, do func(*sql.DB, *goqite.Queue) ([]float64, error)) (values []float64, err error) {
	db, err := openSQLite(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if failed := db.Close(); err == nil {
			err = failed
		}
	}()
	if _, err := db.ExecContext(ctx, goqiteSchema); err != nil {
		return nil, err
	}
	return do(db, goqite.New(goqite.NewOpts{DB: db, Name: "bench", Timeout: time.Minute}))
}

// goqiteSchema is goqite's own, which users copy into their migrations.
const goqiteSchema = `create table if not exists goqite (
  id text primary key default ('m_' || lower(hex(randomblob(16)))),
  created text not null default (strftime('%Y-%m-%dT%H:%M:%fZ')),
  updated text not null default (strftime('%Y-%m-%dT%H:%M:%fZ')),
  queue text not null, body blob not null,
  timeout text not null default (strftime('%Y-%m-%dT%H:%M:%fZ')),
  received integer not null default 0, priority integer not null default 0
) strict;
create trigger if not exists goqite_updated_timestamp after update on goqite begin
  update goqite set updated = strftime('%Y-%m-%dT%H:%M:%fZ') where id = old.id;
end;
create index if not exists goqite_queue_priority_created_idx on goqite (queue, priority desc, created);`

func enqueueGoqite(goroutines, n int) func(context.Context, string) ([]float64, error) {
	return func(ctx context.Context, dir string) ([]float64, error) {
		return withGoqite(ctx, dir, func(_ *sql.DB, q *goqite.Queue) ([]float64, error) {
			return rate(n, func() error {
				return inFlight(ctx, goroutines, n, func(ctx context.Context, _ int) error {
					return q.Send(ctx, goqite.Message{Body: []byte(`{"n":1}`)})
				})
			})
		})
	}
}

func drainGoqite(workers, n int) func(context.Context, string) ([]float64, error) {
	return func(ctx context.Context, dir string) ([]float64, error) {
		return withGoqite(ctx, dir, func(db *sql.DB, q *goqite.Queue) ([]float64, error) {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return nil, err
			}
			for range n {
				if _, err := jobs.CreateTx(ctx, tx, q, "noop", goqite.Message{Body: []byte(`{"n":1}`)}); err != nil {
					return nil, err
				}
			}
			if err := tx.Commit(); err != nil {
				return nil, err
			}
			done, last := countdown(n)
			r := jobs.NewRunner(jobs.NewRunnerOpts{Queue: q, Limit: workers, PollInterval: time.Millisecond})
			r.Register("noop", func(context.Context, []byte) error { done(); return nil })
			working, stop := context.WithCancel(ctx)
			ended := make(chan struct{})
			defer func() { stop(); <-ended }()
			return rate(n, func() error {
				go func() { defer close(ended); r.Start(working) }()
				return wait(ctx, last)
			})
		})
	}
}

// insertBare inserts rows of 200 bytes from many goroutines; whoever comes first commits for all who wait.
func insertBare(goroutines, n int) func(context.Context, string) ([]float64, error) {
	return func(ctx context.Context, dir string) (values []float64, err error) {
		db, err := openSQLite(dir)
		if err != nil {
			return nil, err
		}
		defer func() {
			if failed := db.Close(); err == nil {
				err = failed
			}
		}()
		if _, err := db.ExecContext(ctx, "CREATE TABLE t (n INTEGER PRIMARY KEY, data TEXT NOT NULL)"); err != nil {
			return nil, err
		}
		waiting := make(chan chan error, goroutines)
		go bareWriter(ctx, db, waiting)
		defer close(waiting)
		return rate(n, func() error {
			return inFlight(ctx, goroutines, n, func(context.Context, int) error {
				done := make(chan error, 1)
				waiting <- done
				return <-done
			})
		})
	}
}

func bareWriter(ctx context.Context, db *sql.DB, waiting <-chan chan error) {
	data := string(make([]byte, 200))
	insert, err := db.PrepareContext(ctx, "INSERT INTO t (data) VALUES (?)")
	for first := range waiting {
		group := []chan error{first}
		for more := true; more; {
			select {
			case next, ok := <-waiting:
				if more = ok; ok {
					group = append(group, next)
				}
			default:
				more = false
			}
		}
		if err == nil {
			err = commitGroup(ctx, db, insert, data, len(group))
		}
		for _, done := range group {
			done <- err
		}
	}
}

func commitGroup(ctx context.Context, db *sql.DB, insert *sql.Stmt, data string, n int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	s := tx.StmtContext(ctx, insert)
	for range n {
		if _, err := s.ExecContext(ctx, data); err != nil {
			_ = tx.Rollback() // the first error is what matters
			return err
		}
	}
	return tx.Commit()
}
