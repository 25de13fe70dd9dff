package memory

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

const (
	defaultPage  = 100
	defaultApply = 1000
)

// List returns jobs by query. See [adapter.Queue].
func (in *Queue) List(ctx context.Context, queue string, query adapter.JobQuery) (adapter.Page[adapter.Job], error) {
	var page adapter.Page[adapter.Job]
	if err := in.usable(ctx, "list"); err != nil {
		return page, err
	}
	from := uint64(0)
	if query.Desc {
		from = math.MaxUint64
	}
	if query.Cursor != "" {
		var err error
		if from, err = strconv.ParseUint(query.Cursor, 36, 64); err != nil {
			return page, invalid("list", fmt.Sprintf("cursor %q", query.Cursor), "use Page.Next of the page before")
		}
	}
	limit := query.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	q := in.b.queue(queue, false)
	if q == nil {
		return page, nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	jobs := q.find(&query, from, limit+1, in.b.now())
	if len(jobs) > limit {
		jobs = jobs[:limit]
		page.Next = strconv.FormatUint(jobs[limit-1].made, 36)
	}
	page.Items = make([]adapter.Job, len(jobs))
	for i, j := range jobs {
		page.Items[i] = j.snapshot()
	}
	return page, nil
}

// find returns up to limit jobs that match, after the one made as number from (Desc: before it).
func (q *jobQueue) find(query *adapter.JobQuery, from uint64, limit int, now time.Time) []*job {
	q.expire(now)
	var found []*job
	few, ok := q.candidates(query)
	if !ok {
		q.all.walk(from, query.Desc, func(j *job) bool {
			if matches(j, query) {
				found = append(found, j)
			}
			return len(found) < limit
		})
		return found
	}
	for _, j := range few {
		if beyond(j, from, query.Desc) && matches(j, query) {
			found = append(found, j)
		}
	}
	slices.SortFunc(found, func(a, b *job) int {
		if query.Desc {
			a, b = b, a
		}
		return cmp.Compare(a.made, b.made)
	})
	return found[:min(limit, len(found))]
}

// candidates returns the jobs that a query is about, in any order, if they are fewer than all. Waiting jobs are what there
// may be most of; the lists of the other states are read instead where the query allows it.
func (q *jobQueue) candidates(query *adapter.JobQuery) (few []*job, ok bool) {
	if query.Label != "" {
		for j := range q.all.labels[label{query.Label, query.Value}] {
			few = append(few, j)
		}
		return few, true
	}
	if len(query.States) == 0 || slices.Contains(query.States, adapter.JobWaiting) {
		return nil, false
	}
	for _, state := range query.States {
		var list *jobList
		switch state {
		case adapter.JobActive:
			list = &q.active
		case adapter.JobCompleted:
			list = &q.completed
		case adapter.JobFailed:
			list = &q.failed
		case adapter.JobDelayed:
			few = append(few, q.timed.jobs...) // those with a time limit do not match
			continue
		default:
			continue
		}
		for j := list.head; j != nil; j = j.next {
			few = append(few, j)
		}
	}
	slices.SortFunc(few, func(a, b *job) int { return cmp.Compare(a.made, b.made) })
	return slices.Compact(few), true // a state may be named twice
}

func matches(j *job, query *adapter.JobQuery) bool {
	spec := &j.spec
	if len(query.States) > 0 && !slices.Contains(query.States, j.state) || query.Name != "" && query.Name != spec.Name {
		return false
	}
	if query.Label != "" {
		if v, ok := spec.Labels[query.Label]; !ok || v != query.Value {
			return false
		}
	}
	made := j.created
	return (query.After.IsZero() || made.After(query.After)) && (query.Before.IsZero() || made.Before(query.Before))
}

// Apply does an action to jobs. The cursor and the limit of a query do not count, those of the selection do. See
// [adapter.Queue].
func (in *Queue) Apply(ctx context.Context, queue string, a adapter.JobAction, sel adapter.Selection) (int, error) {
	if err := in.usable(ctx, "apply"); err != nil {
		return 0, err
	}
	states, ok := actionStates[a]
	if !ok {
		return 0, invalid("apply", fmt.Sprintf("action %q", a), "use one of the JobAction constants")
	}
	if (sel.Query == nil) == (sel.IDs == nil) {
		return 0, invalid("apply", "the selection must have either IDs or a query", "")
	}
	q := in.b.queue(queue, false)
	if q == nil {
		return 0, nil
	}
	now := in.b.now()
	q.mu.Lock()
	defer q.mu.Unlock()
	changed := 0
	for _, j := range q.selected(states, sel, now) {
		if slices.Contains(states, j.state) {
			q.apply(a, j, now)
			changed++
		}
	}
	q.call()
	return changed, nil
}

// actionStates are the states that an action applies to.
var actionStates = map[adapter.JobAction][]adapter.JobState{
	adapter.ActionRetry:   {adapter.JobFailed},
	adapter.ActionRemove:  {adapter.JobWaiting, adapter.JobDelayed, adapter.JobCompleted, adapter.JobFailed},
	adapter.ActionPromote: {adapter.JobDelayed},
	adapter.ActionCancel:  {adapter.JobWaiting, adapter.JobDelayed, adapter.JobActive},
}

func (q *jobQueue) selected(states []adapter.JobState, sel adapter.Selection, now time.Time) []*job {
	if sel.Query == nil {
		q.expire(now)
		var jobs []*job
		for _, id := range sel.IDs {
			if j := q.jobs[id]; j != nil {
				jobs = append(jobs, j)
			}
		}
		slices.SortFunc(jobs, func(a, b *job) int { return cmp.Compare(a.made, b.made) })
		return slices.Compact(jobs) // an ID may be named twice
	}
	query := *sel.Query
	if len(query.States) > 0 {
		states = slices.DeleteFunc(slices.Clone(states), func(s adapter.JobState) bool { return !slices.Contains(query.States, s) })
	}
	if len(states) == 0 {
		return nil
	}
	query.States = states
	limit, from := sel.Limit, uint64(0)
	if limit <= 0 {
		limit = defaultApply
	}
	if query.Desc {
		from = math.MaxUint64
	}
	return q.find(&query, from, limit, now)
}

func (q *jobQueue) apply(a adapter.JobAction, j *job, now time.Time) {
	if a == adapter.ActionCancel && j.state == adapter.JobActive {
		j.held.ctx.end(adapter.ErrCanceled)
	}
	q.leave(j)
	switch a {
	case adapter.ActionRetry:
		j.attempt, j.lost, j.finished = 0, 0, time.Time{}
		q.seq++
		j.seq = q.seq
		q.wait(j, now)
	case adapter.ActionPromote:
		q.wait(j, now)
	case adapter.ActionRemove, adapter.ActionCancel:
		q.forget(j)
	}
}
