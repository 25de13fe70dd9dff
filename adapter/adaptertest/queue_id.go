package adaptertest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

func queueIDChecks() []queueCheck {
	checks := []queueCheck{
		{Name: "id/twice-in-one-call", run: idTwiceInOneCall},
		{Name: "id/once-in-a-race", run: idOnceInARace},
		{Name: "id/outlives-the-kept-job", run: idOutlivesKeep},
	}
	for _, s := range allStates {
		checks = append(checks, queueCheck{
			Name: "id/refused-while-" + string(s),
			run:  func(ctx context.Context, e *queueEnv) error { return idRefused(ctx, e, s) },
		})
	}
	return checks
}

// bring puts a new job into a state and returns it.
func bring(ctx context.Context, e *queueEnv, q adapter.Queue, queue string, s adapter.JobState) (adapter.NewJob, error) {
	j := newJob(queue)
	j.Lease = time.Hour
	if s == adapter.JobDelayed {
		j.RunAt = time.Now().Add(time.Hour)
	}
	if err := enqueue(ctx, q, j); err != nil {
		return j, err
	}
	if s == adapter.JobWaiting || s == adapter.JobDelayed {
		return j, inState(ctx, q, queue, j.ID, s)
	}
	h, got := holding(e)
	c, err := consume(ctx, e, q, queue, 1, h)
	if err != nil {
		return j, err
	}
	d, err := next(e, "the job", got)
	if err != nil {
		return j, err
	}
	if d.mine.ID != j.ID {
		return j, fmt.Errorf("job %s was delivered, want %s", d.mine.ID, j.ID)
	}
	if s == adapter.JobActive {
		c.cancel() // takes nothing more; the handler stays
		return j, inState(ctx, q, queue, j.ID, s)
	}
	verdict := adapter.Complete
	if s == adapter.JobFailed {
		verdict = adapter.Fail
	}
	err = settle(ctx, q, &d.mine, verdict, func(st *adapter.Settlement) { st.Err = "broken" })
	if err != nil {
		return j, fmt.Errorf("settle: %w", err)
	}
	d.release()
	if err := c.stop(); err != nil {
		return j, err
	}
	_, err = untilState(ctx, e, q, queue, j.ID, s)
	return j, err
}

func idRefused(ctx context.Context, e *queueEnv, s adapter.JobState) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	j, err := bring(ctx, e, a, queue, s)
	if err != nil {
		return err
	}
	was, _, err := lookup(ctx, a, queue, j.ID)
	if err != nil {
		return err
	}
	again := j
	again.Data, again.Name, again.Priority, again.RunAt = json.RawMessage(`{"other":true}`), "other", 9, time.Time{}
	for _, q := range []adapter.Queue{a, b} {
		state, err := existing(ctx, q, again)
		if err != nil {
			return err
		}
		if state != s {
			return fmt.Errorf("enqueued again: reported as %q, want %q", state, s)
		}
	}
	is, found, err := lookup(ctx, a, queue, j.ID)
	if err != nil || !found {
		return fmt.Errorf("lookup: found %v, %w", found, errOr(err, "want true"))
	}
	if err := sameJob(is.NewJob, was.NewJob); err != nil {
		return fmt.Errorf("the duplicate changed the job: %w", err)
	}
	if is.State != s || !is.RunAt.Equal(was.RunAt) {
		return fmt.Errorf("the duplicate changed the job: state %s, run at %v, were %s, %v", is.State, is.RunAt, s, was.RunAt)
	}
	page, err := a.List(ctx, queue, adapter.JobQuery{})
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	return sameIDs("jobs after duplicates", idsOf(page.Items), []string{j.ID})
}

func idTwiceInOneCall(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	j := newJob(e.name())
	other := newJob(j.Queue)
	res, err := q.Enqueue(ctx, j, other, j)
	if err != nil {
		return fmt.Errorf("enqueue: %w", err)
	}
	want := []adapter.Enqueued{{ID: j.ID}, {ID: other.ID}, {ID: j.ID, Existing: adapter.JobWaiting}}
	for i := range want {
		if len(res) != 3 || res[i] != want[i] {
			return fmt.Errorf("enqueue of a, b, a: got %v, want %v", res, want)
		}
	}
	page, err := q.List(ctx, j.Queue, adapter.JobQuery{})
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	return sameSet("jobs", idsOf(page.Items), []string{j.ID, other.ID})
}

func idOnceInARace(ctx context.Context, e *queueEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	instances := []adapter.Queue{a, b}
	for range 10 {
		j := newJob(e.name())
		var created atomic.Int64
		err := e.all(8, func(i int) error {
			state, err := existing(ctx, instances[i%2], j)
			if state == "" && err == nil {
				created.Add(1)
			}
			return err
		})
		if err != nil {
			return err
		}
		if n := created.Load(); n != 1 {
			return fmt.Errorf("8 calls enqueued one ID: %d of them were told that they created it", n)
		}
		page, err := a.List(ctx, j.Queue, adapter.JobQuery{})
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		if err := sameIDs("jobs", idsOf(page.Items), []string{j.ID}); err != nil {
			return err
		}
	}
	return nil
}

func idOutlivesKeep(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	if q.Info().IDRetained == 0 {
		return nil // nothing is promised
	}
	j := newJob(e.name())
	j.Keep = adapter.Keep{Completed: -1, Failed: -1, Count: -1}
	if err := enqueue(ctx, q, j); err != nil {
		return err
	}
	var seen tally[adapter.Job]
	if _, err := consume(ctx, e, q, j.Queue, 1, completing(e, q, &seen)); err != nil {
		return err
	}
	if err := e.until(ctx, "the job is delivered", func() (bool, error) { return seen.len() > 0, nil }); err != nil {
		return err
	}
	if err := untilGone(ctx, e, q, j.Queue, j.ID); err != nil {
		return fmt.Errorf("a job that is not to be kept: %w", err)
	}
	state, err := existing(ctx, q, j)
	if err != nil {
		return err
	}
	if state != adapter.JobCompleted {
		return fmt.Errorf("IDRetained is %v, but the ID of a finished job is reported as %q", q.Info().IDRetained, state)
	}
	if err := e.quiet(ctx); err != nil {
		return err
	}
	if n := seen.len(); n != 1 {
		return fmt.Errorf("the job was delivered %d times", n)
	}
	return nil
}
