package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

func queueCauseChecks() []queueCheck {
	return []queueCheck{
		{Name: "cause/timeout", run: causeTimeout},
		{Name: "cause/canceled", run: causeCanceled},
		{Name: "cause/closed-and-released", run: causeClosed},
	}
}

// endsWith waits for the end of a handler's context and checks its cause.
func endsWith(e *queueEnv, d *held, want error) error {
	if err := e.signal(fmt.Sprintf("the handler's context ends with %q", want.Error()), d.ctx.Done()); err != nil {
		return err
	}
	if cause := context.Cause(d.ctx); !errors.Is(cause, want) {
		return fmt.Errorf("the handler's context ended with %w, want %q", cause, want.Error())
	}
	return nil
}

func causeTimeout(ctx context.Context, e *queueEnv) error {
	start := time.Now()
	t, err := take(ctx, e, func(j *adapter.NewJob) { j.Lease, j.Timeout, j.Redeliver = e.h.Lease, 2*e.h.Lease, 5 })
	if err != nil {
		return err
	}
	if err := endsWith(e, t.d, adapter.ErrTimeout); err != nil {
		return err
	}
	if took := time.Since(start); took < e.h.Lease*9/5 {
		return fmt.Errorf("a delivery with timeout %v ended after %v", 2*e.h.Lease, took)
	}
	return nil
}

func causeCanceled(ctx context.Context, e *queueEnv) error {
	t, err := take(ctx, e, func(j *adapter.NewJob) { j.Lease = e.h.Lease })
	if err != nil {
		return err
	}
	other, err := e.open(ctx)
	if err != nil {
		return err
	}
	n, err := other.Apply(ctx, t.j.Queue, adapter.ActionCancel, adapter.Selection{IDs: []string{t.j.ID}})
	if err != nil || n != 1 {
		return fmt.Errorf("cancel a running job: changed %d, %w", n, errOr(err, "want 1"))
	}
	if err := endsWith(e, t.d, adapter.ErrCanceled); err != nil {
		return err
	}
	if err := untilGone(ctx, e, t.q, t.j.Queue, t.j.ID); err != nil {
		return fmt.Errorf("cancelled: %w", err)
	}
	if err := settle(ctx, t.q, &t.d.mine, adapter.Complete, nil); !errors.Is(err, adapter.ErrLeaseLost) {
		return fmt.Errorf("complete a cancelled job: %w, want ErrLeaseLost", errOr(err, "nil"))
	}
	t.d.release()
	if err := none(ctx, e, "a cancelled job", t.got); err != nil {
		return err
	}
	return untilGone(ctx, e, other, t.j.Queue, t.j.ID)
}

func causeClosed(ctx context.Context, e *queueEnv) error {
	// The lease is long, so only a release can free the job; and it must not count as a redelivery.
	t, err := take(ctx, e, func(j *adapter.NewJob) { j.Lease, j.Redeliver = time.Hour, 0 })
	if err != nil {
		return err
	}
	other, err := e.open(ctx)
	if err != nil {
		return err
	}
	closed := e.start(t.q.Close) // it may or may not wait for the handler
	if err := endsWith(e, t.d, adapter.ErrClosed); err != nil {
		return err
	}
	t.d.release()
	if err := e.ended("close", closed); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	h, got := holding(e)
	if _, err := consume(ctx, e, other, t.j.Queue, 1, h); err != nil {
		return err
	}
	d, err := next(e, "the job of a closed instance", got)
	if err != nil {
		return err
	}
	if d.mine.Attempt != 0 {
		return fmt.Errorf("closing counted as an attempt: attempt %d", d.mine.Attempt)
	}
	if err := settle(ctx, other, &d.mine, adapter.Complete, nil); err != nil {
		return fmt.Errorf("complete a job of a closed instance: %w", err)
	}
	return nil
}
