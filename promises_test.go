package nvent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter/memory"
	"github.com/nvent-go/nvent/flow"
)

// The promises of docs/architecture.md, each at the level of an App. What crashes, storms and models prove of them is in
// enginetest and flow.

// logOf returns the log of a run that ends.
func logOf(t *testing.T, app *nvent.App, run string) []nvent.Record {
	t.Helper()
	var log []nvent.Record
	for r, err := range app.RunEvents(t.Context(), run, 0) {
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, r)
	}
	return log
}

// count returns how many records of a type a step has.
func count(log []nvent.Record, typ, step string) int {
	n := 0
	for _, r := range log {
		if r.Type == typ && r.Step == step {
			n++
		}
	}
	return n
}

func TestPromise1_TheLogIsGaplessAndCausesComeFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := pricing(nil)
		app := startedApp(t, f)
		run, err := nvent.Start(t.Context(), app, f, 40)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range logOf(t, app, run.ID()) {
			if r.Seq != uint64(i+1) {
				t.Fatalf("record %d has seq %d", i+1, r.Seq)
			}
			for _, c := range r.Causes {
				if c >= r.Seq {
					t.Errorf("record %d was caused by %d", r.Seq, c)
				}
			}
		}
	})
}

func TestPromise2_WhatReturnsAfterARestartChangesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := flow.New[int, string]("slow")
		flow.Returns(f, flow.Start(f, "work", func(ctx context.Context, _ int) (string, error) {
			info, _ := flow.Info(ctx)
			if info.Epoch == 1 {
				time.Sleep(time.Hour) // whatever its context says
			}
			return fmt.Sprint("epoch ", info.Epoch), nil
		}))
		app := startedApp(t, f)
		run, err := nvent.Start(t.Context(), app, f, 1)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := app.RestartRun(t.Context(), run.ID()); err != nil {
			t.Fatal(err)
		}
		if got, err := run.Wait(t.Context()); err != nil || got != "epoch 2" {
			t.Errorf("got %q, %v", got, err)
		}
		time.Sleep(2 * time.Hour)
		if log := logOf(t, app, run.ID()); count(log, flow.RecordStepCompleted, "work") != 1 {
			t.Errorf("%d outcomes are recorded", count(log, flow.RecordStepCompleted, "work"))
		}
	})
}

func TestPromise3_AFailedAttemptLeavesNothingButItsError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		said := flow.NewEvent[int]("said")
		f := flow.New[int, string]("twice")
		flow.Start(f, "work", func(ctx context.Context, _ int) (int, error) {
			info, _ := flow.Info(ctx)
			if err := errors.Join(said.Emit(ctx, info.Attempt), flow.Set(ctx, fmt.Sprint("attempt", info.Attempt), true)); err != nil {
				return 0, err
			}
			if info.Attempt == 1 {
				return 0, errors.New("not yet")
			}
			return 0, nil
		}, flow.Emits(said), flow.Attempts(2, flow.Backoff{}))
		flow.Returns(f, flow.On(f, "hears", said, func(ctx context.Context, n int) (string, error) {
			_, first, err1 := flow.Get[bool](ctx, "attempt1")
			_, second, err2 := flow.Get[bool](ctx, "attempt2")
			return fmt.Sprint(n, first, second), errors.Join(err1, err2)
		}))
		app := startedApp(t, f)
		run, err := nvent.Start(t.Context(), app, f, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := run.Wait(t.Context()); err != nil || got != "2 false true" {
			t.Errorf("got %q, %v", got, err)
		}
		if n := count(logOf(t, app, run.ID()), flow.RecordEmit, "work"); n != 1 {
			t.Errorf("%d emissions are recorded", n)
		}
	})
}

func TestPromise5_JoinsPairWhatBelongsTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		item := flow.NewEvent[int]("item")
		f := flow.New[int, []string]("pairs")
		flow.Start(f, "split", func(ctx context.Context, n int) (struct{}, error) {
			return struct{}{}, item.EmitAll(ctx, func(yield func(int) bool) {
				for i := range n {
					if !yield(i) {
						return
					}
				}
			})
		}, flow.EmitsAll(item))
		slow := flow.On(f, "slow", item, func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Duration(10-n) * time.Second)
			return n, nil
		})
		fast := flow.On(f, "fast", item, func(_ context.Context, n int) (int, error) { return n, nil })
		both := flow.Join2(f, "both", slow.Completed(), fast.Completed(), func(_ context.Context, a, b int) (string, error) {
			return fmt.Sprint(a, "+", b), nil
		})
		flow.Returns(f, flow.Collect(f, "all", both.Completed(), func(_ context.Context, g flow.Group[string]) ([]string, error) {
			var all []string
			for s, err := range g.Values() {
				if err != nil {
					return nil, err
				}
				all = append(all, s)
			}
			return all, nil
		}))
		app := startedApp(t, f)
		run, err := nvent.Start(t.Context(), app, f, 5)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"0+0", "1+1", "2+2", "3+3", "4+4"}
		if got, err := run.Wait(t.Context()); err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	})
}

func TestPromise6_ARunEndsWhenNothingIsLeftAndSaysWhatWasNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		never := flow.NewEvent[int]("never")
		f := flow.New[int, int]("branches")
		begin := flow.Start(f, "begin", func(_ context.Context, n int) (int, error) { return n, nil }, flow.Emits(never))
		flow.On(f, "expensive", begin.Completed(), func(_ context.Context, n int) (int, error) { return n, nil }, flow.When("payload > 100"))
		flow.Join2(f, "waits", begin.Completed(), never, func(context.Context, int, int) (int, error) { return 0, nil })
		flow.Returns(f, begin)
		app := startedApp(t, f)
		run, err := nvent.Start(t.Context(), app, f, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := run.Wait(t.Context()); err != nil || got != 1 {
			t.Fatalf("got %d, %v", got, err)
		}
		log := logOf(t, app, run.ID())
		end := string(log[len(log)-1].Data)
		for _, want := range []string{`"skipped":["expensive"]`, `"unreached":[{"step":"waits","have":["step:begin"],"waiting":["never"]}]`} {
			if !strings.Contains(end, want) {
				t.Errorf("the end of the run is %s; it does not say %s", end, want)
			}
		}
	})
}

func TestPromise8_MistakesAreToldBeforeAnythingRuns(t *testing.T) {
	t.Parallel()
	placed, plased := flow.NewEvent[int]("order.placed"), flow.NewEvent[int]("order.plased")
	f := flow.New[int, int]("order")
	flow.Start(f, "place", func(_ context.Context, n int) (int, error) { return n, nil }, flow.Emits(placed))
	flow.On(f, "charge", plased, func(_ context.Context, n int) (int, error) { return n, nil })
	app, err := nvent.New(t.Context(), nvent.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeApp(t, app) })
	err = app.Add(f)
	if err == nil || !strings.Contains(err.Error(), `no step emits event "order.plased"; did you mean "order.placed"?`) {
		t.Errorf("got %v", err)
	}
}

// TestPromise9_CloseHandsBackWhatDoesNotEnd and promise 10: another instance goes on, and starting it touched nothing.
func TestPromise9_CloseHandsBackWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := memory.New(nil)
		instance := func(patience time.Duration, with bool) *nvent.App {
			f := flow.New[int, string]("patient")
			flow.Returns(f, flow.Start(f, "work", func(ctx context.Context, _ int) (string, error) {
				info, _ := flow.Info(ctx)
				select {
				case <-time.After(patience):
				case <-ctx.Done():
					return "", ctx.Err()
				}
				return fmt.Sprint("attempt ", info.Attempt), nil
			}))
			app, err := nvent.New(t.Context(), nvent.Config{Queue: nvent.QueueConfig{Driver: b.Queue()},
				Stream: nvent.StreamConfig{Driver: b.Stream()}, Store: nvent.StoreConfig{Driver: b.Store()}})
			if err == nil && with {
				err = app.Add(f)
			}
			if err == nil {
				err = app.Start(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			return app
		}
		first := instance(24*time.Hour, true)
		run, err := first.StartFlow(t.Context(), "patient", 1)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		before := 0
		if s, err := first.RunStatus(t.Context(), run.ID()); err == nil {
			before = s.Open
		}
		stranger := instance(0, false) // starts beside it, without the flow
		second := instance(time.Second, true)
		if s, err := second.RunStatus(t.Context(), run.ID()); err != nil || s.Status != flow.StatusRunning || s.Open != before {
			t.Errorf("starting an instance changed the run: %+v, %v", s, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		from := time.Now()
		if err := first.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("close: %v", err)
		}
		if took := time.Since(from); took > time.Minute {
			t.Errorf("close took %v", took)
		}
		got, err := nvent.RunOf[string](second, run.ID()).Wait(t.Context())
		if err != nil || got != "attempt 1" {
			t.Errorf("got %q, %v; handing back must not cost an attempt", got, err)
		}
		closeApp(t, second)
		closeApp(t, stranger)
	})
}

func TestPromise10_StartingAnInstanceTouchesNoRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &meter{}
		f := flow.New[int, int]("waiting")
		begin := flow.Start(f, "begin", func(_ context.Context, n int) (int, error) { return n, nil })
		flow.Returns(f, flow.On(f, "later", begin.Completed(), func(_ context.Context, n int) (int, error) { return n, nil }, flow.Delay(time.Hour)))
		app := fleetOf(t, 1, 4, m, func() []any { return []any{f} })[0]
		run, err := nvent.Start(t.Context(), app, f, 1)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		before, err := app.RunStatus(t.Context(), run.ID())
		if err != nil {
			t.Fatal(err)
		}
		commits := m.commits.Load()
		other, err := nvent.New(t.Context(), nvent.Config{Store: nvent.StoreConfig{Driver: m}})
		if err == nil {
			err = other.Start(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		after, err := app.RunStatus(t.Context(), run.ID())
		if err != nil || after.Version != before.Version || after.Status != before.Status || m.commits.Load() != commits {
			t.Errorf("an instance that started changed something: %+v, then %+v, %d commits, %v", before, after, m.commits.Load()-commits, err)
		}
		closeApp(t, other)
	})
}

func TestRetentionCountsFromTheEndOfTheRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := flow.New[int, int]("kept")
		begin := flow.Start(f, "begin", func(_ context.Context, n int) (int, error) { return n, nil })
		flow.Returns(f, flow.On(f, "later", begin.Completed(), func(_ context.Context, n int) (int, error) { return n, nil }, flow.Delay(72*time.Hour)))
		c := nvent.Config{}
		c.Store.Retention = nvent.RetentionConfig{EventTTL: 24 * time.Hour, MetadataTTL: 48 * time.Hour}
		app, err := nvent.New(t.Context(), c)
		if err == nil {
			err = app.Add(f)
		}
		if err == nil {
			err = app.Start(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		run, err := nvent.Start(t.Context(), app, f, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := run.Wait(t.Context()); err != nil || got != 1 { // it is older than any TTL by now
			t.Fatalf("got %d, %v", got, err)
		}
		time.Sleep(23 * time.Hour)
		if n := len(logOf(t, app, run.ID())); n == 0 {
			t.Error("the log is gone before its time")
		}
		time.Sleep(2 * time.Hour)
		var trimmed error
		for _, err := range run.Events(t.Context(), 0) {
			trimmed = err
		}
		if !errors.Is(trimmed, nvent.ErrTrimmed) {
			t.Errorf("reading a log that is gone: %v", trimmed)
		}
		if s, err := run.Status(t.Context()); err != nil || s.Status != flow.StatusCompleted {
			t.Errorf("metadata: %+v, %v", s, err)
		}
		time.Sleep(24 * time.Hour)
		if _, err := run.Status(t.Context()); !errors.Is(err, nvent.ErrNotFound) {
			t.Errorf("metadata that is gone: %v", err)
		}
		closeApp(t, app)
	})
}
