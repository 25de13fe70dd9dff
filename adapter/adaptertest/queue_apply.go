package adaptertest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

func queueApplyChecks() []queueCheck {
	checks := []queueCheck{
		{Name: "apply/retry-starts-anew", run: applyRetry},
		{Name: "apply/promote-is-now", run: applyPromote},
		{Name: "apply/removed-id-is-free", run: applyRemoved},
		{Name: "apply/by-query-in-portions", run: applyQuery},
	}
	for _, a := range []struct {
		action  adapter.JobAction
		applies []adapter.JobState
		after   adapter.JobState // empty: gone
	}{
		{adapter.ActionRetry, []adapter.JobState{adapter.JobFailed}, adapter.JobWaiting},
		{adapter.ActionRemove, without(adapter.JobActive), ""},
		{adapter.ActionPromote, []adapter.JobState{adapter.JobDelayed}, adapter.JobWaiting},
		{adapter.ActionCancel, without(adapter.JobCompleted, adapter.JobFailed), ""},
	} {
		checks = append(checks, queueCheck{
			Name: fmt.Sprintf("apply/%s-only-where-it-applies", a.action),
			run: func(ctx context.Context, e *queueEnv) error {
				return applyStates(ctx, e, a.action, a.applies, a.after)
			},
		})
	}
	return checks
}

// without returns all states but these.
func without(not ...adapter.JobState) []adapter.JobState {
	return slices.DeleteFunc(slices.Clone(allStates), func(s adapter.JobState) bool { return slices.Contains(not, s) })
}

func apply(ctx context.Context, q adapter.Queue, queue string, a adapter.JobAction, sel adapter.Selection, want int) error {
	n, err := q.Apply(ctx, queue, a, sel)
	if err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	if n != want {
		return fmt.Errorf("%s changed %d jobs, want %d", a, n, want)
	}
	return nil
}

func applyStates(ctx context.Context, e *queueEnv, a adapter.JobAction, applies []adapter.JobState, after adapter.JobState) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	for _, s := range allStates {
		queue := e.name() // of its own, so that nothing takes the job afterwards
		j, err := bring(ctx, e, q, queue, s)
		if err != nil {
			return err
		}
		want, changed := s, 0
		if slices.Contains(applies, s) {
			want, changed = after, 1
		}
		sel := adapter.Selection{IDs: []string{j.ID, uuid()}}
		if err := apply(ctx, q, queue, a, sel, changed); err != nil {
			return fmt.Errorf("a job that is %s: %w", s, err)
		}
		if want != "" {
			err = inState(ctx, q, queue, j.ID, want)
		} else {
			err = untilGone(ctx, e, q, queue, j.ID)
		}
		if err != nil {
			return fmt.Errorf("%s of a job that is %s: %w", a, s, err)
		}
	}
	return nil
}

func applyRetry(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	j, err := bring(ctx, e, q, queue, adapter.JobFailed)
	if err != nil {
		return err
	}
	if err := apply(ctx, q, queue, adapter.ActionRetry, adapter.Selection{IDs: []string{j.ID}}, 1); err != nil {
		return err
	}
	h, got := holding(e)
	if _, err := consume(ctx, e, q, queue, 1, h); err != nil {
		return err
	}
	d, err := next(e, "the retried job", got)
	if err != nil {
		return err
	}
	if d.mine.Attempt != 0 {
		return fmt.Errorf("a failed job that is retried starts with attempt %d used, want 0", d.mine.Attempt)
	}
	return sameJob(d.mine.NewJob, j)
}

func applyPromote(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	j := newJob(e.name())
	j.RunAt = time.Now().Add(time.Hour)
	if err := enqueue(ctx, q, j); err != nil {
		return err
	}
	h, got := holding(e)
	if _, err := consume(ctx, e, q, j.Queue, 1, h); err != nil {
		return err
	}
	if err := apply(ctx, q, j.Queue, adapter.ActionPromote, adapter.Selection{IDs: []string{j.ID}}, 1); err != nil {
		return err
	}
	_, err = next(e, "the promoted job", got)
	return err
}

func applyRemoved(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	for _, a := range []adapter.JobAction{adapter.ActionRemove, adapter.ActionCancel} {
		j := newJob(e.name())
		if err := enqueue(ctx, q, j); err != nil {
			return err
		}
		if err := apply(ctx, q, j.Queue, a, adapter.Selection{IDs: []string{j.ID}}, 1); err != nil {
			return err
		}
		h, got := holding(e)
		if _, err := consume(ctx, e, q, j.Queue, 1, h); err != nil {
			return err
		}
		if err := none(ctx, e, "a job after "+string(a), got); err != nil {
			return err
		}
		if err := enqueue(ctx, q, j); err != nil {
			return fmt.Errorf("the ID of a job after %s: %w", a, err)
		}
		if _, err := next(e, "a job with the ID of one that is gone", got); err != nil {
			return err
		}
	}
	return nil
}

func applyQuery(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	jobs := newJobs(queue, 13)
	for i := range jobs {
		jobs[i].Labels = map[string]string{"batch": "x"}
	}
	jobs[4].Labels, jobs[9].Labels = nil, map[string]string{"batch": "y"}
	if err := enqueue(ctx, q, jobs...); err != nil {
		return err
	}
	sel := adapter.Selection{Query: &adapter.JobQuery{Label: "batch", Value: "x"}, Limit: 4}
	for _, want := range []int{4, 4, 3, 0} {
		if err := apply(ctx, q, queue, adapter.ActionRemove, sel, want); err != nil {
			return fmt.Errorf("in portions of 4: %w", err)
		}
	}
	ids, err := listed(ctx, q, queue, adapter.JobQuery{})
	if err != nil {
		return err
	}
	return sameSet("jobs that were not selected", ids, []string{jobs[4].ID, jobs[9].ID})
}
