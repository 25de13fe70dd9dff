package adaptertest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// env is what a check works with: the instances it opened, names nobody else uses, and ways to wait.
type env[A Driver] struct {
	h       Harness[A]
	backend Backend[A]
	prefix  string
	names   atomic.Int64
	// over is closed when the check is over, so that no handler outlives it.
	over chan struct{}

	mu     sync.Mutex
	opened []A
	tasks  sync.WaitGroup
}

func newEnv[A Driver](h Harness[A], b Backend[A]) *env[A] {
	var raw [6]byte
	rand.Read(raw[:])
	return &env[A]{h: h, backend: b, prefix: "at" + hex.EncodeToString(raw[:]), over: make(chan struct{})}
}

// close ends what the check left running. Errors of closing instances are not looked at: closing has checks of its own.
func (e *env[A]) close() error {
	close(e.over)
	e.mu.Lock()
	opened := e.opened
	e.mu.Unlock()
	for _, a := range opened {
		_ = a.Close()
	}
	e.tasks.Wait()
	if e.backend.Close != nil {
		return e.backend.Close()
	}
	return nil
}

// open opens one more instance, which is closed with the check.
func (e *env[A]) open(ctx context.Context) (A, error) {
	a, err := e.backend.Open(ctx)
	if err != nil {
		return a, fmt.Errorf("open an instance: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.opened = append(e.opened, a)
	return a, nil
}

// open2 opens two instances.
func (e *env[A]) open2(ctx context.Context) (a, b A, err error) {
	if a, err = e.open(ctx); err != nil {
		return a, b, err
	}
	b, err = e.open(ctx)
	return a, b, err
}

func (e *env[A]) kill(a A) error {
	if e.backend.Kill == nil {
		return errors.New("the harness has no Kill, which this check needs")
	}
	e.backend.Kill(a)
	return nil
}

// name returns a name that nobody else uses, for a queue, a topic, a collection, a partition or a key.
func (e *env[A]) name() string { return fmt.Sprintf("%s-%d", e.prefix, e.names.Add(1)) }

// start runs f in a goroutine that the check waits for at its end. A panic of f arrives as its error.
func (e *env[A]) start(f func() error) <-chan error {
	done := make(chan error, 1)
	e.tasks.Go(func() { done <- guarded(f) })
	return done
}

// all runs f n times at once and returns the first error.
func (e *env[A]) all(n int, f func(i int) error) error {
	errs := make(chan error, n)
	for i := range n {
		e.start(func() error {
			err := guarded(func() error { return f(i) })
			errs <- err
			return err
		})
	}
	var first error
	for range n {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// sleep lets d pass on the backend's clock.
func (e *env[A]) sleep(ctx context.Context, d time.Duration) error {
	if e.backend.Sleep != nil {
		return e.backend.Sleep(ctx, d)
	}
	return pause(ctx, d)
}

// quiet waits for as long as a check watches that nothing happens.
func (e *env[A]) quiet(ctx context.Context) error { return e.sleep(ctx, e.h.Quiet) }

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// until polls cond until it holds. An error of cond ends the wait.
func (e *env[A]) until(ctx context.Context, what string, cond func() (bool, error)) error {
	wait := time.Millisecond
	for deadline := time.Now().Add(e.h.Patience); ; wait = min(2*wait, 50*time.Millisecond) {
		ok, err := cond()
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		if ok {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not so after %v", what, e.h.Patience)
		}
		if err := e.sleep(ctx, wait); err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
	}
}

// ended waits for a value of done: the return of something that has to return now.
func (e *env[A]) ended(what string, done <-chan error) error {
	t := time.NewTimer(e.h.Patience)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		return fmt.Errorf("%s has not returned after %v", what, e.h.Patience)
	}
}

// signal waits until c is closed or sends.
func (e *env[A]) signal(what string, c <-chan struct{}) error {
	t := time.NewTimer(e.h.Patience)
	defer t.Stop()
	select {
	case <-c:
		return nil
	case <-t.C:
		return fmt.Errorf("%s: not so after %v", what, e.h.Patience)
	}
}
