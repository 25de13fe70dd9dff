package adaptertest

import (
	"context"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
)

func queuePageChecks() []queueCheck {
	return []queueCheck{
		{Name: "page/default-limit-is-100", run: pageDefault},
		{Name: "page/nothing-twice-nothing-missed-under-change", run: pageUnderChange},
	}
}

func pageDefault(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	jobs := newJobs(queue, 130)
	if err := enqueue(ctx, q, jobs...); err != nil {
		return err
	}
	page, err := q.List(ctx, queue, adapter.JobQuery{})
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	if len(page.Items) != 100 || page.Next == "" {
		return fmt.Errorf("list of 130 jobs without a limit: %d jobs, cursor %q, want 100 and a cursor", len(page.Items), page.Next)
	}
	ids, err := listed(ctx, q, queue, adapter.JobQuery{})
	if err != nil {
		return err
	}
	return sameSet("all pages", ids, jobIDs(jobs))
}

// pageUnderChange adds and finishes jobs between pages: those that were there all the time come exactly once.
func pageUnderChange(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	for _, desc := range []bool{false, true} {
		if err := pageThrough(ctx, e, q, desc); err != nil {
			return fmt.Errorf("newest first %v: %w", desc, err)
		}
	}
	return nil
}

func pageThrough(ctx context.Context, e *queueEnv, q adapter.Queue, desc bool) error {
	queue := e.name()
	jobs := newJobs(queue, 20)
	if err := enqueue(ctx, q, jobs...); err != nil {
		return err
	}
	var seen tally[adapter.Job]
	counts := map[string]int{}
	query := adapter.JobQuery{Limit: 4, Desc: desc}
	for pages := 0; ; pages++ {
		page, err := q.List(ctx, queue, query)
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		for _, id := range idsOf(page.Items) {
			if counts[id]++; counts[id] > 1 {
				return fmt.Errorf("job %s is on two pages", id)
			}
		}
		if page.Next == "" {
			break
		}
		if query.Cursor = page.Next; pages > 20 {
			return fmt.Errorf("list does not end: %d jobs so far", len(counts))
		}
		if pages == 1 {
			if _, err := consume(ctx, e, q, queue, 1, completing(e, q, &seen)); err != nil {
				return err
			}
		}
		if pages < 4 {
			if err := enqueue(ctx, q, newJob(queue)); err != nil {
				return err
			}
		}
	}
	for i, j := range jobs {
		if counts[j.ID] == 0 {
			return fmt.Errorf("job %d was there all the time, but is on no page", i)
		}
	}
	return nil
}
