package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// externalScenario has a step that a foreign worker runs: one that knows nothing of nvent.
func externalScenario() Scenario {
	return Scenario{Name: "external", Start: startedFlow("external", 20), Flows: func() []any {
		f := flow.New[int, int]("external")
		begin := flow.Start(f, "begin", pass[int])
		there := flow.On[int, int](f, "there", begin.Completed(), nil, flow.External(), flow.Queue("foreign"))
		flow.Returns(f, flow.On(f, "back", there.Completed(), func(_ context.Context, n int) (int, error) { return n + 1, nil }))
		return []any{f}
	}, Foreign: func(ctx context.Context, q adapter.Queue) error {
		return foreignWorker(ctx, q, "foreign", func(_ *adapter.Delivery, in json.RawMessage) adapter.Settlement {
			var n int
			if err := json.Unmarshal(in, &n); err != nil {
				return adapter.Settlement{Verdict: adapter.Fail, Err: err.Error()}
			}
			return adapter.Settlement{Verdict: adapter.Complete, Result: fmt.Append(nil, 2*n)}
		})
	}}
}

// foreignWorker consumes a queue as a worker does that knows the layout of the jobs and nothing else of nvent.
func foreignWorker(ctx context.Context, q adapter.Queue, queue string,
	do func(d *adapter.Delivery, in json.RawMessage) adapter.Settlement) error {
	err := q.Consume(ctx, queue, adapter.ConsumeOptions{Consumer: "foreign", Concurrency: func() int { return 1 }},
		func(ctx context.Context, d *adapter.Delivery) {
			var job struct{ Input json.RawMessage }
			s := adapter.Settlement{Verdict: adapter.Fail, Err: "job has no input"}
			if json.Unmarshal(d.Data, &job) == nil && job.Input != nil {
				s = do(d, job.Input)
			}
			s.Queue, s.ID, s.Receipt = d.Queue, d.ID, d.Receipt
			_ = q.Settle(context.WithoutCancel(ctx), s) // not settled is delivered again
		})
	if ctx.Err() == nil && !errors.Is(err, adapter.ErrClosed) {
		return err
	}
	return nil
}

// hold blocks until the context of the handler ends.
func hold(ctx context.Context, _ int) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// recorded waits until the log of a run has a record.
func recorded(ctx context.Context, app *nvent.App, run, typ, step string) error {
	for r, err := range app.RunEvents(ctx, run, 0) {
		if err != nil {
			return err
		}
		if r.Type == typ && r.Step == step {
			return nil
		}
	}
	return nil // it has ended: whatever is to be done now comes too late, or has been done
}

// cancelScenario cancels a run while one step runs and another waits for its next attempt.
func cancelScenario() Scenario {
	return Scenario{Name: "cancel", Takes: time.Hour, Start: startedFlow("cancel", 1), Flows: func() []any {
		f := flow.New[int, int]("cancel")
		begin := flow.Start(f, "begin", pass[int])
		flow.On(f, "runs", begin.Completed(), hold)
		flow.On(f, "waits", begin.Completed(), func(context.Context, int) (int, error) {
			return 0, errors.New("not yet")
		}, flow.Attempts(2, flow.Fixed(time.Hour)))
		flow.Returns(f, flow.On(f, "never", begin.Completed(), pass[int], flow.When("payload > 1")))
		return []any{f}
	}, Act: func(ctx context.Context, app *nvent.App, run string) error {
		if err := recorded(ctx, app, run, flow.RecordStepStarted, "runs"); err != nil {
			return err
		}
		return app.CancelRun(ctx, run, "enough")
	}}
}

// restartScenario runs a run again that has failed.
func restartScenario() Scenario {
	return Scenario{Name: "restart", Start: startedFlow("restart", 1), Flows: func() []any {
		f := flow.New[int, int]("restart")
		begin := flow.Start(f, "begin", func(ctx context.Context, n int) (int, error) { return n, flow.Set(ctx, "n", n) })
		flow.Returns(f, flow.On(f, "end", begin.Completed(), func(ctx context.Context, n int) (int, error) {
			if info, _ := flow.Info(ctx); info.Epoch == 1 {
				return 0, flow.Permanent(errors.New("not in this life"))
			}
			return n, nil
		}))
		return []any{f}
	}, Act: func(ctx context.Context, app *nvent.App, run string) error {
		var how *nvent.RunError
		if _, err := nvent.RunOf[int](app, run).Wait(ctx); err != nil && !errors.As(err, &how) {
			return err
		}
		return restartOnce(ctx, app, run)
	}}
}

// restartOnce restarts a run that is in its first epoch.
func restartOnce(ctx context.Context, app *nvent.App, run string) error {
	s, err := app.RunStatus(ctx, run)
	if err != nil || s.Epoch > 1 {
		return err
	}
	return app.RestartRun(ctx, run)
}

// restartRunningScenario restarts a run while a step runs, which is fenced.
func restartRunningScenario() Scenario {
	return Scenario{Name: "restart-running", Start: startedFlow("restart-running", 1), Flows: func() []any {
		f := flow.New[int, int]("restart-running")
		begin := flow.Start(f, "begin", pass[int])
		flow.Returns(f, flow.On(f, "end", begin.Completed(), func(ctx context.Context, n int) (int, error) {
			if info, _ := flow.Info(ctx); info.Epoch == 1 {
				return hold(ctx, n)
			}
			return n, nil
		}))
		return []any{f}
	}, Act: func(ctx context.Context, app *nvent.App, run string) error {
		if err := recorded(ctx, app, run, flow.RecordStepStarted, "end"); err != nil {
			return err
		}
		return restartOnce(ctx, app, run)
	}}
}
