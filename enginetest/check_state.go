package enginetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/engine"
)

func stateChecks() []Check {
	return []Check{
		{"state/adds-of-parallel-steps-all-count", parallelAdds},
		{"state/value-expires", stateExpires},
		{"state/cleanup-never-keeps-it", cleanupCheck(engine.CleanupNever, true, true)},
		{"state/cleanup-immediate-deletes-it", cleanupCheck(engine.CleanupImmediate, false, false)},
		{"state/cleanup-on-complete-keeps-that-of-failures", cleanupCheck(engine.CleanupOnComplete, false, true)},
		{"state/cleanup-ttl-lets-it-expire", cleanupTTL},
	}
}

func parallelAdds(ctx context.Context, w *world) error {
	const n = 10
	build := func() *flow.Flow[int, int] {
		f := flow.New[int, int]("adds")
		begin := flow.Start(f, "begin", pass[int])
		events := make([]flow.AnyEvent, n)
		for k := range n {
			events[k] = flow.On(f, fmt.Sprintf("add-%d", k), begin.Completed(), func(ctx context.Context, _ int) (int, error) {
				return k, flow.Add(ctx, "sum", int64(k))
			}).Completed()
		}
		flow.Returns(f, flow.JoinN(f, "sum", n, events, func(ctx context.Context, _ flow.Inputs) (int, error) {
			sum, _, err := flow.Get[int](ctx, "sum")
			return sum, err
		}, flow.Attempts(2, flow.Backoff{})))
		return f
	}
	i, err := w.start(ctx, build())
	if err != nil {
		return err
	}
	if _, err := w.start(ctx, build()); err != nil {
		return err
	}
	_, err = w.complete(ctx, i, "adds", 1, n*(n-1)/2)
	return err
}

func stateExpires(ctx context.Context, w *world) error {
	f := flow.New[int, string]("expires")
	set := flow.Start(f, "set", func(ctx context.Context, n int) (int, error) {
		return n, errors.Join(flow.Set(ctx, "short", n, flow.TTL(2*w.h.Lease)), flow.Set(ctx, "long", n))
	})
	there := flow.On(f, "there", set.Completed(), func(ctx context.Context, _ int) (int, error) {
		short, _, err := flow.Get[int](ctx, "short")
		return short, err
	}, flow.Attempts(2, flow.Backoff{}))
	flow.Returns(f, flow.On(f, "gone", there.Completed(), func(ctx context.Context, n int) (string, error) {
		if _, there, err := flow.Get[int](ctx, "short"); err != nil || there {
			return "", errors.Join(err, errors.New("still there"))
		}
		long, _, err := flow.Get[int](ctx, "long")
		return fmt.Sprintf("%d, %d", n, long), err
	}, flow.Attempts(8, flow.Fixed(w.h.Lease))))
	i, err := w.start(ctx, f)
	if err != nil {
		return err
	}
	p, err := w.complete(ctx, i, "expires", 7, "7, 7")
	if err != nil {
		return err
	}
	if p.count(flow.RecordStepRetry, "gone") == 0 {
		return errors.New("the value was gone before its time")
	}
	return nil
}

// cleanupCheck looks at what is left of the state of a run that has completed, and of one that has failed.
func cleanupCheck(strategy string, completed, failed bool) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		i, err := w.cleaning(ctx, strategy, 0)
		if err != nil {
			return err
		}
		for in, kept := range map[int]bool{1: completed, -1: failed} {
			p, err := w.play(ctx, i, "state", in)
			if err != nil {
				return err
			}
			there, err := stateOf(ctx, i, p.id)
			if err != nil {
				return err
			}
			if there != kept {
				return fmt.Errorf("after a run that has %s the state is there: %v, want %v", p.log[len(p.log)-1].Type, there, kept)
			}
		}
		return nil
	}
}

func cleanupTTL(ctx context.Context, w *world) error {
	ttl := max(2*w.h.Lease, time.Second)
	i, err := w.cleaning(ctx, engine.CleanupTTL, ttl)
	if err != nil {
		return err
	}
	p, err := w.play(ctx, i, "state", 1)
	if err != nil {
		return err
	}
	if there, err := stateOf(ctx, i, p.id); err != nil || !there {
		return wrong(err, "right after the end the state is there: %v, want true", there)
	}
	return w.until(ctx, "the state has expired", func() (bool, error) {
		there, err := stateOf(ctx, i, p.id)
		return !there, err
	})
}

// cleaning starts an instance whose flow sets state in one step and, given a negative number, fails in the next.
func (w *world) cleaning(ctx context.Context, strategy string, ttl time.Duration) (*instance, error) {
	f := flow.New[int, int]("state")
	set := flow.Start(f, "set", func(ctx context.Context, n int) (int, error) { return n, flow.Set(ctx, "key", n) })
	flow.Returns(f, flow.On(f, "end", set.Completed(), func(ctx context.Context, n int) (int, error) {
		if n < 0 {
			return 0, errRefused
		}
		return n, flow.Set(ctx, "last", n)
	}))
	return w.open(ctx, setup{start: true, defs: []any{f}, config: func(c *nvent.Config) {
		c.Store.State.Cleanup = nvent.CleanupConfig{Strategy: strategy, TTL: ttl}
	}})
}

// stateOf reports whether the state documents of a run are there: all that it has set, or none.
func stateOf(ctx context.Context, i *instance, run string) (bool, error) {
	docs, err := i.trio.Store.Get(ctx, engine.CollectionData, run+"/key", run+"/last")
	if err != nil {
		return false, err
	}
	return len(docs) > 0, nil
}
