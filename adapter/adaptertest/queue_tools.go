package adaptertest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

type (
	queueEnv   = env[adapter.Queue]
	queueCheck = Check[adapter.Queue]
	handler    = func(ctx context.Context, d *adapter.Delivery)
)

// kept keeps finished jobs for longer than any check takes.
var kept = adapter.Keep{Completed: time.Hour, Failed: time.Hour, Count: 10_000}

var allStates = []adapter.JobState{
	adapter.JobWaiting, adapter.JobDelayed, adapter.JobActive, adapter.JobCompleted, adapter.JobFailed,
}

// uuid returns a random UUID.
func uuid() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newJob returns a plain job of a queue.
func newJob(queue string) adapter.NewJob {
	return adapter.NewJob{ID: uuid(), Queue: queue, Name: "work", Data: json.RawMessage(`{}`), Attempts: 1, Keep: kept}
}

func newJobs(queue string, n int) []adapter.NewJob {
	jobs := make([]adapter.NewJob, n)
	for i := range jobs {
		jobs[i] = newJob(queue)
		jobs[i].Data = json.RawMessage(fmt.Sprintf(`{"i":%d}`, i))
	}
	return jobs
}

func jobIDs(jobs []adapter.NewJob) []string {
	ids := make([]string, len(jobs))
	for i, j := range jobs {
		ids[i] = j.ID
	}
	return ids
}

func idsOf(jobs []adapter.Job) []string {
	ids := make([]string, len(jobs))
	for i, j := range jobs {
		ids[i] = j.ID
	}
	return ids
}

// enqueue adds jobs that must all be new.
func enqueue(ctx context.Context, q adapter.Queue, jobs ...adapter.NewJob) error {
	res, err := q.Enqueue(ctx, jobs...)
	if err != nil {
		return fmt.Errorf("enqueue: %w", err)
	}
	if len(res) != len(jobs) {
		return fmt.Errorf("enqueue: %d results for %d jobs", len(res), len(jobs))
	}
	ids := jobIDs(jobs)
	for i, r := range res {
		if want := ids[i]; r.ID != want {
			return fmt.Errorf("enqueue: result %d is of %s, want %s", i, r.ID, want)
		}
		if r.Existing != "" {
			return fmt.Errorf("enqueue: job %d is new, but reported as existing (%s)", i, r.Existing)
		}
	}
	return nil
}

// existing enqueues a job again and returns the state that is reported.
func existing(ctx context.Context, q adapter.Queue, j adapter.NewJob) (adapter.JobState, error) {
	res, err := q.Enqueue(ctx, j)
	if err != nil || len(res) != 1 {
		return "", fmt.Errorf("enqueue again: %d results, %w", len(res), errOr(err, "want one"))
	}
	return res[0].Existing, nil
}

func errOr(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}

// lookup returns one job; ok is false if the queue does not know it.
func lookup(ctx context.Context, q adapter.Queue, queue, id string) (j adapter.Job, ok bool, err error) {
	jobs, err := q.Lookup(ctx, queue, id)
	switch {
	case err != nil:
		return j, false, fmt.Errorf("lookup: %w", err)
	case len(jobs) == 0:
		return j, false, nil
	case len(jobs) > 1 || jobs[0].ID != id:
		return j, false, fmt.Errorf("lookup of %s returned %v", id, idsOf(jobs))
	}
	return jobs[0], true, nil
}

// untilState waits until a job is in a state, and returns it.
func untilState(ctx context.Context, e *queueEnv, q adapter.Queue, queue, id string, s adapter.JobState) (adapter.Job, error) {
	var job adapter.Job
	var found bool
	err := e.until(ctx, fmt.Sprintf("job is %s", s), func() (ok bool, err error) {
		job, found, err = lookup(ctx, q, queue, id)
		return found && job.State == s, err
	})
	if err != nil {
		return job, fmt.Errorf("%w (found %v, last state %q)", err, found, job.State)
	}
	return job, nil
}

// untilGone waits until the queue no longer knows a job.
func untilGone(ctx context.Context, e *queueEnv, q adapter.Queue, queue, id string) error {
	return e.until(ctx, "job is gone", func() (bool, error) {
		_, found, err := lookup(ctx, q, queue, id)
		return !found, err
	})
}

// inState fails unless a job is in a state.
func inState(ctx context.Context, q adapter.Queue, queue, id string, s adapter.JobState) error {
	j, found, err := lookup(ctx, q, queue, id)
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("job is unknown, want %s", s)
	case j.State != s:
		return fmt.Errorf("job is %s, want %s", j.State, s)
	}
	return nil
}

// consumer is a Consume call that runs.
type consumer struct {
	e      *queueEnv
	cancel context.CancelFunc
	done   <-chan error
}

// consume starts Consume and waits until it takes jobs.
func consume(ctx context.Context, e *queueEnv, q adapter.Queue, queue string, limit int, h handler) (*consumer, error) {
	return consumeWith(ctx, e, q, queue, adapter.ConsumeOptions{Concurrency: func() int { return limit }}, h)
}

func consumeWith(
	ctx context.Context, e *queueEnv, q adapter.Queue, queue string, o adapter.ConsumeOptions, h handler,
) (*consumer, error) {
	ctx, cancel := context.WithCancel(ctx)
	began := make(chan struct{}, 100)
	o.Consumer = e.prefix
	o.Ready = func() { began <- struct{}{} }
	done := e.start(func() error { return q.Consume(ctx, queue, o, h) })
	c := &consumer{e: e, cancel: cancel, done: done}
	t := time.NewTimer(e.h.Patience)
	defer t.Stop()
	select {
	case <-began:
		return c, nil
	case err := <-done:
		cancel()
		return nil, fmt.Errorf("consume returned at once: %w", errOr(err, "with nil"))
	case <-t.C:
		cancel()
		return nil, errors.New("consume did not become ready")
	}
}

// stop ends the consumer's context and waits for Consume to return nil.
func (c *consumer) stop() error {
	c.cancel()
	if err := c.e.ended("consume", c.done); err != nil {
		return fmt.Errorf("consume after its context ended: %w", err)
	}
	return nil
}

// settle settles one delivery.
func settle(ctx context.Context, q adapter.Queue, d *adapter.Delivery, v adapter.Verdict, edit func(*adapter.Settlement)) error {
	s := adapter.Settlement{Queue: d.Queue, ID: d.ID, Receipt: d.Receipt, Verdict: v}
	if edit != nil {
		edit(&s)
	}
	errs := q.Settle(ctx, s)
	if len(errs) != 1 {
		return fmt.Errorf("settle one delivery: %d results", len(errs))
	}
	return errs[0]
}

// finish settles a delivery in its handler. Where that fails the handler waits for the end of the check: to return would hand
// the job back, and a driver that refuses every settlement would deliver it for ever.
func finish(
	ctx context.Context, e *queueEnv, q adapter.Queue, d *adapter.Delivery, v adapter.Verdict, edit func(*adapter.Settlement),
) {
	if settle(ctx, q, d, v, edit) != nil {
		<-e.over
	}
}

// completing returns a handler that adds each delivery to t and completes it.
func completing(e *queueEnv, q adapter.Queue, t *tally[adapter.Job]) handler {
	return func(ctx context.Context, d *adapter.Delivery) {
		t.add(d.Job)
		finish(ctx, e, q, d, adapter.Complete, nil)
	}
}

// held is a delivery whose handler waits until it is let go.
type held struct {
	ctx   context.Context
	letGo chan struct{}
	mine  adapter.Delivery // a copy, to be used after the handler has returned too
}

func (h *held) release() { close(h.letGo) }

// holding returns a handler that passes each delivery on and waits for it to be let go, and the channel they arrive on.
func holding(e *queueEnv) (handler, <-chan *held) {
	got := make(chan *held, 1000)
	return func(ctx context.Context, d *adapter.Delivery) {
		h := &held{ctx: ctx, letGo: make(chan struct{}), mine: *d}
		got <- h
		select {
		case <-h.letGo:
		case <-e.over:
		}
	}, got
}

// next waits for a held delivery.
func next(e *queueEnv, what string, got <-chan *held) (*held, error) {
	t := time.NewTimer(e.h.Patience)
	defer t.Stop()
	select {
	case h := <-got:
		return h, nil
	case <-t.C:
		return nil, fmt.Errorf("%s was not delivered within %v", what, e.h.Patience)
	}
}

// none fails if something is delivered while the check watches.
func none(ctx context.Context, e *queueEnv, what string, got <-chan *held) error {
	if err := e.quiet(ctx); err != nil {
		return err
	}
	select {
	case h := <-got:
		return fmt.Errorf("%s was delivered (job %s, delivery %d)", what, h.mine.ID, h.mine.Delivery)
	default:
		return nil
	}
}

// sameIDs fails unless both lists hold the same in the same order.
func sameIDs(what string, got, want []string) error {
	if slices.Equal(got, want) {
		return nil
	}
	return fmt.Errorf("%s: got %d %v, want %d %v", what, len(got), got, len(want), want)
}

// sameSet fails unless both lists hold the same.
func sameSet(what string, got, want []string) error {
	g, w := slices.Clone(got), slices.Clone(want)
	slices.Sort(g)
	slices.Sort(w)
	return sameIDs(what, g, w)
}
