package adaptertest

import (
	"context"
	"errors"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
)

func queueDrainChecks() []queueCheck {
	return []queueCheck{
		{Name: "drain/waits-for-handlers", run: drainWaits},
		{Name: "drain/takes-nothing-more", run: drainTakesNothing},
		{Name: "drain/ended-context-returns-nil", run: drainEnded},
	}
}

func drainWaits(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	j := newJob(e.name())
	j.Lease = e.h.Lease
	if err := enqueue(ctx, q, j); err != nil {
		return err
	}
	h, got := holding(e)
	c, err := consume(ctx, e, q, j.Queue, 1, h)
	if err != nil {
		return err
	}
	d, err := next(e, "the job", got)
	if err != nil {
		return err
	}
	c.cancel()
	if err := e.sleep(ctx, 3*e.h.Lease); err != nil { // the lease must be renewed all the same
		return err
	}
	select {
	case err := <-c.done:
		return fmt.Errorf("consume returned while a handler runs: %w", errOr(err, "nil"))
	default:
	}
	if d.ctx.Err() != nil {
		return fmt.Errorf("the handler's context ended with consume's: %w", context.Cause(d.ctx))
	}
	if err := settle(ctx, q, &d.mine, adapter.Complete, nil); err != nil {
		return fmt.Errorf("complete after consume's context ended: %w", err)
	}
	d.release()
	if err := c.stop(); err != nil {
		return err
	}
	return inState(ctx, q, j.Queue, j.ID, adapter.JobCompleted)
}

func drainTakesNothing(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	jobs := newJobs(queue, 20)
	if err := enqueue(ctx, q, jobs...); err != nil {
		return err
	}
	h, got := holding(e)
	c, err := consume(ctx, e, q, queue, 1, h)
	if err != nil {
		return err
	}
	first, err := next(e, "a job", got)
	if err != nil {
		return err
	}
	c.cancel()
	if err := e.quiet(ctx); err != nil { // until the driver has noticed
		return err
	}
	if err := settle(ctx, q, &first.mine, adapter.Complete, nil); err != nil {
		return fmt.Errorf("complete: %w", err)
	}
	first.release()
	if err := c.stop(); err != nil {
		return err
	}
	if err := none(ctx, e, "a job, after consume has returned,", got); err != nil {
		return err
	}
	// What it had taken in advance must be free for others.
	var seen tally[adapter.Job]
	if _, err := consume(ctx, e, q, queue, 4, completing(e, q, &seen)); err != nil {
		return err
	}
	return e.until(ctx, "the rest is delivered to others", func() (bool, error) { return seen.len() == len(jobs)-1, nil })
}

func drainEnded(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	o := adapter.ConsumeOptions{Concurrency: func() int { return 1 }}
	done := e.start(func() error {
		return q.Consume(ended, e.name(), o, func(context.Context, *adapter.Delivery) {})
	})
	if err := e.ended("consume", done); err != nil {
		return fmt.Errorf("consume with a context that has ended: %w", err)
	}
	// An idle consumer must notice, too.
	c, err := consume(ctx, e, q, e.name(), 1, func(context.Context, *adapter.Delivery) {})
	if err != nil {
		return err
	}
	if err := e.quiet(ctx); err != nil {
		return err
	}
	if err := c.stop(); err != nil {
		return errors.Join(errors.New("idle consumer"), err)
	}
	return nil
}
