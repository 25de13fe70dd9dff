package enginetest_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/enginetest"
)

// queue breaks the queue of a trio.
func queue(breaks func(adapter.Queue) adapter.Queue) broken {
	return func(t enginetest.Trio) enginetest.Trio {
		t.Queue = breaks(t.Queue)
		return t
	}
}

// enqueueing changes jobs before they are added.
type enqueueing struct {
	adapter.Queue
	edit func(j *adapter.NewJob)
}

func (q *enqueueing) Enqueue(ctx context.Context, jobs ...adapter.NewJob) ([]adapter.Enqueued, error) {
	jobs = slices.Clone(jobs)
	for i := range jobs {
		q.edit(&jobs[i])
	}
	return q.Queue.Enqueue(ctx, jobs...)
}

func editJobs(edit func(j *adapter.NewJob)) func(adapter.Queue) adapter.Queue {
	return func(q adapter.Queue) adapter.Queue { return &enqueueing{q, edit} }
}

var (
	neverGivesUp  = editJobs(func(j *adapter.NewJob) { j.Lease = 1000 * time.Hour })
	ignoresDelays = editJobs(func(j *adapter.NewJob) { j.RunAt = time.Time{} })
	dropsHeaders  = editJobs(func(j *adapter.NewJob) { j.Headers = nil })
	delaysAll     = editJobs(func(j *adapter.NewJob) { j.RunAt = time.Now().Add(30 * time.Minute) })
)

type forgetting struct{ adapter.Queue }

func forgetsJobs(q adapter.Queue) adapter.Queue { return &forgetting{q} }

func (q *forgetting) Enqueue(_ context.Context, jobs ...adapter.NewJob) ([]adapter.Enqueued, error) {
	list := make([]adapter.Enqueued, len(jobs))
	for i := range jobs {
		list[i].ID = jobs[i].ID
	}
	return list, nil
}

// consuming is a queue that calls handlers in its own way.
type consuming struct {
	adapter.Queue
	deliver func(ctx context.Context, d *adapter.Delivery, h func(context.Context, *adapter.Delivery))
}

func (q *consuming) Consume(ctx context.Context, queue string, o adapter.ConsumeOptions, h func(context.Context, *adapter.Delivery)) error {
	return q.Queue.Consume(ctx, queue, o, func(ctx context.Context, d *adapter.Delivery) { q.deliver(ctx, d, h) })
}

func deliversTwice(q adapter.Queue) adapter.Queue {
	return &consuming{q, func(ctx context.Context, d *adapter.Delivery, h func(context.Context, *adapter.Delivery)) {
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { h(ctx, d) })
		}
		wg.Wait()
	}}
}

// losesLeases hands a job out again after 5 s, whatever becomes of the first delivery.
func losesLeases(q adapter.Queue) adapter.Queue {
	return &consuming{q, func(ctx context.Context, d *adapter.Delivery, h func(context.Context, *adapter.Delivery)) {
		var wg sync.WaitGroup
		defer wg.Wait()
		done := make(chan struct{})
		defer close(done)
		wg.Go(func() {
			t := time.NewTimer(5 * time.Second)
			defer t.Stop()
			select {
			case <-t.C:
				h(ctx, d)
			case <-done:
			}
		})
		h(ctx, d)
	}}
}

type cancelling struct{ adapter.Queue }

func cannotCancel(q adapter.Queue) adapter.Queue { return &cancelling{q} }

func (q *cancelling) Apply(ctx context.Context, queue string, a adapter.JobAction, sel adapter.Selection) (int, error) {
	if a == adapter.ActionCancel {
		return 0, nil
	}
	return q.Queue.Apply(ctx, queue, a, sel)
}

// looking changes what Lookup says of jobs.
type looking struct {
	adapter.Queue
	edit func(queue string, ids []string, jobs []adapter.Job) []adapter.Job
}

func (q *looking) Lookup(ctx context.Context, queue string, ids ...string) ([]adapter.Job, error) {
	jobs, err := q.Queue.Lookup(ctx, queue, ids...)
	return q.edit(queue, ids, jobs), err
}

func losesResults(q adapter.Queue) adapter.Queue {
	return &looking{q, func(_ string, _ []string, jobs []adapter.Job) []adapter.Job {
		for i := range jobs {
			jobs[i].Result = nil
		}
		return jobs
	}}
}

func failsNothing(q adapter.Queue) adapter.Queue {
	return &looking{q, func(_ string, _ []string, jobs []adapter.Job) []adapter.Job {
		for i := range jobs {
			if jobs[i].State == adapter.JobFailed {
				jobs[i].State = adapter.JobCompleted
			}
		}
		return jobs
	}}
}

func inventsJobs(q adapter.Queue) adapter.Queue {
	return &looking{q, func(queue string, ids []string, jobs []adapter.Job) []adapter.Job {
		for _, id := range ids {
			if !slices.ContainsFunc(jobs, func(j adapter.Job) bool { return j.ID == id }) {
				j := adapter.Job{State: adapter.JobWaiting}
				j.ID, j.Queue = id, queue
				jobs = append(jobs, j)
			}
		}
		return jobs
	}}
}
