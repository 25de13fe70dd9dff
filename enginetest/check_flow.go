package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

func flowChecks() []Check {
	return []Check{
		{"flow/steps-run-in-sequence", stepsInSequence},
		{"flow/every-subscriber-gets-the-event", everySubscriber},
		{"flow/each-runs-once-for-every-emission", eachEmission},
		{"flow/conditions-choose-branches", conditions},
		{"flow/values-arrive-as-they-were-sent", valuesKept},
		{"flow/large-payloads-arrive", largePayloads},
		{"flow/labels-find-runs", labelsFindRuns},
		{"flow/many-runs-at-once", manyRuns},
	}
}

func stepsInSequence(ctx context.Context, w *world) error {
	f := flow.New[int, int]("sequence")
	add := func(_ context.Context, n int) (int, error) { return n + 1, nil }
	one := flow.Start(f, "one", add)
	two := flow.On(f, "two", one.Completed(), add)
	flow.Returns(f, flow.On(f, "three", two.Completed(), add))
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	p, err := w.complete(ctx, i, "sequence", 1, 4)
	if err != nil {
		return err
	}
	want := []string{"flow.started 1", "step.completed one 2", "step.completed two 3", "step.completed three 4"}
	for n, r := range slices.Backward(newOrder(p.log)[:4]) {
		if r.label != want[n] {
			return fmt.Errorf("record %d says %q, want %q", n+1, r.label, want[n])
		}
	}
	if past := newOrder(p.log)[3].past; strings.Count(past, "←") != 3 {
		return fmt.Errorf("the third step does not go back to the start: %s", past)
	}
	return nil
}

func everySubscriber(ctx context.Context, w *world) error {
	e := flow.NewEvent[int]("it.happened")
	f := flow.New[int, struct{}]("fan-out")
	flow.Start(f, "begin", emitting(e), flow.Emits(e))
	for _, name := range []string{"a", "b", "c"} {
		flow.On(f, name, e, pass[int])
	}
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	p, err := w.complete(ctx, i, "fan-out", 7, nil)
	if err != nil {
		return err
	}
	for _, name := range []string{"a", "b", "c"} {
		if r, err := p.record(flow.RecordStepCompleted, name); err != nil || string(r.Data) != "7" {
			return wrong(err, "step %s got %s, want 7", name, r.Data)
		}
	}
	return p.counts(flow.RecordStepCompleted, "", 4)
}

func eachEmission(ctx context.Context, w *world) error {
	item := flow.NewEvent[int]("item")
	f := flow.New[int, int]("each")
	flow.Returns(f, flow.Start(f, "split", func(ctx context.Context, n int) (int, error) {
		var err error
		for i := range n {
			err = errors.Join(err, item.Emit(ctx, i))
		}
		return n, err
	}, flow.Emits(item)))
	flow.On(f, "work", item, pass[int], flow.Each())
	flow.On(f, "first", item, pass[int])
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	const n = 20
	p, err := w.complete(ctx, i, "each", n, n)
	if err != nil {
		return err
	}
	seen := map[string]int{}
	for _, r := range p.log {
		if r.Type == flow.RecordStepCompleted && r.Step == "work" {
			seen[string(r.Data)]++
		}
	}
	for i := range n {
		if key := fmt.Sprint(i); seen[key] != 1 {
			return fmt.Errorf("item %s was worked on %d times", key, seen[key])
		}
	}
	return errors.Join(p.counts(flow.RecordStepCompleted, "first", 1), p.counts(flow.RecordIgnored, "first", n-1))
}

func conditions(ctx context.Context, w *world) error {
	f := flow.New[int, int]("conditions")
	begin := flow.Start(f, "begin", pass[int])
	flow.On(f, "small", begin.Completed(), pass[int], flow.When("payload < 10"))
	big := flow.On(f, "big", begin.Completed(), func(_ context.Context, n int) (int, error) { return 2 * n, nil }, flow.When("payload >= 10"))
	flow.On(f, "after-small", flow.On(f, "check", begin.Completed(), pass[int], flow.When("payload < 0")).Completed(), pass[int])
	flow.Returns(f, big)
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	p, err := w.complete(ctx, i, "conditions", 10, 20)
	if err != nil {
		return err
	}
	slices.Sort(p.end.Skipped)
	if want := []string{"after-small", "check", "small"}; !slices.Equal(p.end.Skipped, want) {
		return fmt.Errorf("skipped steps are %q, want %q", p.end.Skipped, want)
	}
	return nil
}

func valuesKept(ctx context.Context, w *world) error {
	e := flow.NewEvent[json.RawMessage]("value")
	f := flow.New[json.RawMessage, json.RawMessage]("values")
	flow.Start(f, "begin", func(ctx context.Context, v json.RawMessage) (string, error) {
		return "", errors.Join(flow.Set(ctx, "value", v), e.Emit(ctx, v))
	}, flow.Emits(e))
	flow.Returns(f, flow.On(f, "end", e, func(ctx context.Context, v json.RawMessage) (json.RawMessage, error) {
		kept, _, err := flow.Get[json.RawMessage](ctx, "value")
		return fmt.Appendf(nil, `{"emitted":%s,"kept":%s}`, v, kept), err
	}, flow.Attempts(2, flow.Backoff{})))
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	for _, v := range []string{
		`null`, `true`, `""`, `"ünïcödé \u2028 \"quoted\" \\ 日本 🎉"`, `[]`, `{}`, `[null,[],{}]`,
		`12345678901234567890123456789`, `0.1000000000000000055511151231257827`, `-1.5e-7`, `1.0`,
		`{"b":1,"a":{"nested":[1,2,{"x":null}]},"":"empty key","a.b":"dot","a/b":"slash","$x":"dollar"}`,
	} {
		want := json.RawMessage(`{"emitted":` + v + `,"kept":` + v + `}`)
		if _, err := w.complete(ctx, i, "values", json.RawMessage(v), want); err != nil {
			return fmt.Errorf("value %s: %w", v, err)
		}
	}
	return nil
}

func largePayloads(ctx context.Context, w *world) error {
	a, b := flow.NewEvent[string]("a"), flow.NewEvent[string]("b")
	f := flow.New[int, int]("large")
	flow.Start(f, "begin", func(ctx context.Context, n int) (int, error) {
		return n, errors.Join(a.Emit(ctx, strings.Repeat("a", n)), b.Emit(ctx, strings.Repeat("b", n)))
	}, flow.Emits(a, b))
	flow.Returns(f, flow.Join2(f, "end", a, b, func(_ context.Context, a, b string) (int, error) { return len(a) + len(b), nil }))
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	const n = 600 << 10 // two are more than a job may carry
	_, err = w.complete(ctx, i, "large", n, 2*n)
	return err
}

func labelsFindRuns(ctx context.Context, w *world) error {
	f := flow.New[int, int]("labels")
	flow.Returns(f, flow.Start(f, "begin", pass[int]))
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	if _, err := w.complete(ctx, i, "labels", 1, 1); err != nil {
		return err
	}
	labels := map[string]string{"customer": "42", "region": "north west"}
	p, err := w.complete(ctx, i, "labels", 2, 2, nvent.WithRunLabels(labels))
	if err != nil {
		return err
	}
	other, err := w.start(ctx)
	if err != nil {
		return err
	}
	page, err := other.Runs(ctx, nvent.RunQuery{Label: "region=north west"})
	if err != nil {
		return err
	}
	if len(page.Items) != 1 || page.Items[0].RunID != p.id || page.Items[0].Labels["customer"] != "42" {
		return fmt.Errorf("by its label were found: %+v, want run %s", page.Items, p.id)
	}
	page, err = other.Runs(ctx, nvent.RunQuery{Flow: "labels", Status: flow.StatusCompleted})
	if err != nil || len(page.Items) != 2 {
		return wrong(err, "by flow and status were found %d runs, want 2", len(page.Items))
	}
	return nil
}

func manyRuns(ctx context.Context, w *world) error {
	var ran atomic.Int64
	f := flow.New[int, int]("many")
	begin := flow.Start(f, "begin", pass[int])
	flow.Returns(f, flow.On(f, "end", begin.Completed(), func(_ context.Context, n int) (int, error) {
		ran.Add(1)
		return 2 * n, nil
	}))
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	const n = 30
	done := make([]<-chan error, n)
	for k := range n {
		done[k] = w.task(func() error {
			_, err := w.complete(ctx, i, "many", k, 2*k)
			return err
		})
	}
	var errs []error
	for _, d := range done {
		errs = append(errs, <-d)
	}
	if ran.Load() != n {
		errs = append(errs, fmt.Errorf("the second step ran %d times for %d runs", ran.Load(), n))
	}
	return errors.Join(errs...)
}
