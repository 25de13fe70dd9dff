package nvent

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// JobSnapshot is a job as its queue knew it at one moment.
type JobSnapshot = adapter.Job

// JobState is where a job is in its life.
type JobState = adapter.JobState

// The states of jobs.
const (
	JobWaiting   = adapter.JobWaiting
	JobDelayed   = adapter.JobDelayed
	JobActive    = adapter.JobActive
	JobCompleted = adapter.JobCompleted
	JobFailed    = adapter.JobFailed
	// JobPaused is a job that waits in a paused queue. No adapter has this state: pausing belongs to the queue. It is derived
	// when a job is looked at, so a job is either waiting or paused, and Resume makes all paused ones waiting at once.
	JobPaused JobState = "paused"
)

// JobsQuery selects jobs. Zero fields do not select. States may name [JobPaused]. A page has 100 jobs unless Limit is set.
type JobsQuery = adapter.JobQuery

// JobCounts is how many jobs of a queue are in each state.
type JobCounts struct {
	Active    int64
	Completed int64 // as many as are still kept
	Failed    int64 // as many as are still kept
	Delayed   int64
	Waiting   int64 // 0 while the queue is paused
	Paused    int64 // 0 unless the queue is paused

	OldestWaiting time.Time // when the job that waits longest was added; zero: none waits
	Approx        bool      // the backend estimates
}

// maxPage bounds Limit of queries.
const maxPage = 10_000

// GetJob returns a job. An unknown one is ErrNotFound: it never was, or is not kept any more.
func (q *Queue) GetJob(ctx context.Context, queue, id string) (JobSnapshot, error) {
	const op = "get job"
	if err := checkName("queue", queue); err != nil {
		return JobSnapshot{}, wrap(q.name, op, err)
	}
	jobs, err := q.driver.Lookup(ctx, queue, id)
	switch {
	case err != nil:
		return JobSnapshot{}, wrap(q.name, op, err)
	case len(jobs) == 0:
		return JobSnapshot{}, wrap(q.name, op, hinted(fmt.Errorf("job %q of queue %q: %w", id, queue, ErrNotFound),
			"finished jobs are kept for a while only; a job's key is not its ID, see nvent.JobID"))
	}
	if err := q.derivePaused(ctx, queue, jobs); err != nil {
		return JobSnapshot{}, wrap(q.name, op, err)
	}
	return jobs[0], nil
}

// Jobs returns the jobs that query selects in the order of their creation, a page at a time.
func (q *Queue) Jobs(ctx context.Context, queue string, query JobsQuery) (Page[JobSnapshot], error) {
	const op = "list jobs"
	query, none, err := q.resolve(ctx, queue, query)
	if err != nil || none {
		return Page[JobSnapshot]{}, wrap(q.name, op, err)
	}
	page, err := q.driver.List(ctx, queue, query)
	if err == nil {
		err = q.derivePaused(ctx, queue, page.Items)
	}
	if err != nil {
		return Page[JobSnapshot]{}, wrap(q.name, op, err)
	}
	return page, nil
}

// Counts returns how many jobs of the queue are in each state. A queue that nobody has used has none.
func (q *Queue) Counts(ctx context.Context, queue string) (JobCounts, error) {
	s, err := q.stats(ctx, "count jobs", queue)
	if err != nil {
		return JobCounts{}, err
	}
	c := JobCounts{
		Active: s.Counts[JobActive], Completed: s.Counts[JobCompleted], Failed: s.Counts[JobFailed],
		Delayed: s.Counts[JobDelayed], Waiting: s.Counts[JobWaiting],
		OldestWaiting: s.OldestWaiting, Approx: s.Approx,
	}
	if s.Paused {
		c.Paused, c.Waiting = c.Waiting, 0
	}
	return c, nil
}

// Queues returns the names of all queues that the backend knows, sorted.
func (q *Queue) Queues(ctx context.Context) ([]string, error) {
	stats, err := q.driver.Stats(ctx)
	if err != nil {
		return nil, wrap(q.name, "list queues", err)
	}
	names := make([]string, len(stats))
	for i := range stats {
		names[i] = stats[i].Queue
	}
	slices.Sort(names)
	return names, nil
}

func (q *Queue) stats(ctx context.Context, op, queue string) (adapter.QueueStats, error) {
	if err := checkName("queue", queue); err != nil {
		return adapter.QueueStats{}, wrap(q.name, op, err)
	}
	stats, err := q.driver.Stats(ctx, queue)
	if err != nil {
		return adapter.QueueStats{}, wrap(q.name, op, err)
	}
	for _, s := range stats {
		if s.Queue == queue {
			return s, nil
		}
	}
	return adapter.QueueStats{Queue: queue}, nil
}

// derivePaused gives the waiting ones among jobs the state paused if their queue is. It asks only if there are any. A driver
// may hand the same jobs to others, but the slice is ours.
func (q *Queue) derivePaused(ctx context.Context, queue string, jobs []adapter.Job) error {
	waiting := func(j adapter.Job) bool { return j.State == JobWaiting }
	if !slices.ContainsFunc(jobs, waiting) {
		return nil
	}
	s, err := q.stats(ctx, "get queue", queue)
	if err != nil || !s.Paused {
		return err
	}
	for i := range jobs {
		if waiting(jobs[i]) {
			jobs[i].State = JobPaused
		}
	}
	return nil
}

// resolve checks a query and translates the states waiting and paused, of which a queue has one at a time. none reports that
// nothing can match.
func (q *Queue) resolve(ctx context.Context, queue string, query JobsQuery) (resolved JobsQuery, none bool, err error) {
	if err := checkName("queue", queue); err != nil {
		return query, false, err
	}
	if query.Limit < 0 || query.Limit > maxPage {
		return query, false, fmt.Errorf("%w: limit %d: use 1 to %d, or 0 for the default", ErrInvalid, query.Limit, maxPage)
	}
	if query.Label == "" && query.Value != "" {
		return query, false, fmt.Errorf("%w: the query has the value %.70q but no label", ErrInvalid, query.Value)
	}
	for _, s := range query.States {
		switch s {
		case JobWaiting, JobDelayed, JobActive, JobCompleted, JobFailed, JobPaused:
		default:
			return query, false, fmt.Errorf("%w: job state %q: use waiting, delayed, active, completed, failed or paused", ErrInvalid, s)
		}
	}
	waiting, paused := slices.Contains(query.States, JobWaiting), slices.Contains(query.States, JobPaused)
	if !waiting && !paused {
		return query, false, nil
	}
	states := slices.DeleteFunc(slices.Clone(query.States), func(s JobState) bool { return s == JobWaiting || s == JobPaused })
	both := waiting && paused
	if !both {
		s, err := q.stats(ctx, "get queue", queue)
		if err != nil {
			return query, false, err
		}
		both = s.Paused == paused
	}
	if both {
		states = append(states, JobWaiting)
	}
	query.States = states
	return query, len(states) == 0, nil
}
