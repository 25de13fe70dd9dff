package nvent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
	"github.com/nvent-go/nvent/flow"
)

// faultMode is what happens to one call of an adapter.
type faultMode string

const (
	failBefore faultMode = "fail before"
	failAfter  faultMode = "fail after applying"
	cutBefore  faultMode = "cut before"
	cutAfter   faultMode = "cut after"
)

var errCut = fmt.Errorf("process is cut off: %w", adapter.ErrUnavailable)

// faults counts the writing calls of one process and does something to one of them.
type faults struct {
	mu    sync.Mutex
	calls int
	at    int // 0: to none
	mode  faultMode
	cut   bool
	kill  func()
}

// around makes a call, or not.
func (f *faults) around(call func() error) error {
	f.mu.Lock()
	f.calls++
	hit := f.calls == f.at
	mode := f.mode
	if hit && mode == cutBefore {
		f.die()
	}
	dead := f.cut
	f.mu.Unlock()
	switch {
	case dead:
		return errCut
	case hit && mode == failBefore:
		return fmt.Errorf("injected: %w", adapter.ErrUnavailable)
	}
	err := call()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case hit && mode == cutAfter:
		f.die()
		return errCut
	case hit && mode == failAfter:
		return fmt.Errorf("injected, applied: %w", adapter.ErrUnavailable)
	case f.cut:
		return errCut
	}
	return err
}

// die cuts the process off. f.mu is held.
func (f *faults) die() {
	f.cut = true
	f.kill()
}

type faultyStore struct {
	adapter.Store
	f *faults
}

func (s faultyStore) Commit(ctx context.Context, b adapter.Batch) (done adapter.Committed, err error) {
	err = s.f.around(func() error { var e error; done, e = s.Store.Commit(ctx, b); return e })
	return done, err
}

func (s faultyStore) Get(ctx context.Context, c string, ids ...string) (docs []adapter.Doc, err error) {
	err = s.f.around(func() error { var e error; docs, e = s.Store.Get(ctx, c, ids...); return e })
	return docs, err
}

func (s faultyStore) Read(ctx context.Context, subject string, r adapter.Range) (list []adapter.Record, err error) {
	err = s.f.around(func() error { var e error; list, e = s.Store.Read(ctx, subject, r); return e })
	return list, err
}

type faultyQueue struct {
	adapter.Queue
	f *faults
}

func (q faultyQueue) Enqueue(ctx context.Context, jobs ...adapter.NewJob) (list []adapter.Enqueued, err error) {
	err = q.f.around(func() error { var e error; list, e = q.Queue.Enqueue(ctx, jobs...); return e })
	return list, err
}

func (q faultyQueue) Settle(ctx context.Context, s ...adapter.Settlement) []error {
	var errs []error
	if err := q.f.around(func() error { errs = q.Queue.Settle(ctx, s...); return nil }); err != nil {
		return slices.Repeat([]error{err}, len(s))
	}
	return errs
}

// process is an App over a shared backend.
func process(t *testing.T, store *memory.Backend, queue *memory.Backend, f *faults, def any) *nvent.App {
	t.Helper()
	q := queue.Queue()
	f.kill = q.Kill
	app, err := nvent.New(t.Context(), nvent.Config{
		Queue:  nvent.QueueConfig{Driver: faultyQueue{q, f}},
		Stream: nvent.StreamConfig{Driver: store.Stream()},
		Store:  nvent.StoreConfig{Driver: faultyStore{store.Store(), f}},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Add(def); err != nil {
		t.Fatal(err)
	}
	return app
}

// crashRun starts the fan-in flow on a process with a fault, lets a second process take over, and returns the log as a
// partial order, and how many calls the first process made.
func crashRun(t *testing.T, at int, mode faultMode, forgetful bool) (log []string, calls int) {
	synctest.Test(t, func(t *testing.T) {
		backend := memory.New(nil)
		fl := fanIn(chargeOK)
		healthy := &faults{}
		setup := process(t, backend, backend, healthy, fl) // saves the flow, runs nothing
		f := &faults{at: at, mode: mode}
		first := process(t, backend, backend, f, fl)
		if err := setup.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		closeApp(t, setup)
		f.mu.Lock()
		f.calls = 0
		f.mu.Unlock()
		if err := first.Start(t.Context()); err != nil && !errors.Is(err, adapter.ErrUnavailable) {
			t.Fatal(err)
		}
		patience, giveUp := context.WithTimeout(t.Context(), 5*time.Second)
		defer giveUp()
		_, err := first.StartFlow(patience, "order", order{ID: "42"}, nvent.WithKey("42"))
		if err != nil && !errors.Is(err, adapter.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		queue := backend
		if forgetful {
			queue = memory.New(nil)
		}
		second := process(t, backend, queue, &faults{}, fl)
		if err := second.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		// The caller whose start failed starts again, with the same key.
		run, err := nvent.Start(t.Context(), second, fl, order{ID: "42"}, nvent.WithKey("42"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if got, err := run.Wait(ctx); err != nil || got != "R42/2" {
			t.Fatalf("%s call %d: result %q, %v", mode, at, got, err)
		}
		log = partialOrder(t, second, run.ID())
		f.mu.Lock()
		calls = f.calls
		f.mu.Unlock()
		closeApp(t, first)
		closeApp(t, second)
	})
	return log, calls
}

func closeApp(t *testing.T, app *nvent.App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = app.Close(ctx) // that of a process that was cut off fails
}

// partialOrder returns the records of a run with what caused them, without what depends on timing.
func partialOrder(t *testing.T, app *nvent.App, run string) []string {
	t.Helper()
	names := map[uint64]string{}
	var log []string
	next := uint64(1)
	for r, err := range app.RunEvents(t.Context(), run, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Seq != next {
			t.Fatalf("seq %d, want %d", r.Seq, next)
		}
		next++
		names[r.Seq] = r.Type + " " + r.Step + " " + r.Key
		if r.Type == flow.RecordStepStarted {
			continue
		}
		causes := make([]string, len(r.Causes))
		for i, c := range r.Causes {
			causes[i] = names[c]
		}
		data := string(r.Data)
		if r.Type == flow.RecordFlowCompleted {
			data = "" // it names seqs
		}
		log = append(log, names[r.Seq]+" "+data+" ← "+strings.Join(causes, ", "))
	}
	slices.Sort(log)
	return log
}

// TestPromise4_NoCrashLosesARun cuts a process off, fails it, or leaves it in doubt at every call to the store and the queue
// in turn. Another process takes over, and the log equals that of the undisturbed run (promise 7). The same with a queue that
// forgets everything.
func TestPromise4_NoCrashLosesARun(t *testing.T) {
	t.Parallel()
	want, calls := crashRun(t, 0, "", false)
	if calls < 12 {
		t.Fatalf("the undisturbed run made %d calls only", calls)
	}
	points := 0
	for at := 1; at <= calls; at++ {
		for _, mode := range []faultMode{failBefore, failAfter, cutBefore, cutAfter} {
			for _, forgetful := range []bool{false, true} {
				if forgetful && (mode == failBefore || mode == failAfter) {
					continue // the first process lives, and so does its queue
				}
				got, _ := crashRun(t, at, mode, forgetful)
				points++
				if !slices.Equal(got, want) {
					t.Fatalf("%s call %d (forgetful %v): log differs:\n%s\n\nundisturbed:\n%s", mode, at, forgetful,
						strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
		}
	}
	t.Logf("%d faults at %d calls", points, calls)
}
