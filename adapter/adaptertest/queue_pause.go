package adaptertest

import (
	"context"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

func queuePauseChecks() []queueCheck {
	return []queueCheck{
		{Name: "pause/holds-jobs-on-all-instances", run: pauseHolds},
		{Name: "pause/lets-running-jobs-go-on", run: pauseRunning},
		{Name: "pause/one-queue-only", run: pauseOne},
	}
}

func setPaused(ctx context.Context, q adapter.Queue, queue string, paused bool) error {
	if err := q.SetPaused(ctx, queue, paused); err != nil {
		return fmt.Errorf("set paused %v: %w", paused, err)
	}
	return nil
}

func pauseHolds(ctx context.Context, e *queueEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	h, got := holding(e)
	for _, q := range []adapter.Queue{a, b} {
		if _, err := consume(ctx, e, q, queue, 5, h); err != nil {
			return err
		}
	}
	for range 2 { // twice: pausing a paused queue does nothing
		if err := setPaused(ctx, a, queue, true); err != nil {
			return err
		}
	}
	j, later := newJob(queue), newJob(queue)
	later.RunAt = time.Now().Add(e.h.Quiet / 2)
	if err := enqueue(ctx, b, j, later); err != nil {
		return err
	}
	if err := none(ctx, e, "a job of a paused queue", got); err != nil {
		return err
	}
	if err := inState(ctx, a, queue, j.ID, adapter.JobWaiting); err != nil {
		return err
	}
	for _, q := range []adapter.Queue{a, b} {
		s, err := stats(ctx, q, queue)
		if err != nil {
			return err
		}
		if !s.Paused {
			return fmt.Errorf("stats of a paused queue: paused %v", s.Paused)
		}
	}
	for range 2 {
		if err := setPaused(ctx, b, queue, false); err != nil {
			return err
		}
	}
	var ids []string
	for range 2 {
		d, err := next(e, "a job of a resumed queue", got)
		if err != nil {
			return err
		}
		ids = append(ids, d.mine.ID)
	}
	return sameSet("jobs after resume", ids, []string{j.ID, later.ID})
}

func pauseRunning(ctx context.Context, e *queueEnv) error {
	t, err := take(ctx, e, func(j *adapter.NewJob) { j.Lease, j.Redeliver = e.h.Lease, 5 })
	if err != nil {
		return err
	}
	if err := setPaused(ctx, t.q, t.j.Queue, true); err != nil {
		return err
	}
	if err := e.sleep(ctx, 3*e.h.Lease); err != nil {
		return err
	}
	if t.d.ctx.Err() != nil {
		return fmt.Errorf("pausing ended a handler that runs: %w", context.Cause(t.d.ctx))
	}
	if err := t.settle(ctx, adapter.Retry, nil); err != nil {
		return err
	}
	if err := none(ctx, e, "a retried job of a paused queue", t.got); err != nil {
		return err
	}
	if err := setPaused(ctx, t.q, t.j.Queue, false); err != nil {
		return err
	}
	return t.again(e, "a retried job of a resumed queue")
}

func pauseOne(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	j := newJob(e.name())
	if err := setPaused(ctx, q, e.name(), true); err != nil {
		return err
	}
	if err := enqueue(ctx, q, j); err != nil {
		return err
	}
	_, err = delivered(ctx, e, q, j.Queue, 1)
	return err
}
