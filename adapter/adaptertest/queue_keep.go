package adaptertest

import (
	"context"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
)

func queueKeepChecks() []queueCheck {
	return []queueCheck{
		{Name: "keep/negative-is-not-at-all", run: keepNothing},
		{Name: "keep/no-longer-than-told", run: keepAge},
		{Name: "keep/no-more-than-told", run: keepCount},
	}
}

func keepNothing(ctx context.Context, e *queueEnv) error {
	for _, v := range []adapter.Verdict{adapter.Complete, adapter.Fail} {
		t, err := take(ctx, e, func(j *adapter.NewJob) { j.Keep = adapter.Keep{Completed: -1, Failed: -1} })
		if err != nil {
			return err
		}
		if err := t.settle(ctx, v, nil); err != nil {
			return err
		}
		if err := untilGone(ctx, e, t.q, t.j.Queue, t.j.ID); err != nil {
			return fmt.Errorf("%s of a job that is not to be kept: %w", v, err)
		}
	}
	return nil
}

func keepAge(ctx context.Context, e *queueEnv) error {
	t, err := take(ctx, e, func(j *adapter.NewJob) { j.Keep.Completed = e.h.Lease })
	if err != nil {
		return err
	}
	if err := t.settle(ctx, adapter.Complete, nil); err != nil {
		return err
	}
	if err := untilGone(ctx, e, t.q, t.j.Queue, t.j.ID); err != nil {
		return fmt.Errorf("job to be kept for %v: %w", e.h.Lease, err)
	}
	return nil
}

func keepCount(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	jobs := newJobs(queue, 20)
	for i := range jobs {
		jobs[i].Keep.Count = 3
	}
	if err := enqueue(ctx, q, jobs...); err != nil {
		return err
	}
	var seen tally[adapter.Job]
	if _, err := consume(ctx, e, q, queue, 1, completing(e, q, &seen)); err != nil {
		return err
	}
	var page adapter.Page[adapter.Job]
	err = e.until(ctx, "at most 3 finished jobs are kept", func() (bool, error) {
		if page, err = q.List(ctx, queue, adapter.JobQuery{}); err != nil {
			return false, fmt.Errorf("list: %w", err)
		}
		return seen.len() == len(jobs) && len(page.Items) <= 3, nil
	})
	if err != nil {
		return fmt.Errorf("%w: %d of %d are done, %d are there", err, seen.len(), len(jobs), len(page.Items))
	}
	return sameSet("kept jobs", idsOf(page.Items), jobIDs(jobs[17:]))
}
