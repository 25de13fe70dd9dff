package adaptertest

import (
	"context"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

func queueRetryChecks() []queueCheck {
	return []queueCheck{
		{Name: "retry/counts-attempts", run: retryCounts},
		{Name: "retry/after-its-delay", run: retryDelay},
		{Name: "release/counts-nothing", run: releaseCounts},
		{Name: "release/after-its-delay", run: releaseDelay},
	}
}

func retryCounts(ctx context.Context, e *queueEnv) error {
	// One attempt and no redelivery: the queue must not count for itself, and a retry is no redelivery.
	t, err := take(ctx, e, func(j *adapter.NewJob) { j.Attempts, j.Redeliver, j.Lease = 1, 0, time.Hour })
	if err != nil {
		return err
	}
	for attempt := range 4 {
		if t.d.mine.Attempt != attempt {
			return fmt.Errorf("after %d retries: attempt %d", attempt, t.d.mine.Attempt)
		}
		if attempt > 0 && t.d.mine.Error != fmt.Sprint("error ", attempt-1) {
			return fmt.Errorf("after retry %d: error %q of the last attempt", attempt, t.d.mine.Error)
		}
		err := t.settle(ctx, adapter.Retry, func(s *adapter.Settlement) { s.Err = fmt.Sprint("error ", attempt) })
		if err != nil {
			return err
		}
		if err := t.again(e, "a job to be retried at once"); err != nil {
			return err
		}
	}
	if err := t.settle(ctx, adapter.Complete, nil); err != nil {
		return err
	}
	j, err := untilState(ctx, e, t.q, t.j.Queue, t.j.ID, adapter.JobCompleted)
	if err != nil {
		return err
	}
	if j.Attempt != 5 {
		return fmt.Errorf("completed after four retries: attempt %d, want 5", j.Attempt)
	}
	return nil
}

func retryDelay(ctx context.Context, e *queueEnv) error { return delayed(ctx, e, adapter.Retry, 1) }

func releaseDelay(ctx context.Context, e *queueEnv) error { return delayed(ctx, e, adapter.Release, 0) }

// delayed hands a job back with a delay, once for long and once for short.
func delayed(ctx context.Context, e *queueEnv, v adapter.Verdict, attempt int) error {
	long, err := take(ctx, e, nil)
	if err != nil {
		return err
	}
	if err := long.settle(ctx, v, func(s *adapter.Settlement) { s.Delay = time.Hour }); err != nil {
		return err
	}
	j, err := untilState(ctx, e, long.q, long.j.Queue, long.j.ID, adapter.JobDelayed)
	if err != nil {
		return err
	}
	if j.Attempt != attempt {
		return fmt.Errorf("%s with a delay: attempt %d, want %d", v, j.Attempt, attempt)
	}

	short, err := take(ctx, e, nil)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := short.settle(ctx, v, func(s *adapter.Settlement) { s.Delay = e.h.Lease }); err != nil {
		return err
	}
	if err := short.again(e, "a job whose delay is over"); err != nil {
		return err
	}
	if took := time.Since(start); took < e.h.Lease*9/10 {
		return fmt.Errorf("%s with a delay of %v: delivered after %v", v, e.h.Lease, took)
	}
	if short.d.mine.Attempt != attempt {
		return fmt.Errorf("delivered after %s: attempt %d, want %d", v, short.d.mine.Attempt, attempt)
	}
	return none(ctx, e, "a job whose delay is not over", long.got)
}

func releaseCounts(ctx context.Context, e *queueEnv) error {
	t, err := take(ctx, e, func(j *adapter.NewJob) { j.Redeliver, j.Lease = 0, time.Hour })
	if err != nil {
		return err
	}
	for n := range 4 {
		if err := t.settle(ctx, adapter.Release, nil); err != nil {
			return err
		}
		if err := t.again(e, "a job that was handed back"); err != nil {
			return err
		}
		if t.d.mine.Attempt != 0 {
			return fmt.Errorf("after %d releases: attempt %d", n+1, t.d.mine.Attempt)
		}
	}
	if err := t.settle(ctx, adapter.Complete, nil); err != nil {
		return err
	}
	j, err := untilState(ctx, e, t.q, t.j.Queue, t.j.ID, adapter.JobCompleted)
	if err != nil {
		return err
	}
	if j.Attempt != 1 {
		return fmt.Errorf("completed after four releases: attempt %d, want 1", j.Attempt)
	}
	return nil
}
