package enginetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

func controlChecks() []Check {
	return []Check{
		{"control/cancel-reaches-a-handler-elsewhere", cancelElsewhere},
		{"control/cancel-refuses-late-outcomes", cancelRefusesLate},
		{"control/cancel-drops-waiting-jobs", cancelDropsJobs},
		{"control/restart-runs-again-in-a-new-epoch", restartAgain},
		{"control/restart-fences-what-runs", restartFences},
		{"control/start-key-starts-one-run", startKey},
	}
}

// holding is a handler that says that it runs, and blocks until its context ends, or release is closed.
func holding(running chan<- struct{}, release <-chan struct{}) func(context.Context, int) (int, error) {
	return func(ctx context.Context, n int) (int, error) {
		running <- struct{}{}
		select {
		case <-release:
			return n, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

func cancelElsewhere(ctx context.Context, w *world) error {
	running, ended := make(chan struct{}, 9), make(chan error, 9)
	i, err := w.single(ctx, "cancel", func(ctx context.Context, _ int) (int, error) {
		running <- struct{}{}
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return 0, ctx.Err()
	}, flow.Timeout(time.Hour))
	if err != nil {
		return err
	}
	run, err := i.StartFlow(ctx, "cancel", 1)
	if err != nil {
		return err
	}
	if err := w.signal(ctx, "the handler runs", running); err != nil {
		return err
	}
	other, err := w.start(ctx)
	if err != nil {
		return err
	}
	if err := other.CancelRun(ctx, run.ID(), "changed our minds"); err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	p, err := w.finish(ctx, other, run.ID())
	if err != nil {
		return err
	}
	if p.failed == nil || !errors.Is(p.failed, nvent.ErrRunCanceled) || p.end.Reason != "changed our minds" {
		return fmt.Errorf("the run ended with %w, reason %q", p.failed, p.end.Reason)
	}
	t := time.NewTimer(w.h.Patience)
	defer t.Stop()
	select {
	case cause := <-ended:
		if !errors.Is(cause, nvent.ErrCanceled) {
			return fmt.Errorf("the handler's context ended with %w, want ErrCanceled", cause)
		}
	case <-t.C:
		return fmt.Errorf("the handler was not told within %v", w.h.Patience)
	}
	return p.counts(flow.RecordStepFailed, "", 0)
}

func cancelRefusesLate(ctx context.Context, w *world) error {
	running, release := make(chan struct{}, 9), make(chan struct{})
	e := flow.NewEvent[int]("e")
	f := flow.New[int, int]("late")
	flow.Start(f, "stubborn", func(ctx context.Context, n int) (int, error) {
		running <- struct{}{}
		select {
		case <-release:
		case <-w.over:
		}
		return n, e.Emit(ctx, n)
	}, flow.Emits(e), flow.Timeout(time.Hour))
	flow.Returns(f, flow.On(f, "after", e, pass[int]))
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	run, err := i.StartFlow(ctx, "late", 1)
	if err != nil {
		return err
	}
	if err := w.signal(ctx, "the handler runs", running); err != nil {
		return err
	}
	if err := run.Cancel(ctx, "too slow"); err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	close(release)
	if err := pause(ctx, w.h.Quiet); err != nil {
		return err
	}
	p, err := w.finish(ctx, i, run.ID())
	if err != nil {
		return err
	}
	return errors.Join(p.counts(flow.RecordStepCompleted, "", 0), p.counts(flow.RecordEmit, "", 0), p.counts(flow.RecordFlowCanceled, "", 1))
}

func cancelDropsJobs(ctx context.Context, w *world) error {
	i, err := w.single(ctx, "waits", failsUntil(2), flow.Attempts(2, flow.Fixed(2*time.Hour)))
	if err != nil {
		return err
	}
	run, err := i.StartFlow(ctx, "waits", 1)
	if err != nil {
		return err
	}
	if err := recorded(ctx, i.App, run.ID(), flow.RecordStepRetry, "work"); err != nil {
		return err
	}
	if err := run.Cancel(ctx, "enough"); err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	return w.drained(ctx, w.h.Patience, func() ([]*instance, error) { return []*instance{i}, nil })
}

func restartAgain(ctx context.Context, w *world) error {
	var keys [3]atomic.Value
	i, err := w.single(ctx, "restart", func(ctx context.Context, _ int) (int, error) {
		info, _ := flow.Info(ctx)
		keys[info.Epoch].Store(info.Key)
		before, _, err := flow.Get[int](ctx, "epoch")
		return 10*info.Epoch + before, errors.Join(err, flow.Set(ctx, "epoch", info.Epoch))
	})
	if err != nil {
		return err
	}
	p, err := w.complete(ctx, i, "restart", 1, 10)
	if err != nil {
		return err
	}
	if err := i.RestartRun(ctx, p.id); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	if p, err = w.finish(ctx, i, p.id); err != nil {
		return err
	}
	if err := p.completed(20); err != nil { // and state of the earlier epoch is gone
		return err
	}
	if a, b := keys[1].Load(), keys[2].Load(); a == nil || a != b {
		return fmt.Errorf("the idempotency key was %v, and after the restart %v", a, b)
	}
	s, err := i.RunStatus(ctx, p.id)
	if err != nil || s.Epoch != 2 || s.Status != flow.StatusCompleted {
		return wrong(err, "the run is %s in epoch %d", s.Status, s.Epoch)
	}
	return p.counts(flow.RecordFlowCompleted, "", 2)
}

func restartFences(ctx context.Context, w *world) error {
	running := make(chan struct{}, 9)
	i, err := w.single(ctx, "fences", func(ctx context.Context, _ int) (int, error) {
		info, _ := flow.Info(ctx)
		if info.Epoch == 1 {
			running <- struct{}{}
			<-ctx.Done() // and then claims to have succeeded
		}
		return info.Epoch, nil
	}, flow.Timeout(time.Hour))
	if err != nil {
		return err
	}
	run, err := i.StartFlow(ctx, "fences", 1)
	if err != nil {
		return err
	}
	if err := w.signal(ctx, "the handler runs", running); err != nil {
		return err
	}
	if err := i.RestartRun(ctx, run.ID()); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	p, err := w.finish(ctx, i, run.ID())
	if err != nil {
		return err
	}
	return errors.Join(p.completed(2), p.counts(flow.RecordStepCompleted, "work", 1))
}

// startKey starts under one key from two instances at once.
func startKey(ctx context.Context, w *world) error {
	var ran atomic.Int64
	work := func(context.Context, int) (int, error) { return int(ran.Add(1)), nil }
	a, err := w.single(ctx, "key", work)
	if err != nil {
		return err
	}
	b, err := w.single(ctx, "key", work)
	if err != nil {
		return err
	}
	const n = 16
	ids, fresh := make([]string, n), atomic.Int64{}
	done := make([]<-chan error, n)
	for k := range n {
		done[k] = w.task(func() error {
			i := []*instance{a, b}[k%2]
			run, err := i.StartFlow(ctx, "key", k, nvent.WithKey("order 42"))
			if err != nil {
				return err
			}
			ids[k] = run.ID()
			if !run.Existing() {
				fresh.Add(1)
			}
			return nil
		})
	}
	for _, d := range done {
		if err := <-d; err != nil {
			return fmt.Errorf("start: %w", err)
		}
	}
	for _, id := range ids {
		if id != ids[0] {
			return fmt.Errorf("one key has the runs %s and %s", ids[0], id)
		}
	}
	if fresh.Load() != 1 {
		return fmt.Errorf("%d starts say that they have started the run, want 1", fresh.Load())
	}
	p, err := w.finish(ctx, b, ids[0])
	if err != nil {
		return err
	}
	if err := p.completed(1); err != nil {
		return err
	}
	page, err := a.Runs(ctx, nvent.RunQuery{Flow: "key"})
	if err != nil || len(page.Items) != 1 {
		return wrong(err, "there are %d runs, want 1", len(page.Items))
	}
	return nil
}
