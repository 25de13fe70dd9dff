package enginetest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

// Check is one statement about whole flows.
type Check struct {
	Name string // "topic/statement", stable: tests of broken trios name it
	run  func(ctx context.Context, w *world) error
}

// Run runs the check on a backend that it asks h for, and returns what went wrong, or nil. It does not enter a bubble: see
// [Verify].
func (c Check) Run(ctx context.Context, h Harness) error {
	return inWorld(ctx, h, "check "+c.Name, c.run)
}

// inWorld runs something in a world of its own. A panic in its goroutine, or not returning, is an error too.
func inWorld(ctx context.Context, h Harness, what string, run func(ctx context.Context, w *world) error) error {
	h = h.withDefaults()
	w, err := newWorld(ctx, h)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, h.Timeout, fmt.Errorf("%s is not done after %v", what, h.Timeout))
	defer cancel()
	err = bounded(h.Timeout+h.Patience, what, func() error { return run(ctx, w) })
	err = errors.Join(err, bounded(2*h.Patience, "cleaning up after "+what, w.close))
	return w.logs.explain(err)
}

// bounded calls f and waits at most d for it. A panic of f becomes an error.
func bounded(d time.Duration, what string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- guarded(f) }()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("%s hangs: it has not returned after %v", what, d)
	}
}

func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// Verify runs one check, inside a bubble if h asks for it, and returns its error instead of failing t.
func Verify(t *testing.T, h Harness, c Check) error {
	t.Helper()
	return bubble(t, h, func(ctx context.Context) error { return c.Run(ctx, h) })
}

// bubble calls f inside a bubble if h asks for it.
func bubble(t *testing.T, h Harness, f func(ctx context.Context) error) (err error) {
	t.Helper()
	if !h.Bubble {
		return f(t.Context())
	}
	// A bubble whose goroutines never end panics.
	defer func() {
		if p := recover(); p != nil {
			err = errors.Join(err, fmt.Errorf("goroutines are left behind: %v", p))
		}
	}()
	synctest.Test(t, func(t *testing.T) { err = f(t.Context()) })
	return err
}

// Test runs the checks of whole flows as parallel subtests of t.
func Test(t *testing.T, h Harness) {
	for _, c := range Checks() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if err := Verify(t, h, c); err != nil {
				t.Error(err)
			}
		})
	}
}
