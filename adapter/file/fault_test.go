package file_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file"
)

// acked are the things that were acknowledged.
type acked struct {
	mu   sync.Mutex
	jobs []string
	docs map[string]adapter.Version
}

var things = adapter.Collection{Name: "things", Indexes: []adapter.Index{{Equal: []string{"kind"}, Order: "n"}}}

// busy writes from several goroutines until ctx ends or something fails, and notes what was acknowledged.
func busy(ctx context.Context, b *file.Backend, a *acked) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := b.Store().Declare(ctx, things); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := uuid.NewString()
				_, err := b.Queue().Enqueue(ctx, adapter.NewJob{ID: id, Queue: "q", Name: "n", Data: json.RawMessage(`{}`)})
				if err == nil {
					a.mu.Lock()
					a.jobs = append(a.jobs, id)
					a.mu.Unlock()
					doc := fmt.Sprintf("p%d/%d", g, n)
					var c adapter.Committed
					c, err = b.Store().Commit(ctx, adapter.Batch{Partition: fmt.Sprint("p", g),
						Puts:    []adapter.Doc{{Collection: "things", ID: doc, Version: adapter.AnyVersion, Body: json.RawMessage(`{"kind":"x","n":1}`)}},
						Appends: []adapter.Append{{Subject: fmt.Sprint("p", g), Records: []adapter.Record{{Type: "t", Data: json.RawMessage(`{"a":1}`)}}}}})
					if err == nil {
						a.mu.Lock()
						a.docs[doc] = c.Versions[0]
						a.mu.Unlock()
					}
				}
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	consuming := make(chan error, 1)
	go func() {
		o := adapter.ConsumeOptions{Concurrency: func() int { return 4 }}
		consuming <- b.Queue().Consume(ctx, "q", o, func(ctx context.Context, d *adapter.Delivery) {
			b.Queue().Settle(ctx, adapter.Settlement{Queue: d.Queue, ID: d.ID, Receipt: d.Receipt})
		})
	}()
	wg.Wait()
	if failed := <-consuming; failed != nil && context.Cause(ctx) == nil {
		return failed
	}
	return context.Cause(ctx)
}

// has fails unless everything that was acknowledged is there.
func (a *acked) has(t *testing.T, dir string) {
	t.Helper()
	b, err := file.Open(t.Context(), &file.Options{DataDir: dir, KeepCompletedCount: 1_000_000})
	if err != nil {
		t.Fatalf("open again: %v", err)
	}
	defer b.Close()
	jobs, err := b.Queue().Lookup(t.Context(), "q", a.jobs...)
	if err != nil || len(jobs) != len(a.jobs) {
		t.Errorf("%d of %d acknowledged jobs are there, %v", len(jobs), len(a.jobs), err)
	}
	for id, v := range a.docs {
		docs, err := b.Store().Get(t.Context(), "things", id)
		if err != nil || len(docs) != 1 || docs[0].Version != v {
			t.Errorf("acknowledged document %s: %v, %v", id, docs, err)
		}
	}
	checkDir(t, dir)
}

// faulty opens a directory over a file layer that can fail.
func faulty(t *testing.T) (*file.Backend, *faultFS, string) {
	t.Helper()
	fs, dir := newFaultFS(), filepath.Join(t.TempDir(), "data")
	b, err := file.Open(t.Context(), &file.Options{DataDir: dir, VFS: fs.name, KeepCompletedCount: 1_000_000})
	if err != nil {
		t.Fatal(err)
	}
	return b, fs, dir
}

func TestPowerCut(t *testing.T) {
	t.Parallel()
	lost := 0
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 1))
		b, fs, dir := faulty(t)
		fs.set(func() { fs.cutAt = fs.writes + 20 + random.IntN(1500) })
		a := &acked{docs: map[string]adapter.Version{}}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := busy(ctx, b, a)
		cancel()
		if !errors.Is(err, adapter.ErrUnavailable) {
			t.Errorf("seed %d: error when the disk is gone: %v, want ErrUnavailable", seed, err)
		}
		b.Queue().Kill()
		_ = b.Close() // the disk is gone
		fs.set(func() {
			for _, list := range fs.unsynced {
				lost += len(list)
			}
		})
		if err := fs.powerCut(random); err != nil {
			t.Fatal(err)
		}
		a.has(t, dir)
		if t.Failed() {
			t.Fatalf("seed %d: %d jobs and %d documents were acknowledged", seed, len(a.jobs), len(a.docs))
		}
	}
	if lost == 0 {
		t.Error("no power cut took anything: the test tests nothing")
	}
}

func TestFailingSync(t *testing.T) {
	t.Parallel()
	b, fs, dir := faulty(t)
	a := &acked{docs: map[string]adapter.Version{}}
	timer := time.AfterFunc(300*time.Millisecond, func() { fs.set(func() { fs.failSync = true }) })
	defer timer.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := busy(ctx, b, a)
	if !errors.Is(err, adapter.ErrUnavailable) || !strings.Contains(err.Error(), "disk failed") {
		t.Errorf("error of a failing sync: %v", err)
	}
	fs.set(func() { fs.failSync = false })
	// What the system has in memory cannot be trusted to be on disk any more, so this process must not go on.
	if err := b.Store().Declare(t.Context(), adapter.Collection{Name: "other"}); !errors.Is(err, adapter.ErrUnavailable) {
		t.Errorf("write after a failed sync: %v, want ErrUnavailable", err)
	}
	_ = b.Close()
	a.has(t, dir)
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	b, fs, dir := faulty(t)
	a := &acked{docs: map[string]adapter.Version{}}
	timer := time.AfterFunc(200*time.Millisecond, func() { fs.set(func() { fs.full = true }) })
	defer timer.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := busy(ctx, b, a)
	if !errors.Is(err, adapter.ErrUnavailable) || !strings.Contains(err.Error(), "disk is full") {
		t.Fatalf("error of a full disk: %v", err)
	}
	fs.set(func() { fs.full = false })
	if _, err := b.Queue().Enqueue(t.Context(), adapter.NewJob{ID: "after", Queue: "q", Name: "n"}); err != nil {
		t.Errorf("enqueue when there is space again: %v", err)
	}
	a.jobs = append(a.jobs, "after")
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	a.has(t, dir)
}
