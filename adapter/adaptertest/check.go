package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// Check is one statement of the contract.
type Check[A Driver] struct {
	Name string // "topic/statement", stable: tests of broken drivers name it
	run  func(ctx context.Context, e *env[A]) error
	// alone keeps the check from running beside others, because it disturbs the whole backend.
	alone bool
}

// QueueChecks returns the checks of the queue contract.
func QueueChecks() []Check[adapter.Queue] {
	return concat(queueInfoChecks(), queueEnqueueChecks(), queueIDChecks(), queueOrderChecks(), queueConsumeChecks(),
		queueConcurrencyChecks(), queueDrainChecks(), queueLeaseChecks(), queueSettleChecks(), queueRetryChecks(), queueKeepChecks(),
		queueCauseChecks(), queuePauseChecks(), queueListChecks(), queuePageChecks(), queueApplyChecks(), queueStatsChecks(),
		queueWatchChecks(), queueAnnotateChecks(), queueCancelChecks(), queueCloseChecks())
}

// StreamChecks returns the checks of the stream contract.
func StreamChecks() []Check[adapter.Stream] {
	return concat(streamInfoChecks(), streamPublishChecks(), streamFanoutChecks(), streamGroupChecks(), streamRedeliveryChecks(),
		streamOrderChecks(), streamExclusiveChecks(), streamPlaceChecks(), streamReplayChecks(), streamTopicChecks(),
		streamEndChecks())
}

// StoreChecks returns the checks of the store contract.
func StoreChecks() []Check[adapter.Store] {
	return concat(storeInfoChecks(), storeCommitChecks(), storeConflictChecks(), storeAtomicChecks(), storeRaceChecks(),
		storePartitionChecks(), storeLogChecks(), storeReadChecks(), storeDropChecks(), storeIndexChecks(), storeQueryChecks(),
		storePageChecks(), storeKVChecks(), storeExpiryChecks(), storeTrimChecks(), storeTxChecks(), storeEndChecks())
}

func concat[A Driver](groups ...[]Check[A]) []Check[A] {
	var all []Check[A]
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

// Run runs the check on a backend that it asks h for, and returns what the driver did wrong, or nil. A driver that panics in
// the check's goroutines, or hangs, is an error too; what hangs is left behind. Run does not enter a bubble: see [Verify].
func (c Check[A]) Run(ctx context.Context, h Harness[A]) error {
	h = h.withDefaults()
	backend, err := h.New(ctx)
	if err != nil {
		return fmt.Errorf("open backend: %w", err)
	}
	runCtx, cancel := context.WithTimeoutCause(ctx, h.Timeout, fmt.Errorf("check %s is not done after %v", c.Name, h.Timeout))
	defer cancel()
	e := newEnv(h, backend)
	err = bounded(h.Timeout+h.Patience, c.Name, func() error { return c.run(runCtx, e) })
	return errors.Join(err, bounded(2*h.Patience, "cleaning up after "+c.Name, e.close))
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
func Verify[A Driver](t *testing.T, h Harness[A], c Check[A]) (err error) {
	t.Helper()
	if !h.Bubble {
		return c.Run(t.Context(), h)
	}
	// A bubble whose goroutines never end panics.
	defer func() {
		if p := recover(); p != nil {
			err = errors.Join(err, fmt.Errorf("goroutines are left behind: %v", p))
		}
	}()
	synctest.Test(t, func(t *testing.T) { err = c.Run(t.Context(), h) })
	return err
}

// TestQueue runs the queue contract as subtests of t.
func TestQueue(t *testing.T, h Harness[adapter.Queue]) { runAll(t, h, QueueChecks()) }

// TestStream runs the stream contract as subtests of t.
func TestStream(t *testing.T, h Harness[adapter.Stream]) { runAll(t, h, StreamChecks()) }

// TestStore runs the store contract as subtests of t.
func TestStore(t *testing.T, h Harness[adapter.Store]) { runAll(t, h, StoreChecks()) }

func runAll[A Driver](t *testing.T, h Harness[A], checks []Check[A]) {
	for _, c := range checks {
		t.Run(c.Name, func(t *testing.T) {
			if !c.alone {
				t.Parallel()
			}
			if err := Verify(t, h, c); err != nil {
				t.Error(err)
			}
		})
	}
}
