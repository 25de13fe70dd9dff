package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

func queueCancelChecks() []queueCheck {
	return []queueCheck{{Name: "cancel/every-call-returns-the-cause", run: func(ctx context.Context, e *queueEnv) error {
		q, err := e.open(ctx)
		if err != nil {
			return err
		}
		return everyCall(ctx, e, queueCalls(q, e.name()))
	}}}
}

func queueCloseChecks() []queueCheck {
	return []queueCheck{
		{Name: "close/every-call-returns-closed", run: queueClosed},
		{Name: "close/ends-consume-and-watch", run: queueCloseEnds},
		{Name: "close/leaks-nothing", run: queueLeaks},
	}
}

// calls are methods that must return an error, by name.
type calls = map[string]func(ctx context.Context) error

func queueCalls(q adapter.Queue, queue string) calls {
	return calls{
		"enqueue": func(ctx context.Context) error { _, err := q.Enqueue(ctx, newJob(queue)); return err },
		"settle": func(ctx context.Context) error {
			return errors.Join(q.Settle(ctx, adapter.Settlement{Queue: queue, ID: uuid(), Receipt: "x"})...)
		},
		"lookup": func(ctx context.Context) error { _, err := q.Lookup(ctx, queue, uuid()); return err },
		"list":   func(ctx context.Context) error { _, err := q.List(ctx, queue, adapter.JobQuery{}); return err },
		"apply": func(ctx context.Context) error {
			_, err := q.Apply(ctx, queue, adapter.ActionRemove, adapter.Selection{IDs: []string{uuid()}})
			return err
		},
		"stats":      func(ctx context.Context) error { _, err := q.Stats(ctx, queue); return err },
		"set paused": func(ctx context.Context) error { return q.SetPaused(ctx, queue, true) },
	}
}

// everyCall runs calls with a context that has ended.
func everyCall[A Driver](ctx context.Context, e *env[A], c calls) error {
	cause := errors.New("the caller has had enough")
	ended, cancel := context.WithCancelCause(ctx)
	cancel(cause)
	for _, name := range slices.Sorted(maps.Keys(c)) {
		done := e.start(func() error { return c[name](ended) })
		if err := e.ended(name, done); !errors.Is(err, cause) {
			return fmt.Errorf("%s with a context that has ended: %w, want its cause", name, errOr(err, "nil"))
		}
	}
	return nil
}

// closedTwice closes a and then runs calls, which must all return ErrClosed.
func closedTwice[A Driver](ctx context.Context, e *env[A], a A, c calls) error {
	for _, name := range []string{"close", "second close"} {
		if err := e.ended(name, e.start(a.Close)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c)) {
		done := e.start(func() error { return c[name](ctx) })
		if err := e.ended(name, done); !errors.Is(err, adapter.ErrClosed) {
			return fmt.Errorf("%s after close: %w, want ErrClosed", name, errOr(err, "nil"))
		}
	}
	return nil
}

func queueClosed(ctx context.Context, e *queueEnv) error {
	q, other, err := e.open2(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	c := queueCalls(q, queue)
	c["consume"] = func(ctx context.Context) error {
		o := adapter.ConsumeOptions{Concurrency: func() int { return 1 }}
		return q.Consume(ctx, queue, o, func(context.Context, *adapter.Delivery) {})
	}
	c["watch"] = func(ctx context.Context) error { return q.Watch(ctx, queue, nil, func(adapter.QueueEvent) {}) }
	if a := annotator(q); a != nil {
		c["annotate"] = func(ctx context.Context) error { return a.Annotate(ctx, queue, uuid(), "x", nil, "line") }
		c["job log"] = func(ctx context.Context) error { _, _, err := a.JobLog(ctx, queue, uuid(), 0, 1); return err }
	}
	if err := closedTwice(ctx, e, q, c); err != nil {
		return err
	}
	if err := enqueue(ctx, other, newJob(queue)); err != nil {
		return fmt.Errorf("closing one instance broke another: %w", err)
	}
	return nil
}

func queueCloseEnds(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	c, err := consume(ctx, e, q, e.name(), 1, func(context.Context, *adapter.Delivery) {})
	if err != nil {
		return err
	}
	watching, err := watch(ctx, e, q, e.name(), func(adapter.QueueEvent) {})
	if err != nil {
		return err
	}
	if err := q.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	for name, done := range map[string]<-chan error{"consume": c.done, "watch": watching} {
		if err := e.ended(name, done); !errors.Is(err, adapter.ErrClosed) {
			return fmt.Errorf("%s when the adapter is closed: %w, want ErrClosed", name, errOr(err, "nil"))
		}
	}
	return nil
}

func queueLeaks(ctx context.Context, e *queueEnv) error {
	return e.checkLeaks(ctx, func(ctx context.Context) error {
		q, err := e.open(ctx)
		if err != nil {
			return err
		}
		queue := e.name()
		var seen tally[adapter.Job]
		c, err := consume(ctx, e, q, queue, 2, completing(e, q, &seen))
		if err != nil {
			return err
		}
		if _, err := watch(ctx, e, q, queue, func(adapter.QueueEvent) {}); err != nil {
			return err
		}
		jobs := newJobs(queue, 5)
		jobs[4].RunAt = time.Now().Add(time.Hour)
		if err := enqueue(ctx, q, jobs...); err != nil {
			return err
		}
		if err := e.until(ctx, "jobs were done", func() (bool, error) { return seen.len() == 4, nil }); err != nil {
			return err
		}
		if err := c.stop(); err != nil {
			return err
		}
		return q.Close()
	})
}
