package nvent_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
	"github.com/nvent-go/nvent/flow"
)

// scaled is a number of things, a tenth of them under the race detector. make test runs the whole of it without.
func scaled(n int) int {
	if raceDetector {
		return n / 10
	}
	return n
}

// meter counts what is asked of a store.
type meter struct {
	adapter.Store
	commits, conflicts, calls atomic.Int64

	mu      sync.Mutex
	largest map[string]int // by collection, in bytes
}

func (m *meter) Commit(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
	m.mu.Lock()
	if m.largest == nil {
		m.largest = map[string]int{}
	}
	for _, d := range b.Puts {
		m.largest[d.Collection] = max(m.largest[d.Collection], len(d.Body))
	}
	m.mu.Unlock()
	m.calls.Add(1)
	done, err := m.Store.Commit(ctx, b)
	if err == nil {
		m.commits.Add(1)
	}
	if errors.Is(err, adapter.ErrConflict) {
		m.conflicts.Add(1)
	}
	return done, err
}

func (m *meter) List(ctx context.Context, collection string, q adapter.Query) (adapter.Page[adapter.Doc], error) {
	m.calls.Add(1)
	return m.Store.List(ctx, collection, q)
}

func (m *meter) Get(ctx context.Context, collection string, ids ...string) ([]adapter.Doc, error) {
	m.calls.Add(1)
	return m.Store.Get(ctx, collection, ids...)
}

// fleetOf starts n Apps on one memory backend.
func fleetOf(t *testing.T, n, concurrency int, m *meter, defs func() []any) []*nvent.App {
	t.Helper()
	b := memory.New(nil)
	m.Store = b.Store()
	apps := make([]*nvent.App, n)
	for i := range apps {
		c := nvent.Config{Queue: nvent.QueueConfig{Driver: b.Queue()}, Stream: nvent.StreamConfig{Driver: b.Stream()},
			Store: nvent.StoreConfig{Driver: m}}
		c.Queue.Default.Worker.Concurrency = concurrency
		app, err := nvent.New(t.Context(), c)
		if err == nil {
			err = app.Add(defs()...)
		}
		if err == nil {
			err = app.Start(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		apps[i] = app
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := app.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	return apps
}

// TestScaleOfOneFanOut: the documents of a run stay small however many items it has.
func TestScaleOfOneFanOut(t *testing.T) {
	n := scaled(100_000)
	f := pricing(nil)
	m := &meter{}
	app := fleetOf(t, 1, 64, m, func() []any { return []any{f} })[0]
	began := time.Now()
	run, err := nvent.Start(t.Context(), app, f, n)
	if err != nil {
		t.Fatal(err)
	}
	got, err := run.Wait(t.Context())
	if want := fmt.Sprintf("%d of %d []", 10*n*(n-1)/2, n); err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	t.Logf("%d items in %v with %d commits; largest documents: %v bytes", n, time.Since(began).Round(time.Millisecond),
		m.commits.Load(), m.largest)
	for collection, most := range map[string]int{"flow-state": 8 << 10, "flow-chunks": 96 << 10, "flow-items": 64 << 10} {
		if m.largest[collection] > most {
			t.Errorf("a document of %s has %d bytes, more than %d", collection, m.largest[collection], most)
		}
	}
}

// TestScaleOfOutcomesAtOnce: branches that end at the same time on many engines do not keep each other from ending.
func TestScaleOfOutcomesAtOnce(t *testing.T) {
	const branches, engines = 1000, 8
	var waiting atomic.Int64
	all := make(chan struct{})
	var released atomic.Int64
	item, m := flow.NewEvent[int]("item"), &meter{}
	apps := fleetOf(t, engines, branches/engines, m, func() []any {
		f := flow.New[int, int]("burst")
		flow.Start(f, "split", func(ctx context.Context, n int) (struct{}, error) {
			return struct{}{}, item.EmitAll(ctx, func(yield func(int) bool) {
				for i := range n {
					if !yield(i) {
						return
					}
				}
			})
		}, flow.EmitsAll(item))
		work := flow.On(f, "work", item, func(ctx context.Context, i int) (int, error) {
			if waiting.Add(1) == branches {
				released.Store(time.Now().UnixNano())
				close(all)
			}
			select {
			case <-all:
			case <-ctx.Done():
			}
			return i, ctx.Err()
		}, flow.Parallel(branches))
		flow.Returns(f, flow.Collect(f, "sum", work.Completed(), func(_ context.Context, g flow.Group[int]) (int, error) {
			sum := 0
			for v, err := range g.Values() {
				if err != nil {
					return 0, err
				}
				sum += v
			}
			return sum, nil
		}))
		return []any{f}
	})
	run, err := apps[0].StartFlow(t.Context(), "burst", branches)
	if err != nil {
		t.Fatal(err)
	}
	<-all
	before, conflicts := m.commits.Load(), m.conflicts.Load()
	got, err := run.Wait(t.Context())
	if err != nil || string(got) != fmt.Sprint(branches*(branches-1)/2) {
		t.Errorf("got %s, %v", got, err)
	}
	worst := time.Since(time.Unix(0, released.Load()))
	t.Logf("%d outcomes at once on %d engines: %d commits, %d conflicts, the last accepted and collected after %v", branches, engines,
		m.commits.Load()-before, m.conflicts.Load()-conflicts, worst.Round(time.Millisecond))
	if c := m.commits.Load() - before; c > branches {
		t.Errorf("%d commits for %d outcomes: nothing was coalesced", c, branches)
	}
}

// TestScaleOfWaitingRuns: runs that wait for a time cost nothing while they wait.
func TestScaleOfWaitingRuns(t *testing.T) {
	n := scaled(100_000)
	synctest.Test(t, func(t *testing.T) {
		m := &meter{}
		f := flow.New[int, int]("patient")
		begin := flow.Start(f, "begin", func(_ context.Context, n int) (int, error) { return n, nil })
		flow.On(f, "later", begin.Completed(), func(_ context.Context, n int) (int, error) { return n, nil }, flow.Delay(24*time.Hour))
		app := fleetOf(t, 1, 8, m, func() []any { return []any{f} })[0]
		for i := range n {
			if _, err := nvent.Start(t.Context(), app, f, i); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		before := m.calls.Load()
		time.Sleep(20 * time.Hour)
		synctest.Wait()
		if idle := m.calls.Load() - before; idle > 20*60 {
			t.Errorf("%d runs that wait cost %d calls of the store in 20 hours", n, idle)
		} else {
			t.Logf("%d runs that wait cost %d calls of the store in 20 hours", n, idle)
		}
		time.Sleep(4 * time.Hour)
		synctest.Wait()
		page, err := app.Runs(t.Context(), nvent.RunQuery{Status: flow.StatusRunning})
		if err != nil || len(page.Items) != 0 {
			t.Errorf("%d runs or more are still running, %v", len(page.Items), err)
		}
	})
}

// TestScaleOfTime: a delay of ten years works.
func TestScaleOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		years := time.Duration(scaled(10)) * 365 * 24 * time.Hour
		f := flow.New[int, int]("patient")
		begin := flow.Start(f, "begin", func(_ context.Context, n int) (int, error) { return n, nil })
		flow.Returns(f, flow.On(f, "later", begin.Completed(), func(_ context.Context, n int) (int, error) { return n + 1, nil }, flow.Delay(years)))
		app, from := startedApp(t, f), time.Now()
		run, err := nvent.Start(t.Context(), app, f, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := run.Wait(t.Context()); err != nil || got != 2 || time.Since(from) != years {
			t.Errorf("got %d, %v after %v, want 2 after %v", got, err, time.Since(from), years)
		}
	})
}
