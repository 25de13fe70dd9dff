package enginetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

// patient lets a step go on when it cannot read: a store that fails to read fails an attempt.
var patient = flow.Attempts(99, flow.Fixed(time.Second))

// groupScenario fans out into items that the flow does not know before, of which one fails, and collects them, twice nested.
func groupScenario() Scenario {
	outer, inner := flow.NewEvent[int]("outer"), flow.NewEvent[int]("inner")
	return Scenario{Name: "groups", Variants: someVariants(), Start: startedFlow("groups", 3), Flows: func() []any {
		f := flow.New[int, []int]("groups")
		flow.Start(f, "split", func(ctx context.Context, n int) (int, error) {
			return n, outer.EmitAll(ctx, upTo(n))
		}, flow.EmitsAll(outer))
		flow.On(f, "again", outer, func(ctx context.Context, n int) (int, error) {
			return n, inner.EmitAll(ctx, upTo(n))
		}, flow.EmitsAll(inner), flow.Parallel(2))
		work := flow.On(f, "work", inner, func(_ context.Context, n int) (int, error) {
			if n == 1 {
				return 0, errRefused
			}
			return 10 * n, nil
		})
		sum := flow.Collect(f, "sum", work.Completed(), func(_ context.Context, g flow.Group[int]) (int, error) {
			return total(g)
		}, flow.Partial(), patient)
		flow.Returns(f, flow.Collect(f, "all", sum.Completed(), func(_ context.Context, g flow.Group[int]) ([]int, error) {
			var all []int
			for n, err := range g.Values() {
				if err != nil {
					return nil, err
				}
				all = append(all, n)
			}
			return all, nil
		}, patient))
		return []any{f}
	}}
}

func upTo(n int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// total adds up a group, and 100 for each item that is missing.
func total(g flow.Group[int]) (int, error) {
	sum := 0
	for item, err := range g.Items() {
		if err != nil {
			return 0, err
		}
		for _, n := range item.Values {
			sum += n
		}
		if item.Missing != "" {
			sum += 100
		}
	}
	return sum, nil
}

// childScenario calls a flow that fails at first, passes its result on to another call, and launches a run for nobody.
func childScenario() Scenario {
	return Scenario{Name: "children", Variants: someVariants(), Start: startedFlow("children", 4), Flows: func() []any {
		child := flow.New[int, int]("child")
		flow.Returns(child, flow.Start(child, "twice", func(_ context.Context, n int) (int, error) {
			if n < 0 {
				return 0, errRefused
			}
			return 2 * n, nil
		}))
		f := flow.New[int, int]("children")
		begin := flow.Start(f, "begin", func(ctx context.Context, n int) (int, error) {
			return n, flow.Launch(ctx, child, 100)
		})
		same := flow.Call(f, "same", begin.Completed(), child, nil)
		bad := flow.Call(f, "bad", begin.Completed(), child, func(_ context.Context, n int) (int, error) { return -n, nil })
		flow.On(f, "excuse", bad.Failed(), func(_ context.Context, x flow.Failure) (string, error) { return x.Error, nil })
		flow.Returns(f, flow.Call(f, "mapped", same.Completed(), child, func(_ context.Context, n int) (int, error) { return n + 1, nil }))
		return []any{f, child}
	}}
}

// awaitScenario waits for a time, for an event that never comes, and between steps.
func awaitScenario() Scenario {
	never := flow.NewEvent[int]("never.comes")
	said := flow.NewEvent[int]("said")
	return Scenario{Name: "awaits", Variants: someVariants(), Start: startedFlow("awaits", 7), Flows: func() []any {
		f := flow.New[int, int]("awaits")
		begin := flow.Start(f, "begin", emitting(said), flow.Emits(said), flow.AwaitAfter(flow.ForTime(time.Second)))
		slow := flow.On(f, "slow", begin.Completed(), pass[int], flow.Delay(20*time.Second))
		asks := flow.On(f, "asks", slow.Completed(), func(ctx context.Context, n int) (int, error) {
			v, ok, err := flow.Awaited[int](ctx)
			if !ok {
				err = errors.Join(err, errors.New("nothing was awaited"))
			}
			return n + v, err
		}, flow.AwaitBefore(flow.OrContinue(flow.ForEvent(never).Matching("id", "input"), 10*time.Second, 35)), patient)
		heard := flow.On(f, "heard", begin.Completed(), pass[int], flow.AwaitBefore(flow.ForEvent(said)))
		gives := flow.On(f, "gives-up", begin.Completed(), pass[int], flow.AwaitBefore(flow.ForEvent(never).OrRetry(time.Second)),
			flow.Attempts(2, flow.Backoff{}))
		flow.On(f, "excuse", gives.Failed(), func(_ context.Context, x flow.Failure) (string, error) { return x.Error, nil })
		flow.Returns(f, flow.Join2(f, "both", asks.Completed(), heard.Completed(), func(_ context.Context, a, b int) (int, error) {
			return a + b, nil
		}))
		return []any{f}
	}}
}

// eventScenario waits for an event from outside, which is sent while the run goes, maybe before it waits.
func eventScenario() Scenario {
	paid := flow.NewEvent[map[string]int]("paid.outside")
	return Scenario{Name: "event", Start: startedFlow("event", 7), Flows: func() []any {
		f := flow.New[int, int]("event")
		begin := flow.Start(f, "begin", pass[int])
		flow.Returns(f, flow.On(f, "pay", begin.Completed(), func(ctx context.Context, n int) (int, error) {
			p, _, err := flow.Awaited[map[string]int](ctx)
			return n + p["amount"], err
		}, flow.AwaitBefore(flow.ForEvent(paid).Matching("order", "input")), patient))
		return []any{f}
	}, Act: func(ctx context.Context, app *nvent.App, _ string) error {
		_, err := app.SendEvent(ctx, "paid.outside", map[string]int{"order": 7, "amount": 5}, "once")
		return err
	}}
}

// restartFailedScenario fails, and is restarted where it failed with another input.
func restartFailedScenario() Scenario {
	return Scenario{Name: "restart-failed", Start: startedFlow("restart-failed", 1), Flows: func() []any {
		f := flow.New[int, int]("restart-failed")
		begin := flow.Start(f, "begin", pass[int])
		check := flow.On(f, "check", begin.Completed(), func(_ context.Context, n int) (int, error) {
			if n == 1 {
				return 0, errRefused
			}
			return n, nil
		})
		flow.Returns(f, flow.On(f, "end", check.Completed(), pass[int]))
		return []any{f}
	}, Act: func(ctx context.Context, app *nvent.App, run string) error {
		_, err := nvent.RunOf[int](app, run).Wait(ctx)
		if !errors.Is(err, nvent.ErrRunFailed) {
			return err // it has been restarted already
		}
		return app.RestartRun(ctx, run, nvent.FromFailureWith(2))
	}}
}

// pauseScenario is paused and resumed while it goes.
func pauseScenario() Scenario {
	return Scenario{Name: "pause", Start: startedFlow("pause", 1), Flows: slowFlow("pause", 2*time.Second, 3*time.Second),
		Act: func(ctx context.Context, app *nvent.App, run string) error {
			if err := app.PauseRun(ctx, run, "maintenance"); err != nil {
				return err
			}
			if err := pause(ctx, 10*time.Second); err != nil {
				return err
			}
			return app.ResumeRun(ctx, run)
		}, Accept: func(runs []RunLog) error {
			if len(runs) != 1 {
				return fmt.Errorf("there are %d runs", len(runs))
			}
			for _, step := range []string{"slow", "later"} {
				n := 0
				for _, r := range runs[0].Records {
					if r.Type == flow.RecordStepCompleted && r.Step == step {
						n++
					}
				}
				if n != 1 {
					return fmt.Errorf("step %q completed %d times", step, n)
				}
			}
			return nil // where starting takes long, the pause comes after the end
		}}
}
