package adaptertest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

func queueListChecks() []queueCheck {
	return []queueCheck{
		{Name: "list/lookup-leaves-unknown-out", run: listLookup},
		{Name: "list/in-order-of-creation", run: listOrder},
		{Name: "list/by-state-name-and-label", run: listFilters},
		{Name: "list/by-time", run: listTime},
	}
}

func listLookup(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	jobs, other := newJobs(queue, 5), newJob(e.name())
	if err := enqueue(ctx, q, append(slices.Clone(jobs), other)...); err != nil {
		return err
	}
	for _, c := range []struct{ ask, want []string }{
		{jobIDs(jobs), jobIDs(jobs)},
		{[]string{uuid(), jobs[3].ID, other.ID}, []string{jobs[3].ID}},
		{[]string{uuid()}, nil},
		{nil, nil},
	} {
		found, err := q.Lookup(ctx, queue, c.ask...)
		if err != nil {
			return fmt.Errorf("lookup: %w", err)
		}
		if err := sameSet("lookup", idsOf(found), slices.Clone(c.want)); err != nil {
			return err
		}
	}
	return nil
}

// listed returns the IDs that a query finds, over all pages.
func listed(ctx context.Context, q adapter.Queue, queue string, query adapter.JobQuery) ([]string, error) {
	var ids []string
	for range 1000 {
		page, err := q.List(ctx, queue, query)
		if err != nil {
			return nil, fmt.Errorf("list: %w", err)
		}
		if query.Limit > 0 && len(page.Items) > query.Limit {
			return nil, fmt.Errorf("list with limit %d returned %d jobs", query.Limit, len(page.Items))
		}
		ids = append(ids, idsOf(page.Items)...)
		if page.Next == "" {
			return ids, nil
		}
		query.Cursor = page.Next
	}
	return nil, fmt.Errorf("list does not end: %d jobs after 1000 pages", len(ids))
}

func listOrder(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	jobs := newJobs(queue, 12)
	for i := range jobs {
		jobs[i].Priority = i % 3
		if i%4 == 1 {
			jobs[i].RunAt = time.Now().Add(time.Hour)
		}
		if err := enqueue(ctx, q, jobs[i]); err != nil {
			return err
		}
		if err := e.sleep(ctx, 3*time.Millisecond); err != nil { // a creation time of its own
			return err
		}
	}
	want := jobIDs(jobs)
	for _, limit := range []int{0, 5} {
		ids, err := listed(ctx, q, queue, adapter.JobQuery{Limit: limit})
		if err != nil {
			return err
		}
		if err := sameIDs("list", ids, want); err != nil {
			return err
		}
	}
	slices.Reverse(want)
	ids, err := listed(ctx, q, queue, adapter.JobQuery{Desc: true, Limit: 5})
	if err != nil {
		return err
	}
	return sameIDs("list newest first", ids, want)
}

func listFilters(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	by := map[adapter.JobState]string{}
	for _, s := range []adapter.JobState{adapter.JobCompleted, adapter.JobFailed, adapter.JobActive, adapter.JobDelayed} {
		j, err := bring(ctx, e, q, queue, s)
		if err != nil {
			return err
		}
		by[s] = j.ID
	}
	x, y := newJob(queue), newJob(queue)
	x.Name, x.Labels = "mail", map[string]string{"customer": "42", "region": "eu"}
	y.Name, y.Labels = "mail", map[string]string{"customer": "43", "region": "eu"}
	if err := enqueue(ctx, q, x, y); err != nil {
		return err
	}
	for _, c := range []struct {
		what  string
		query adapter.JobQuery
		want  []string
	}{
		{"waiting", adapter.JobQuery{States: []adapter.JobState{adapter.JobWaiting}}, []string{x.ID, y.ID}},
		{"delayed", adapter.JobQuery{States: []adapter.JobState{adapter.JobDelayed}}, []string{by[adapter.JobDelayed]}},
		{"active", adapter.JobQuery{States: []adapter.JobState{adapter.JobActive}}, []string{by[adapter.JobActive]}},
		{
			"finished", adapter.JobQuery{States: []adapter.JobState{adapter.JobCompleted, adapter.JobFailed}},
			[]string{by[adapter.JobCompleted], by[adapter.JobFailed]},
		},
		{"name", adapter.JobQuery{Name: "mail"}, []string{x.ID, y.ID}},
		{"unknown name", adapter.JobQuery{Name: "none"}, nil},
		{"label", adapter.JobQuery{Label: "customer", Value: "42"}, []string{x.ID}},
		{"label of two", adapter.JobQuery{Label: "region", Value: "eu"}, []string{x.ID, y.ID}},
		{"label without such a value", adapter.JobQuery{Label: "region", Value: "42"}, nil},
		{
			"all together",
			adapter.JobQuery{States: []adapter.JobState{adapter.JobWaiting}, Name: "mail", Label: "customer", Value: "43"},
			[]string{y.ID},
		},
	} {
		ids, err := listed(ctx, q, queue, c.query)
		if err != nil {
			return err
		}
		if err := sameSet("list by "+c.what, ids, c.want); err != nil {
			return err
		}
	}
	ids, err := listed(ctx, q, e.name(), adapter.JobQuery{})
	if err != nil {
		return err
	}
	return sameSet("list of an unknown queue", ids, nil)
}

func listTime(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	jobs := newJobs(queue, 3)
	var created []time.Time
	for _, j := range jobs {
		if err := enqueue(ctx, q, j); err != nil {
			return err
		}
		known, _, err := lookup(ctx, q, queue, j.ID)
		if err != nil {
			return err
		}
		created = append(created, known.CreatedAt)
		if err := e.sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	between := func(i int) time.Time { return created[i].Add(created[i+1].Sub(created[i]) / 2) }
	for _, c := range []struct {
		after, before time.Time
		want          []string
	}{
		{between(0), time.Time{}, jobIDs(jobs[1:])},
		{time.Time{}, between(1), jobIDs(jobs[:2])},
		{between(0), between(1), jobIDs(jobs[1:2])},
	} {
		ids, err := listed(ctx, q, queue, adapter.JobQuery{After: c.after, Before: c.before})
		if err != nil {
			return err
		}
		if err := sameIDs(fmt.Sprintf("list of jobs created after %v and before %v", c.after, c.before), ids, c.want); err != nil {
			return err
		}
	}
	return nil
}
