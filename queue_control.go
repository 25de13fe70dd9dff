package nvent

import (
	"context"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
)

// JobAction is what [Queue.Apply] does to jobs.
type JobAction = adapter.JobAction

// The actions.
const (
	ActionRetry   = adapter.ActionRetry   // failed jobs wait again, with no attempts used
	ActionRemove  = adapter.ActionRemove  // all but active jobs are gone
	ActionPromote = adapter.ActionPromote // delayed jobs wait
	ActionCancel  = adapter.ActionCancel  // unfinished jobs are gone; the context of a running handler ends with ErrCanceled
)

// Pause stops the handing out of the queue's jobs, on all instances. What runs goes on.
func (q *Queue) Pause(ctx context.Context, queue string) error {
	return q.setPaused(ctx, "pause queue", queue, true)
}

// Resume ends a pause. A queue that is not paused stays so.
func (q *Queue) Resume(ctx context.Context, queue string) error {
	return q.setPaused(ctx, "resume queue", queue, false)
}

func (q *Queue) setPaused(ctx context.Context, op, queue string, paused bool) error {
	if err := checkName("queue", queue); err != nil {
		return wrap(q.name, op, err)
	}
	return wrap(q.name, op, q.driver.SetPaused(ctx, queue, paused))
}

// IsPaused reports whether the queue is paused.
func (q *Queue) IsPaused(ctx context.Context, queue string) (bool, error) {
	s, err := q.stats(ctx, "get queue", queue)
	return s.Paused, err
}

// Retry makes failed jobs wait again, with no attempts used, and returns how many.
func (q *Queue) Retry(ctx context.Context, queue string, ids ...string) (int, error) {
	return q.applyTo(ctx, ActionRetry, queue, ids)
}

// Remove deletes jobs in any state but active and returns how many.
func (q *Queue) Remove(ctx context.Context, queue string, ids ...string) (int, error) {
	return q.applyTo(ctx, ActionRemove, queue, ids)
}

// Promote ends the delay of delayed jobs and returns of how many.
func (q *Queue) Promote(ctx context.Context, queue string, ids ...string) (int, error) {
	return q.applyTo(ctx, ActionPromote, queue, ids)
}

// Cancel deletes unfinished jobs and returns how many. The context of a running handler ends with [ErrCanceled].
func (q *Queue) Cancel(ctx context.Context, queue string, ids ...string) (int, error) {
	return q.applyTo(ctx, ActionCancel, queue, ids)
}

func (q *Queue) applyTo(ctx context.Context, a JobAction, queue string, ids []string) (int, error) {
	op := string(a) + " jobs"
	if err := checkName("queue", queue); err != nil {
		return 0, wrap(q.name, op, err)
	}
	if len(ids) == 0 {
		return 0, nil
	}
	n, err := q.driver.Apply(ctx, queue, a, adapter.Selection{IDs: ids})
	return n, wrap(q.name, op, err)
}

// Apply does an action to jobs that query selects and returns how many it changed. It changes at most Limit (0: 1000) of
// them a call: repeat it until it returns 0. Jobs in a state that the action does not apply to are left alone. When jobs may
// fail again meanwhile, set query.Before to the time of the first call.
func (q *Queue) Apply(ctx context.Context, queue string, a JobAction, query JobsQuery) (int, error) {
	op := string(a) + " jobs"
	switch a {
	case ActionRetry, ActionRemove, ActionPromote, ActionCancel:
	default:
		return 0, wrap(q.name, "apply", fmt.Errorf("%w: action %q: use retry, remove, promote or cancel", ErrInvalid, a))
	}
	if query.Cursor != "" {
		return 0, wrap(q.name, op, hinted(fmt.Errorf("%w: the query has a cursor", ErrInvalid),
			"call again without one until it returns 0"))
	}
	query, none, err := q.resolve(ctx, queue, query)
	if err != nil || none {
		return 0, wrap(q.name, op, err)
	}
	limit := query.Limit
	query.Limit = 0
	n, err := q.driver.Apply(ctx, queue, a, adapter.Selection{Query: &query, Limit: limit})
	return n, wrap(q.name, op, err)
}

// JobLog returns lines that handlers have logged with [JobLog], oldest first, from offset on, at most limit (0: 100), and
// how many there are in total. An adapter that keeps no lines returns ErrUnsupported.
func (q *Queue) JobLog(ctx context.Context, queue, id string, offset, limit int) (lines []string, total int, err error) {
	const op = "read job log"
	if limit == 0 {
		limit = 100
	}
	if offset < 0 || limit < 0 || limit > maxPage {
		return nil, 0, wrap(q.name, op, fmt.Errorf("%w: offset %d and limit %d: use 0 or more, and at most %d lines",
			ErrInvalid, offset, limit, maxPage))
	}
	if err := checkName("queue", queue); err != nil {
		return nil, 0, wrap(q.name, op, err)
	}
	a, err := annotator(q.driver)
	if err != nil {
		return nil, 0, wrap(q.name, op, err)
	}
	lines, total, err = a.JobLog(ctx, queue, id, offset, limit)
	return lines, total, wrap(q.name, op, err)
}

// annotator returns the part of a queue that keeps progress and log lines.
func annotator(q adapter.Queue) (adapter.Annotator, error) {
	if a, ok := q.(adapter.Annotator); ok && q.Info().Caps.Has(adapter.CapAnnotate) {
		return a, nil
	}
	return nil, hinted(fmt.Errorf("progress and log lines of jobs: %w", ErrUnsupported), "use a queue adapter that keeps them")
}
