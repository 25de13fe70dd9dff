package nvent_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

func TestPausedFlowHoldsItsRunsOnAllInstances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &meter{}
		apps := fleetOf(t, 2, 4, m, func() []any {
			f := flow.New[int, int]("work")
			first := flow.Start(f, "first", func(ctx context.Context, n int) (int, error) {
				select {
				case <-time.After(time.Minute):
				case <-ctx.Done():
				}
				return n, ctx.Err()
			})
			flow.Returns(f, flow.On(f, "second", first.Completed(), func(_ context.Context, n int) (int, error) { return n + 1, nil }))
			return []any{f}
		})
		running, err := apps[0].StartFlow(t.Context(), "work", 1)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := apps[1].PauseFlow(t.Context(), "work", "deploy"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		later, err := apps[0].StartFlow(t.Context(), "work", 5)
		if err != nil {
			t.Fatal(err)
		}
		if err := apps[0].PauseRun(t.Context(), later.ID(), "by itself"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		for _, run := range []*nvent.Run[[]byte]{nvent.RunOf[[]byte](apps[0], running.ID()), nvent.RunOf[[]byte](apps[0], later.ID())} {
			s, err := run.Status(t.Context())
			if err != nil || s.Status != flow.StatusRunning || !s.Paused || s.CompletedSteps > 1 {
				t.Errorf("run is %+v, %v", s, err)
			}
		}
		if paused, why, err := apps[0].FlowPaused(t.Context(), "work"); !paused || why != "deploy" || err != nil {
			t.Errorf("flow paused: %v, %q, %v", paused, why, err)
		}
		if err := apps[0].ResumeFlow(t.Context(), "work"); err != nil {
			t.Fatal(err)
		}
		if got, err := running.Wait(t.Context()); err != nil || string(got) != "2" {
			t.Errorf("got %s, %v", got, err)
		}
		time.Sleep(time.Hour)
		if s, err := later.Status(t.Context()); err != nil || !s.Paused || s.CompletedSteps != 0 {
			t.Errorf("a run that is paused by itself goes on with its flow: %+v, %v", s, err)
		}
		if err := apps[1].ResumeRun(t.Context(), later.ID()); err != nil {
			t.Fatal(err)
		}
		if got, err := later.Wait(t.Context()); err != nil || string(got) != "6" {
			t.Errorf("got %s, %v", got, err)
		}
	})
}

func TestRestartFromFailureKeepsWhatSucceeded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ran []string
		f := flow.New[int, int]("work")
		first := flow.Start(f, "first", func(_ context.Context, n int) (int, error) {
			ran = append(ran, "first")
			return n, nil
		})
		flow.Returns(f, flow.On(f, "second", first.Completed(), func(ctx context.Context, n int) (int, error) {
			ran = append(ran, "second")
			memo, err := flow.Do(ctx, "charge", func(context.Context) (int, error) {
				ran = append(ran, "charge")
				return 7, nil
			})
			if n < 10 && err == nil {
				err = errors.New("too small")
			}
			return n + memo, err
		}))
		app := startedApp(t, f)
		run, err := nvent.Start(t.Context(), app, f, 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run.Wait(t.Context()); !errors.Is(err, nvent.ErrRunFailed) {
			t.Fatal(err)
		}
		if err := app.RestartRun(t.Context(), run.ID(), nvent.FromFailure()); err != nil {
			t.Fatal(err)
		}
		if _, err := run.Wait(t.Context()); !errors.Is(err, nvent.ErrRunFailed) {
			t.Fatal(err)
		}
		if err := app.RestartRun(t.Context(), run.ID(), nvent.FromFailureWith(20)); err != nil {
			t.Fatal(err)
		}
		if got, err := run.Wait(t.Context()); err != nil || got != 27 {
			t.Errorf("got %d, %v", got, err)
		}
		if want := []string{"first", "second", "charge", "second", "second"}; !slices.Equal(ran, want) {
			t.Errorf("ran %q, want %q", ran, want)
		}
		if err := app.RestartRun(t.Context(), run.ID(), nvent.FromFailure()); !errors.Is(err, nvent.ErrConflict) {
			t.Errorf("a run that completed is restarted where it failed: %v", err)
		}
	})
}

func TestEmitNowIsSeenWhileTheStepRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		progress := flow.NewEvent[int]("progress")
		var seen atomic.Int32
		f := flow.New[int, int]("work")
		flow.Returns(f, flow.Start(f, "long", func(ctx context.Context, n int) (int, error) {
			for i := range n {
				if err := progress.EmitNow(ctx, i); err != nil {
					return 0, err
				}
				time.Sleep(time.Second)
			}
			return int(seen.Load()), nil
		}, flow.Emits(progress)))
		flow.On(f, "watch", progress, func(context.Context, int) (struct{}, error) {
			seen.Add(1)
			return struct{}{}, nil
		}, flow.Each())
		app := startedApp(t, f)
		run, err := nvent.Start(t.Context(), app, f, 3)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := run.Wait(t.Context()); err != nil || got != 3 {
			t.Errorf("the step saw %d of its emissions handled, %v", got, err)
		}
	})
}

func TestRunTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := flow.New[int, int]("work", flow.RunTimeout(time.Hour))
		begin := flow.Start(f, "begin", func(_ context.Context, n int) (int, error) { return n, nil })
		flow.On(f, "later", begin.Completed(), func(_ context.Context, n int) (int, error) { return n, nil }, flow.Delay(2*time.Hour))
		app := startedApp(t, f)
		run, err := nvent.Start(t.Context(), app, f, 1)
		if err != nil {
			t.Fatal(err)
		}
		from := time.Now()
		_, err = run.Wait(t.Context())
		var failed *nvent.RunError
		if !errors.As(err, &failed) || failed.Summary.Error.Error != "run timed out after 1h0m0s" || time.Since(from) != time.Hour {
			t.Errorf("got %v after %v", err, time.Since(from))
		}
	})
}
