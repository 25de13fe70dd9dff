package adaptertest

import (
	"context"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

func queueOrderChecks() []queueCheck {
	return []queueCheck{
		{Name: "order/first-in-first-out", run: orderFIFO},
		{Name: "order/higher-priority-first", run: orderPriority},
		{Name: "order/not-before-run-at", run: orderDelay},
		{Name: "order/run-at-in-the-past-is-now", run: orderPast},
	}
}

// delivered consumes a queue one by one and returns the IDs of the first n jobs in the order of delivery.
func delivered(ctx context.Context, e *queueEnv, q adapter.Queue, queue string, n int) ([]string, error) {
	var seen tally[adapter.Job]
	c, err := consume(ctx, e, q, queue, 1, completing(e, q, &seen))
	if err != nil {
		return nil, err
	}
	err = e.until(ctx, fmt.Sprintf("%d jobs were delivered", n), func() (bool, error) { return seen.len() >= n, nil })
	if err != nil {
		return nil, fmt.Errorf("%w: %d were", err, seen.len())
	}
	return idsOf(seen.list()), c.stop()
}

func orderFIFO(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	jobs := newJobs(queue, 30)
	if err := enqueue(ctx, q, jobs[:10]...); err != nil {
		return err
	}
	for _, j := range jobs[10:20] {
		if err := enqueue(ctx, q, j); err != nil {
			return err
		}
	}
	if err := enqueue(ctx, q, jobs[20:]...); err != nil {
		return err
	}
	ids, err := delivered(ctx, e, q, queue, len(jobs))
	if err != nil {
		return err
	}
	return sameIDs("order of delivery", ids, jobIDs(jobs))
}

func orderPriority(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	jobs := newJobs(queue, 9)
	for i, p := range []int{0, 1, 10, 0, 10, 1, 1, 10, 0} {
		jobs[i].Priority = p
		if err := enqueue(ctx, q, jobs[i]); err != nil {
			return err
		}
	}
	var want []string
	for _, i := range []int{2, 4, 7, 1, 5, 6, 0, 3, 8} {
		want = append(want, jobs[i].ID)
	}
	ids, err := delivered(ctx, e, q, queue, len(jobs))
	if err != nil {
		return err
	}
	return sameIDs("order of delivery by priority", ids, want)
}

func orderDelay(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	h, got := holding(e)
	if _, err := consume(ctx, e, q, queue, 10, h); err != nil {
		return err
	}
	late, soon, now := newJob(queue), newJob(queue), newJob(queue)
	start := time.Now()
	late.RunAt, soon.RunAt = start.Add(time.Hour), start.Add(e.h.Lease)
	if err := enqueue(ctx, q, late, soon, now); err != nil {
		return err
	}
	d, err := next(e, "the job without RunAt", got)
	if err != nil {
		return err
	}
	if d.mine.ID != now.ID {
		return fmt.Errorf("a delayed job was delivered after %v, it is due after %v", time.Since(start), e.h.Lease)
	}
	// The remaining time may have passed already on a slow machine, so only a job that is far off can be looked at.
	j, found, err := lookup(ctx, q, queue, late.ID)
	if err != nil || !found {
		return fmt.Errorf("lookup: found %v, %w", found, errOr(err, "want true"))
	}
	if j.State != adapter.JobDelayed || j.RunAt.Sub(late.RunAt).Abs() > time.Millisecond {
		return fmt.Errorf("delayed job: state %s, run at %v, want %v", j.State, j.RunAt, late.RunAt)
	}
	if d, err = next(e, "the delayed job", got); err != nil {
		return err
	}
	// Clocks of server and test may differ a little.
	if took := time.Since(start); d.mine.ID != soon.ID || took < e.h.Lease*9/10 {
		return fmt.Errorf("a delayed job was delivered after %v, it was due after %v", took, e.h.Lease)
	}
	return none(ctx, e, "a job that is due in an hour", got)
}

func orderPast(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	j := newJob(e.name())
	j.RunAt = time.Now().Add(-time.Hour)
	if err := enqueue(ctx, q, j); err != nil {
		return err
	}
	if err := inState(ctx, q, j.Queue, j.ID, adapter.JobWaiting); err != nil {
		return err
	}
	_, err = delivered(ctx, e, q, j.Queue, 1)
	return err
}
