package enginetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

func failureChecks() []Check {
	return []Check{
		{"failure/tried-again-until-it-succeeds", retriedUntilSuccess},
		{"failure/retry-waits-for-its-delay", retryWaits},
		{"failure/run-fails-when-attempts-run-out", attemptsRunOut},
		{"failure/permanent-error-is-not-tried-again", permanentError},
		{"failure/branch-handles-it", failureBranch},
		{"failure/policy-continue-lets-the-run-go-on", policyContinue},
		{"failure/failed-attempt-leaves-nothing", failedAttemptLeavesNothing},
		{"failure/timeout-ends-the-attempt", stepTimeout},
		{"failure/panic-is-a-failure", panicIsFailure},
		{"failure/drops-what-is-open", failureDropsOpen},
	}
}

var errRefused = errors.New("refused")

// failsUntil is a handler that fails until a given attempt.
func failsUntil(attempt int) func(context.Context, int) (int, error) {
	return func(ctx context.Context, n int) (int, error) {
		if info, _ := flow.Info(ctx); info.Attempt < attempt {
			return 0, errRefused
		}
		return n, nil
	}
}

// single starts an instance with a flow of one step.
func (w *world) single(ctx context.Context, name string, h func(context.Context, int) (int, error), o ...flow.Option) (*instance, error) {
	f := flow.New[int, int](name)
	flow.Returns(f, flow.Start(f, "work", h, o...))
	return w.start(ctx, f)
}

func retriedUntilSuccess(ctx context.Context, w *world) error {
	i, err := w.single(ctx, "flaky", failsUntil(4), flow.Attempts(4, flow.Fixed(time.Millisecond)))
	if err != nil {
		return err
	}
	p, err := w.complete(ctx, i, "flaky", 9, 9)
	if err != nil {
		return err
	}
	done, err := p.record(flow.RecordStepCompleted, "work")
	if err != nil || done.Attempt != 4 {
		return wrong(err, "completed at attempt %d, want 4", done.Attempt)
	}
	return p.counts(flow.RecordStepRetry, "work", 3)
}

func retryWaits(ctx context.Context, w *world) error {
	i, err := w.single(ctx, "waits", failsUntil(2), flow.Attempts(2, flow.Fixed(w.h.Lease)))
	if err != nil {
		return err
	}
	p, err := w.complete(ctx, i, "waits", 1, 1)
	if err != nil {
		return err
	}
	retry, err := p.record(flow.RecordStepRetry, "work")
	if err != nil {
		return err
	}
	done, err := p.record(flow.RecordStepCompleted, "work")
	if err != nil {
		return err
	}
	if d := done.At.Sub(retry.At); d < w.h.Lease*9/10 || d > w.h.Lease+w.h.Patience/2 {
		return fmt.Errorf("the second attempt ended %v after the first, with a delay of %v", d, w.h.Lease)
	}
	return nil
}

// fails plays a run that has to fail.
func (w *world) fails(ctx context.Context, i *instance, name, step, message string) (*played, error) {
	p, err := w.play(ctx, i, name, 1)
	switch {
	case err != nil:
		return nil, err
	case p.failed == nil || !errors.Is(p.failed, nvent.ErrRunFailed):
		return nil, fmt.Errorf("the run ended with %w; the log:\n%s", p.failed, Diff(nil, p.log))
	case p.end.Error == nil || p.end.Error.Step != step || !strings.Contains(p.end.Error.Error, message):
		return nil, fmt.Errorf("the run failed because of %+v, want step %q with %q", p.end.Error, step, message)
	}
	return p, nil
}

func attemptsRunOut(ctx context.Context, w *world) error {
	i, err := w.single(ctx, "broken", failsUntil(99), flow.Attempts(3, flow.Fixed(time.Millisecond)))
	if err != nil {
		return err
	}
	p, err := w.fails(ctx, i, "broken", "work", "refused")
	if err != nil {
		return err
	}
	s, err := i.RunStatus(ctx, p.id)
	if err != nil || s.Status != flow.StatusFailed || !strings.Contains(s.Error, "refused") {
		return wrong(err, "the run's status is %s with error %q", s.Status, s.Error)
	}
	return errors.Join(p.counts(flow.RecordStepRetry, "work", 2), p.counts(flow.RecordStepFailed, "work", 1))
}

func permanentError(ctx context.Context, w *world) error {
	i, err := w.single(ctx, "permanent", func(context.Context, int) (int, error) {
		return 0, flow.Permanent(errRefused)
	}, flow.Attempts(5, flow.Fixed(time.Millisecond)))
	if err != nil {
		return err
	}
	p, err := w.fails(ctx, i, "permanent", "work", "refused")
	if err != nil {
		return err
	}
	return p.counts(flow.RecordStepRetry, "work", 0)
}

func failureBranch(ctx context.Context, w *world) error {
	f := flow.New[int, string]("branch")
	pay := flow.Start(f, "pay", failsUntil(99))
	flow.On(f, "send", pay.Completed(), pass[int])
	flow.Returns(f, flow.On(f, "excuse", pay.Failed(), func(_ context.Context, x flow.Failure) (string, error) {
		return x.Step + ": " + x.Error, nil
	}))
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	p, err := w.complete(ctx, i, "branch", 1, "pay: refused")
	if err != nil {
		return err
	}
	return errors.Join(p.counts(flow.RecordStepFailed, "pay", 1), p.counts(flow.RecordStepCompleted, "send", 0))
}

func policyContinue(ctx context.Context, w *world) error {
	f := flow.New[int, int]("continue")
	begin := flow.Start(f, "begin", pass[int])
	optional := flow.On(f, "optional", begin.Completed(), failsUntil(99), flow.ContinueOnFailure())
	flow.On(f, "after", optional.Completed(), pass[int])
	flow.Returns(f, flow.On(f, "main", begin.Completed(), pass[int]))
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	p, err := w.complete(ctx, i, "continue", 3, 3)
	if err != nil {
		return err
	}
	if fmt.Sprint(p.end.Failed, p.end.Skipped) != "[optional] [after]" {
		return fmt.Errorf("failed %q, skipped %q, want optional and after", p.end.Failed, p.end.Skipped)
	}
	return nil
}

func failedAttemptLeavesNothing(ctx context.Context, w *world) error {
	e := flow.NewEvent[int]("e")
	f := flow.New[int, int]("nothing")
	flow.Start(f, "begin", func(ctx context.Context, n int) (int, error) {
		info, _ := flow.Info(ctx)
		if err := errors.Join(e.Emit(ctx, info.Attempt), flow.Set(ctx, "attempt", info.Attempt), flow.Add(ctx, "sum", 1)); err != nil {
			return 0, err
		}
		return failsUntil(3)(ctx, n)
	}, flow.Emits(e), flow.Attempts(3, flow.Backoff{}))
	flow.Returns(f, flow.On(f, "end", e, func(ctx context.Context, n int) (int, error) {
		attempt, _, err := flow.Get[int](ctx, "attempt")
		sum, _, err2 := flow.Get[int](ctx, "sum")
		return 100*n + 10*attempt + sum, errors.Join(err, err2)
	}, flow.Attempts(2, flow.Backoff{})))
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	p, err := w.complete(ctx, i, "nothing", 1, 331)
	if err != nil {
		return err
	}
	return errors.Join(p.counts(flow.RecordEmit, "begin", 1), p.counts(flow.RecordState, "begin", 2))
}

func stepTimeout(ctx context.Context, w *world) error {
	ended := make(chan error, 1)
	i, err := w.single(ctx, "timeout", func(ctx context.Context, n int) (int, error) {
		if info, _ := flow.Info(ctx); info.Attempt > 1 {
			return n, nil
		}
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return 0, ctx.Err()
	}, flow.Timeout(w.h.Quiet), flow.Attempts(2, flow.Backoff{}))
	if err != nil {
		return err
	}
	p, err := w.complete(ctx, i, "timeout", 1, 1)
	if err != nil {
		return err
	}
	if cause := <-ended; !errors.Is(cause, nvent.ErrTimeout) {
		return fmt.Errorf("the handler's context ended with %w", cause)
	}
	retry, err := p.record(flow.RecordStepRetry, "work")
	if err != nil || !strings.Contains(string(retry.Data), "timed out") {
		return wrong(err, "the attempt failed with %s", retry.Data)
	}
	return nil
}

func panicIsFailure(ctx context.Context, w *world) error {
	i, err := w.single(ctx, "panics", func(context.Context, int) (int, error) { panic("out of cheese") })
	if err != nil {
		return err
	}
	_, err = w.fails(ctx, i, "panics", "work", "out of cheese")
	return err
}

func failureDropsOpen(ctx context.Context, w *world) error {
	gate := make(chan struct{})
	f := flow.New[int, int]("drops")
	begin := flow.Start(f, "begin", pass[int])
	flow.On(f, "fails", begin.Completed(), func(ctx context.Context, _ int) (int, error) {
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return 0, errRefused
	})
	flow.On(f, "waits", begin.Completed(), failsUntil(2), flow.Attempts(2, flow.Fixed(10*time.Minute)))
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	run, err := i.StartFlow(ctx, "drops", 1)
	if err != nil {
		return err
	}
	if err := recorded(ctx, i.App, run.ID(), flow.RecordStepRetry, "waits"); err != nil {
		return err
	}
	close(gate)
	p, err := w.finish(ctx, i, run.ID())
	if err != nil {
		return err
	}
	if err := errors.Join(p.counts(flow.RecordFlowFailed, "fails", 1), p.counts(flow.RecordStepCompleted, "waits", 0)); err != nil {
		return err
	}
	return w.drained(ctx, w.h.Patience, func() ([]*instance, error) { return []*instance{i}, nil })
}
