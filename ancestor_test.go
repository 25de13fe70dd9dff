package nvent_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter/memory"
	"github.com/nvent-go/nvent/flow"
)

// The bugs that this project's ancestor had at the level of a process, by the names under which they were found. Those of the
// core are in flow/ancestor_test.go, those of its scheduler in trigger_test.go.

func pass(_ context.Context, n int) (int, error) { return n, nil }

// TestAncestor_Lost: one failed append of step.completed was swallowed, and the run stayed running for ever.
func TestAncestor_Lost(t *testing.T) {
	t.Parallel()
	for at := 1; at <= 12; at++ {
		synctest.Test(t, func(t *testing.T) {
			b := memory.New(nil)
			f := flow.New[int, int]("three")
			one := flow.Start(f, "one", pass)
			two := flow.On(f, "two", one.Completed(), pass)
			flow.Returns(f, flow.On(f, "three", two.Completed(), pass))
			store := &faults{at: at, mode: failBefore, kill: func() {}}
			app, err := nvent.New(t.Context(), nvent.Config{Queue: nvent.QueueConfig{Driver: b.Queue()},
				Stream: nvent.StreamConfig{Driver: b.Stream()}, Store: nvent.StoreConfig{Driver: faultyStore{b.Store(), store}}})
			if err == nil {
				err = app.Add(f)
			}
			if err == nil {
				err = app.Start(t.Context())
			}
			if err != nil {
				return // the fault hit the start, which says so
			}
			defer closeApp(t, app)
			run, err := nvent.Start(t.Context(), app, f, 7, nvent.WithKey("k"))
			if err != nil {
				run, err = nvent.Start(t.Context(), app, f, 7, nvent.WithKey("k"))
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := run.Wait(t.Context()); err != nil || got != 7 {
				t.Errorf("call %d failed: got %d, %v", at, got, err)
			}
		})
	}
}

// TestAncestor_Capacity: the queue in memory kept finished jobs and was full at the 1,001st, so that runs hung.
func TestAncestor_Capacity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := flow.New[int, int]("many")
		flow.Returns(f, flow.Start(f, "work", pass))
		app := startedApp(t, f)
		for i := range 2500 {
			run, err := nvent.Start(t.Context(), app, f, i)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := run.Wait(t.Context()); err != nil || got != i {
				t.Fatalf("run %d: got %d, %v", i, got, err)
			}
		}
	})
}

// TestAncestor_Memshape: a handler on the queue in memory did not know its flow and its step.
func TestAncestor_Memshape(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := flow.New[int, string]("shape")
		flow.Returns(f, flow.Start(f, "work", func(ctx context.Context, _ int) (string, error) {
			info, ok := flow.Info(ctx)
			if !ok || info.RunID == "" || info.Key == "" {
				return "", errors.New("the handler does not know its run")
			}
			return info.Flow + "/" + info.Step, nil
		}))
		app := startedApp(t, f)
		run, err := nvent.Start(t.Context(), app, f, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := run.Wait(t.Context()); err != nil || got != "shape/work" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// TestAncestor_TwoInstances: an instance that started marked the runs of all others stalled (demo 9), and old copies of timers
// fired on healthy runs.
func TestAncestor_TwoInstances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &meter{}
		flows := func() []any {
			f := flow.New[int, int]("slow")
			one := flow.Start(f, "one", func(ctx context.Context, n int) (int, error) {
				select {
				case <-time.After(2 * time.Hour):
				case <-ctx.Done():
				}
				return n, ctx.Err()
			}, flow.Timeout(3*time.Hour))
			flow.Returns(f, flow.On(f, "two", one.Completed(), pass, flow.Delay(time.Hour)))
			return []any{f}
		}
		apps := fleetOf(t, 3, 2, m, flows)
		run, err := apps[0].StartFlow(t.Context(), "slow", 3)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := run.Wait(t.Context()); err != nil || string(got) != "3" {
			t.Fatalf("got %s, %v", got, err)
		}
		for _, step := range []string{"one", "two"} {
			log := logOf(t, apps[2], run.ID())
			if started, done := count(log, flow.RecordStepStarted, step), count(log, flow.RecordStepCompleted, step); started != 1 || done != 1 {
				t.Errorf("step %s started %d times and completed %d times", step, started, done)
			}
		}
	})
}

// TestAncestor_Demo10: cancelling stopped neither queued nor running work.
func TestAncestor_Demo10(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told, after atomic.Bool
		f := flow.New[int, int]("long")
		one := flow.Start(f, "one", func(ctx context.Context, n int) (int, error) {
			<-ctx.Done()
			told.Store(errors.Is(context.Cause(ctx), nvent.ErrCanceled))
			return n, nil
		})
		flow.On(f, "two", one.Completed(), func(_ context.Context, n int) (int, error) {
			after.Store(true)
			return n, nil
		})
		app := startedApp(t, f)
		run, err := nvent.Start(t.Context(), app, f, 1)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := run.Cancel(t.Context(), "enough"); err != nil {
			t.Fatal(err)
		}
		if _, err := run.Wait(t.Context()); !errors.Is(err, nvent.ErrRunCanceled) {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if !told.Load() || after.Load() {
			t.Errorf("the handler was told: %v; the next step ran: %v", told.Load(), after.Load())
		}
	})
}
