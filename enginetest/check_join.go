package enginetest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nvent-go/nvent/flow"
)

func joinChecks() []Check {
	return []Check{
		{"join/all-waits-for-every-event", joinAll},
		{"join/any-fires-once", joinAny},
		{"join/n-of-fires-with-the-nth", joinNOf},
		{"join/left-partly-filled-is-listed", joinUnreached},
		{"join/of-many-branches-fires-once", joinMany},
	}
}

func joinAll(ctx context.Context, w *world) error {
	a, b := flow.NewEvent[string]("a"), flow.NewEvent[string]("b")
	gate := make(chan struct{})
	f := flow.New[string, string]("join-all")
	begin := flow.Start(f, "begin", pass[string])
	flow.On(f, "fast", begin.Completed(), emitting(a), flow.Emits(a))
	flow.On(f, "slow", begin.Completed(), func(ctx context.Context, s string) (string, error) {
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return s, b.Emit(ctx, s+"b")
	}, flow.Emits(b))
	flow.Returns(f, flow.Join2(f, "join", a, b, func(_ context.Context, a, b string) (string, error) { return a + "+" + b, nil }))
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	run, err := i.StartFlow(ctx, "join-all", "x")
	if err != nil {
		return err
	}
	if err := recorded(ctx, i.App, run.ID(), flow.RecordStepCompleted, "fast"); err != nil {
		return err
	}
	if err := pause(ctx, w.h.Quiet); err != nil {
		return err
	}
	close(gate)
	p, err := w.finish(ctx, i, run.ID())
	if err != nil {
		return err
	}
	join, err := p.record(flow.RecordStepCompleted, "join")
	if err != nil {
		return err
	}
	if len(join.Causes) != 2 {
		return fmt.Errorf("the join names %d causes, want 2", len(join.Causes))
	}
	return p.completed("x+xb")
}

func joinAny(ctx context.Context, w *world) error {
	a, b := flow.NewEvent[int]("a"), flow.NewEvent[int]("b")
	f := flow.New[int, int]("join-any")
	begin := flow.Start(f, "begin", emitting(a), flow.Emits(a))
	flow.On(f, "later", begin.Completed(), emitting(b), flow.Emits(b))
	flow.Returns(f, flow.JoinN(f, "join", 1, []flow.AnyEvent{a, b}, func(_ context.Context, in flow.Inputs) (int, error) {
		n, ok := a.From(in)
		if !ok {
			return 0, flow.Permanent(errors.New("the first event is missing"))
		}
		return n, nil
	}))
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	p, err := w.complete(ctx, i, "join-any", 5, 5)
	if err != nil {
		return err
	}
	if p.end.IgnoredCount != 1 || len(p.end.Ignored) != 1 || p.end.Ignored[0].Event != "b" {
		return fmt.Errorf("ignored emissions are %+v, want one of b", p.end.Ignored)
	}
	return errors.Join(p.counts(flow.RecordStepCompleted, "join", 1), p.counts(flow.RecordIgnored, "join", 1))
}

func joinNOf(ctx context.Context, w *world) error {
	events := []flow.AnyEvent{}
	f := flow.New[int, int]("join-n")
	begin := flow.Start(f, "begin", pass[int])
	for n := range 5 {
		e := flow.NewEvent[int](fmt.Sprintf("e%d", n))
		events = append(events, e)
		flow.On(f, fmt.Sprintf("branch-%d", n), begin.Completed(), emitting(e), flow.Emits(e))
	}
	flow.Returns(f, flow.JoinN(f, "join", 3, events, func(_ context.Context, in flow.Inputs) (int, error) {
		n := 0
		for _, s := range in.Slots() {
			if s.Filled {
				n++
			}
		}
		return n, nil
	}))
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	p, err := w.complete(ctx, i, "join-n", 1, 3)
	if err != nil {
		return err
	}
	return errors.Join(p.counts(flow.RecordStepCompleted, "join", 1), p.counts(flow.RecordIgnored, "join", 2))
}

func joinUnreached(ctx context.Context, w *world) error {
	a, b := flow.NewEvent[int]("a"), flow.NewEvent[int]("b")
	f := flow.New[int, int]("unreached")
	flow.Returns(f, flow.Start(f, "begin", emitting(a), flow.Emits(a, b)))
	flow.Join2(f, "join", a, b, func(context.Context, int, int) (int, error) { return 0, nil })
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	p, err := w.complete(ctx, i, "unreached", 5, 5)
	if err != nil {
		return err
	}
	u := p.end.Unreached
	if len(u) != 1 || u[0].Step != "join" || !slices.Equal(u[0].Have, []string{"a"}) || !slices.Equal(u[0].Waiting, []string{"b"}) {
		return fmt.Errorf("unreached joins are %+v, want join that has a and waits for b", u)
	}
	return nil
}

// joinMany lets many branches end at once, on two instances.
func joinMany(ctx context.Context, w *world) error {
	const n = 24
	build := func() *flow.Flow[int, int] {
		f := flow.New[int, int]("join-many")
		begin := flow.Start(f, "begin", pass[int])
		var events []flow.AnyEvent
		for k := range n {
			e := flow.NewEvent[int](fmt.Sprintf("e%d", k))
			events = append(events, e)
			flow.On(f, fmt.Sprintf("branch-%d", k), begin.Completed(), func(ctx context.Context, _ int) (int, error) {
				return k, e.Emit(ctx, k)
			}, flow.Emits(e))
		}
		flow.Returns(f, flow.JoinN(f, "join", n, events, func(_ context.Context, in flow.Inputs) (int, error) {
			sum := 0
			for k := range n {
				v, _ := flow.NewEvent[int](fmt.Sprintf("e%d", k)).From(in)
				sum += v
			}
			return sum, nil
		}))
		return f
	}
	i, err := w.start(ctx, build())
	if err != nil {
		return err
	}
	if _, err := w.start(ctx, build()); err != nil {
		return err
	}
	for range 5 {
		p, err := w.complete(ctx, i, "join-many", 1, n*(n-1)/2)
		if err != nil {
			return err
		}
		join, err := p.record(flow.RecordStepCompleted, "join")
		if err != nil {
			return err
		}
		if len(join.Causes) != n {
			return fmt.Errorf("the join names %d causes, want %d", len(join.Causes), n)
		}
		if err := p.counts(flow.RecordStepCompleted, "join", 1); err != nil {
			return err
		}
	}
	return nil
}
