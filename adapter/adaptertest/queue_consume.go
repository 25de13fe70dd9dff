package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

func queueConsumeChecks() []queueCheck {
	return []queueCheck{
		{Name: "consume/each-job-once", run: consumeEachOnce},
		{Name: "consume/delivery-is-complete", run: consumeDelivery},
		{Name: "consume/own-queue-only", run: consumeOwnQueue},
		{Name: "consume/wakes-for-a-new-job", run: consumeWakes},
		{Name: "consume/handler-context", run: consumeContext},
		{Name: "consume/unsettled-is-released", run: consumeUnsettled},
	}
}

func consumeEachOnce(ctx context.Context, e *queueEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	var seen tally[adapter.Job]
	var consumers []*consumer
	for _, q := range []adapter.Queue{a, b, a, b} {
		c, err := consume(ctx, e, q, queue, 8, completing(e, q, &seen))
		if err != nil {
			return err
		}
		consumers = append(consumers, c)
	}
	jobs := newJobs(queue, 400)
	err = e.all(4, func(i int) error {
		for n := i * 100; n < (i+1)*100; n += 10 {
			if err := enqueue(ctx, []adapter.Queue{a, b}[i%2], jobs[n:n+10]...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = e.until(ctx, "all jobs were delivered", func() (bool, error) { return seen.len() >= len(jobs), nil })
	if err != nil {
		return fmt.Errorf("%w: %d of %d were", err, seen.len(), len(jobs))
	}
	if err := e.quiet(ctx); err != nil {
		return err
	}
	for _, c := range consumers {
		if err := c.stop(); err != nil {
			return err
		}
	}
	if err := sameSet("deliveries", idsOf(seen.list()), jobIDs(jobs)); err != nil {
		return err
	}
	for _, j := range seen.list() {
		if j.Delivery != 1 || j.Attempt != 0 {
			return fmt.Errorf("first delivery of a job: delivery %d, attempt %d", j.Delivery, j.Attempt)
		}
	}
	return nil
}

func consumeDelivery(ctx context.Context, e *queueEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	j := newJob(e.name())
	if err := enqueue(ctx, a, j); err != nil {
		return err
	}
	h, got := holding(e)
	if _, err := consume(ctx, e, a, j.Queue, 1, h); err != nil {
		return err
	}
	d, err := next(e, "the job", got)
	if err != nil {
		return err
	}
	seen, found, err := lookup(ctx, b, j.Queue, j.ID)
	if err != nil || !found {
		return fmt.Errorf("lookup: found %v, %w", found, errOr(err, "want true"))
	}
	for what, got := range map[string]adapter.Job{"delivery": d.mine.Job, "lookup from another instance": seen} {
		switch {
		case got.ID != j.ID || got.Queue != j.Queue:
			return fmt.Errorf("%s: job %s of %s, want %s of %s", what, got.ID, got.Queue, j.ID, j.Queue)
		case got.State != adapter.JobActive:
			return fmt.Errorf("%s: a job that runs is %s", what, got.State)
		case got.Delivery != 1 || got.Attempt != 0:
			return fmt.Errorf("%s: delivery %d, attempt %d, want 1 and 0", what, got.Delivery, got.Attempt)
		case got.StartedAt.IsZero() || got.CreatedAt.IsZero():
			return fmt.Errorf("%s: created at %v, started at %v", what, got.CreatedAt, got.StartedAt)
		case got.StartedAt.Before(got.CreatedAt.Add(-time.Second)):
			return fmt.Errorf("%s: started at %v, before it was created at %v", what, got.StartedAt, got.CreatedAt)
		}
	}
	if d.mine.Receipt == "" {
		return errors.New("delivery has no receipt")
	}
	return nil
}

func consumeOwnQueue(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	mine, other := newJob(e.name()), newJob(e.name())
	h, got := holding(e)
	if _, err := consume(ctx, e, q, mine.Queue, 10, h); err != nil {
		return err
	}
	if err := enqueue(ctx, q, other, mine); err != nil {
		return err
	}
	d, err := next(e, "the job", got)
	if err != nil {
		return err
	}
	if d.mine.ID != mine.ID {
		return errors.New("a job of another queue was delivered")
	}
	return none(ctx, e, "a job of another queue", got)
}

func consumeWakes(ctx context.Context, e *queueEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	h, got := holding(e)
	if _, err := consume(ctx, e, a, queue, 10, h); err != nil {
		return err
	}
	for _, q := range []adapter.Queue{a, b, a, b} {
		if err := e.quiet(ctx); err != nil { // the consumer has gone idle
			return err
		}
		j := newJob(queue)
		if err := enqueue(ctx, q, j); err != nil {
			return err
		}
		if _, err := next(e, "a job for an idle consumer", got); err != nil {
			return err
		}
	}
	return nil
}

type ctxKey struct{}

func consumeContext(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	j := newJob(e.name())
	if err := enqueue(ctx, q, j); err != nil {
		return err
	}
	h, got := holding(e)
	c, err := consume(context.WithValue(ctx, ctxKey{}, "value"), e, q, j.Queue, 1, h)
	if err != nil {
		return err
	}
	d, err := next(e, "the job", got)
	if err != nil {
		return err
	}
	if d.ctx.Value(ctxKey{}) != "value" {
		return errors.New("the handler's context lacks the values of consume's")
	}
	if err := d.ctx.Err(); err != nil {
		return fmt.Errorf("the handler's context has ended while it runs: %w", context.Cause(d.ctx))
	}
	if err := settle(ctx, q, &d.mine, adapter.Complete, nil); err != nil {
		return fmt.Errorf("complete: %w", err)
	}
	d.release()
	if err := e.signal("the handler's context ends when it returns", d.ctx.Done()); err != nil {
		return err
	}
	return c.stop()
}

func consumeUnsettled(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	j := newJob(e.name())
	j.Lease = time.Hour // it must come back at once
	if err := enqueue(ctx, q, j); err != nil {
		return err
	}
	h, got := holding(e)
	if _, err := consume(ctx, e, q, j.Queue, 1, h); err != nil {
		return err
	}
	for range 4 { // more often than Redeliver allows: it must not count
		d, err := next(e, "the job that was left unsettled", got)
		if err != nil {
			return err
		}
		if d.mine.Attempt != 0 {
			return fmt.Errorf("an unsettled return counted as an attempt: attempt %d", d.mine.Attempt)
		}
		d.release()
	}
	d, err := next(e, "the job that was left unsettled", got)
	if err != nil {
		return err
	}
	if err := settle(ctx, q, &d.mine, adapter.Complete, nil); err != nil {
		return fmt.Errorf("complete: %w", err)
	}
	d.release()
	_, err = untilState(ctx, e, q, j.Queue, j.ID, adapter.JobCompleted)
	return err
}
