package file_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/driver"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/adaptertest"
	"github.com/nvent-go/nvent/adapter/file"
)

// shortLease is long enough for a slow machine.
const shortLease = slow * 800 * time.Millisecond

// over describes one directory for all checks, each of whose instances opens it anew, as a process of its own would.
func over[A adaptertest.Driver](t testing.TB, pick func(*file.Backend) A) adaptertest.Harness[A] {
	dir := os.Getenv(dirEnv)
	if dir == "" {
		dir = filepath.Join(t.TempDir(), "data")
	}
	open := func(ctx context.Context) (A, error) {
		b, err := file.Open(ctx, &file.Options{DataDir: dir, DefaultLease: shortLease, Logger: logger(t)})
		if err != nil {
			var none A
			return none, err
		}
		return pick(b), nil
	}
	return adaptertest.Harness[A]{
		Lease: shortLease,
		New: func(context.Context) (adaptertest.Backend[A], error) {
			return adaptertest.Backend[A]{
				Open: open,
				Kill: func(a A) {
					if k, ok := any(a).(interface{ Kill() }); ok {
						k.Kill()
					}
				},
				Restart: func(context.Context) error { return nil }, // there is no server: opening it anew is all there is
			}, nil
		},
	}
}

// logger fails the test for what goes wrong in the background.
func logger(t testing.TB) *slog.Logger { return slog.New(complaint{slog.DiscardHandler, t}) }

type complaint struct {
	slog.Handler
	t testing.TB
}

func (c complaint) Enabled(context.Context, slog.Level) bool { return true }

func (c complaint) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		c.t.Errorf("in the background: %s: %v", r.Message, a.Value)
		return true
	})
	return nil
}

func TestQueueConformance(t *testing.T) {
	adaptertest.TestQueue(t, over(t, func(b *file.Backend) adapter.Queue { return b.Queue() }))
}

func TestStreamConformance(t *testing.T) {
	adaptertest.TestStream(t, over(t, func(b *file.Backend) adapter.Stream { return b.Stream() }))
}

// stored is a store with its backend, whose queue and database/sql connections its checks need as well.
type stored struct {
	*file.Store
	b  *file.Backend
	db *sql.DB
}

func (s *stored) Close() error { return errors.Join(s.db.Close(), s.b.Close()) }

func TestStoreConformance(t *testing.T) {
	h := over(t, func(b *file.Backend) adapter.Store {
		db, err := driver.Open(b.DSN(), b.Extend)
		if err != nil {
			t.Error(err)
		}
		return &stored{b.Store(), b, db}
	})
	opened := h.New
	h.New = func(ctx context.Context) (adaptertest.Backend[adapter.Store], error) {
		b, err := opened(ctx)
		b.QueueOf = func(_ context.Context, s adapter.Store) (adapter.Queue, error) { return s.(*stored).b.Queue(), nil }
		b.Begin = func(ctx context.Context, s adapter.Store) (any, func(bool) error, error) {
			tx, err := s.(*stored).db.BeginTx(ctx, nil)
			return tx, func(commit bool) error {
				if commit {
					return tx.Commit()
				}
				return tx.Rollback()
			}, err
		}
		return b, err
	}
	adaptertest.TestStore(t, h)
}

func BenchmarkQueueConformance(b *testing.B) {
	adaptertest.BenchmarkQueue(b, over(b, func(b *file.Backend) adapter.Queue { return b.Queue() }))
}

func BenchmarkStreamConformance(b *testing.B) {
	adaptertest.BenchmarkStream(b, over(b, func(b *file.Backend) adapter.Stream { return b.Stream() }))
}

func BenchmarkStoreConformance(b *testing.B) {
	adaptertest.BenchmarkStore(b, over(b, func(b *file.Backend) adapter.Store { return b.Store() }))
}
