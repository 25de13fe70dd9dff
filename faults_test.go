package nvent_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
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

func closeApp(t *testing.T, app *nvent.App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = app.Close(ctx) // that of a process that was cut off fails
}
