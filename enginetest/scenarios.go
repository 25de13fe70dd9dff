package enginetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

// Scenarios returns scenarios of what flows are made of, for [TestCrashes].
func Scenarios() []Scenario {
	return []Scenario{
		fanInScenario(), failureScenario(), repeatScenario(), raceScenario(), patienceScenario(), longScenario(),
		externalScenario(), cancelScenario(), restartScenario(), restartRunningScenario(),
		groupScenario(), childScenario(), awaitScenario(), eventScenario(), restartFailedScenario(), pauseScenario(),
	}
}

// startedFlow returns a Start that starts a flow under a key.
func startedFlow(name string, in any) func(context.Context, *nvent.App) (string, error) {
	return func(ctx context.Context, app *nvent.App) (string, error) {
		run, err := app.StartFlow(ctx, name, in, nvent.WithKey("1"))
		if err != nil {
			return "", err
		}
		return run.ID(), nil
	}
}

// pass is a handler that returns what it gets.
func pass[T any](_ context.Context, v T) (T, error) { return v, nil }

// emitting is a handler that emits what it gets.
func emitting[T any](e *flow.Event[T]) func(context.Context, T) (T, error) {
	return func(ctx context.Context, v T) (T, error) { return v, e.Emit(ctx, v) }
}

// fanInScenario fans out to two steps and brings them together in a join, with state and log lines.
func fanInScenario() Scenario {
	placed, charged, packed := flow.NewEvent[int]("placed"), flow.NewEvent[string]("charged"), flow.NewEvent[int]("packed")
	return Scenario{Name: "fan-in", Start: startedFlow("fan-in", 21), Flows: func() []any {
		f := flow.New[int, string]("fan-in")
		flow.Start(f, "place", func(ctx context.Context, n int) (int, error) {
			return n, errors.Join(flow.Set(ctx, "order", n), flow.Add(ctx, "steps", 1), placed.Emit(ctx, n))
		}, flow.Emits(placed))
		flow.On(f, "charge", placed, func(ctx context.Context, _ int) (struct{}, error) {
			flow.Logger(ctx).Info("charging")
			return struct{}{}, errors.Join(flow.Add(ctx, "steps", 1), charged.Emit(ctx, "receipt"))
		}, flow.Emits(charged))
		flow.On(f, "pack", placed, func(ctx context.Context, n int) (struct{}, error) {
			return struct{}{}, errors.Join(flow.Add(ctx, "steps", 1), packed.Emit(ctx, 2*n))
		}, flow.Emits(packed))
		flow.Returns(f, flow.Join2(f, "ship", charged, packed, func(ctx context.Context, r string, p int) (string, error) {
			steps, _, err := flow.Get[int](ctx, "steps")
			return fmt.Sprintf("%s/%d after %d steps", r, p, steps), err
		}, patient))
		return []any{f}
	}}
}

// failureScenario fails in every way: tried again, handled, tolerated, and with branches that are never taken.
func failureScenario() Scenario {
	never := flow.NewEvent[int]("never")
	refused := errors.New("refused")
	return Scenario{Name: "failures", Start: startedFlow("failures", 1), Flows: func() []any {
		f := flow.New[int, int]("failures")
		begin := flow.Start(f, "begin", pass[int], flow.Emits(never))
		flaky := flow.On(f, "flaky", begin.Completed(), func(ctx context.Context, n int) (int, error) {
			if info, _ := flow.Info(ctx); info.Attempt < 3 {
				return 0, refused
			}
			return n + 1, nil
		}, flow.Attempts(3, flow.Fixed(10*time.Millisecond)))
		broken := flow.On(f, "broken", begin.Completed(), func(context.Context, int) (int, error) {
			return 0, flow.Permanent(refused)
		}, flow.Attempts(5, flow.Fixed(time.Hour)))
		flow.On(f, "excuse", broken.Failed(), func(_ context.Context, x flow.Failure) (string, error) { return x.Error, nil })
		flow.On(f, "optional", begin.Completed(), func(context.Context, int) (int, error) { return 0, refused }, flow.ContinueOnFailure())
		flow.On(f, "expensive", begin.Completed(), pass[int], flow.When("payload > 1"))
		flow.Join2(f, "waits", flaky.Completed(), never, func(context.Context, int, int) (int, error) { return 0, nil })
		flow.Returns(f, flaky)
		return []any{f}
	}}
}

// repeatScenario repeats an event, and joins two of three whose third comes too late.
func repeatScenario() Scenario {
	item, a, b, c := flow.NewEvent[int]("item"), flow.NewEvent[int]("a"), flow.NewEvent[int]("b"), flow.NewEvent[int]("c")
	return Scenario{Name: "repeat", Start: startedFlow("repeat", 3), Flows: func() []any {
		f := flow.New[int, int]("repeat")
		split := flow.Start(f, "split", func(ctx context.Context, n int) (int, error) {
			var err error
			for i := range n {
				err = errors.Join(err, item.Emit(ctx, i))
			}
			return n, errors.Join(err, a.Emit(ctx, 1), b.Emit(ctx, 2))
		}, flow.Emits(item, a, b))
		flow.On(f, "work", item, pass[int], flow.Each())
		flow.On(f, "first", item, pass[int])
		flow.On(f, "late", split.Completed(), emitting(c), flow.Emits(c))
		flow.Returns(f, flow.JoinN(f, "two", 2, []flow.AnyEvent{a, b, c}, func(_ context.Context, in flow.Inputs) (int, error) {
			x, _ := a.From(in)
			y, _ := b.From(in)
			return x + y, nil
		}))
		return []any{f}
	}}
}

// raceScenario lets two steps race for a join of any. Whichever wins, it wins once.
func raceScenario() Scenario {
	a, b := flow.NewEvent[string]("a"), flow.NewEvent[string]("b")
	return Scenario{Name: "race", Start: startedFlow("race", "x"), Flows: func() []any {
		f := flow.New[string, int]("race")
		begin := flow.Start(f, "begin", pass[string])
		flow.On(f, "runs", begin.Completed(), emitting(a), flow.Emits(a))
		flow.On(f, "hurries", begin.Completed(), emitting(b), flow.Emits(b))
		flow.Returns(f, flow.JoinN(f, "wins", 1, []flow.AnyEvent{a, b}, func(_ context.Context, in flow.Inputs) (int, error) {
			n := 0
			for _, s := range in.Slots() {
				if s.Filled {
					n++
				}
			}
			return n, nil
		}))
		return []any{f}
	}, Accept: func(runs []RunLog) error {
		if len(runs) != 1 {
			return fmt.Errorf("there are %d runs", len(runs))
		}
		count := map[string]int{}
		for _, r := range runs[0].Records {
			count[r.Type+" "+r.Step]++
			if r.Type == flow.RecordStepCompleted && r.Step == "wins" && string(r.Data) != "1" {
				return fmt.Errorf("the join ran with %s events", r.Data)
			}
		}
		for _, what := range []string{"step.completed runs", "step.completed hurries", "step.completed wins", "emit.ignored wins"} {
			if count[what] != 1 {
				return fmt.Errorf("%d records %s", count[what], what)
			}
		}
		return nil
	}}
}

// patienceScenario takes so long that the reconciler looks after the run, and after the handlers that run.
func patienceScenario() Scenario {
	return Scenario{Name: "patience", Start: startedFlow("patience", 1), Flows: slowFlow("patience", 12*time.Second, time.Second)}
}

// longScenario takes so long that all that an engine does from time to time comes to pass.
func longScenario() Scenario {
	return Scenario{Name: "long", Takes: 70 * time.Second, Start: startedFlow("long", 1), Flows: slowFlow("long", 0, 70*time.Second),
		Variants: []Variant{{Name: "shared", Modes: []Mode{FailBefore, CutBefore}}}}
}

// slowFlow is a flow with a step that takes its time and one that has to wait for its second attempt.
func slowFlow(name string, run, wait time.Duration) func() []any {
	return func() []any {
		f := flow.New[int, int](name)
		slow := flow.Start(f, "slow", func(ctx context.Context, n int) (int, error) { return n, pause(ctx, run) })
		flow.Returns(f, flow.On(f, "later", slow.Completed(), func(ctx context.Context, n int) (int, error) {
			if info, _ := flow.Info(ctx); info.Attempt == 1 {
				return 0, flow.RetryAfter(errors.New("not yet"), wait)
			}
			return n, nil
		}, flow.Attempts(2, flow.Backoff{})))
		return []any{f}
	}
}
