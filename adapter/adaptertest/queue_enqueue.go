package adaptertest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

func queueEnqueueChecks() []queueCheck {
	return []queueCheck{
		{Name: "enqueue/keeps-every-field", run: enqueueKeepsFields},
		{Name: "enqueue/keeps-json-values", run: enqueueKeepsValues},
		{Name: "enqueue/takes-the-biggest-payload", run: enqueueBig},
		{Name: "enqueue/nothing-is-nothing", run: enqueueNothing},
		{Name: "enqueue/one-call-for-many-queues", run: enqueueManyQueues},
		{Name: "enqueue/survives-a-restart", run: enqueueSurvivesRestart, alone: true},
	}
}

func enqueueKeepsFields(ctx context.Context, e *queueEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	want := adapter.NewJob{
		ID: uuid(), Queue: queue, Name: "order.charge", Data: json.RawMessage(`{"amount":12.50}`),
		Headers:  map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Ünï": "ç=;,\n"},
		Labels:   map[string]string{"customer": "42", "": "empty key", "space d": "a:b/c"},
		Attempts: 5, Priority: 3, Redeliver: 4, Lease: 10 * e.h.Lease, Timeout: 100 * e.h.Lease,
		Backoff: adapter.Backoff{Kind: adapter.BackoffExponential, Base: 2 * time.Second, Max: time.Minute, Jitter: 0.25},
		Keep:    adapter.Keep{Completed: time.Hour, Failed: 2 * time.Hour, Count: 500},
	}
	before := time.Now()
	if err := enqueue(ctx, a, want); err != nil {
		return err
	}
	j, found, err := lookup(ctx, b, queue, want.ID)
	if err != nil || !found {
		return fmt.Errorf("lookup from another instance: found %v, %w", found, errOr(err, "want true"))
	}
	if err := sameJob(j.NewJob, want); err != nil {
		return fmt.Errorf("lookup: %w", err)
	}
	if j.State != adapter.JobWaiting || j.Attempt != 0 || j.Delivery != 0 {
		return fmt.Errorf("new job: state %s, attempt %d, delivery %d", j.State, j.Attempt, j.Delivery)
	}
	if j.CreatedAt.IsZero() || j.CreatedAt.Before(before.Add(-time.Hour)) {
		return fmt.Errorf("new job: created at %v, now is %v", j.CreatedAt, before)
	}
	if !j.FinishedAt.IsZero() {
		return fmt.Errorf("new job: finished at %v", j.FinishedAt)
	}
	h, got := holding(e)
	if _, err := consume(ctx, e, b, queue, 1, h); err != nil {
		return err
	}
	d, err := next(e, "the job", got)
	if err != nil {
		return err
	}
	if err := sameJob(d.mine.NewJob, want); err != nil {
		return fmt.Errorf("delivery: %w", err)
	}
	return nil
}

func sameJob(got, want adapter.NewJob) error {
	if err := sameJSON(got.Data, want.Data); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	for _, f := range []struct {
		name      string
		got, want any
	}{
		{"ID", got.ID, want.ID},
		{"Queue", got.Queue, want.Queue},
		{"Name", got.Name, want.Name},
		{"Attempts", got.Attempts, want.Attempts},
		{"Backoff", got.Backoff, want.Backoff},
		{"Priority", got.Priority, want.Priority},
		{"Redeliver", got.Redeliver, want.Redeliver},
		{"Lease", got.Lease, want.Lease},
		{"Timeout", got.Timeout, want.Timeout},
		{"Keep", got.Keep, want.Keep},
	} {
		if f.got != f.want {
			return fmt.Errorf("%s: got %v, want %v", f.name, f.got, f.want)
		}
	}
	if !maps.Equal(got.Headers, want.Headers) {
		return fmt.Errorf("headers: got %v, want %v", got.Headers, want.Headers)
	}
	if !maps.Equal(got.Labels, want.Labels) {
		return fmt.Errorf("labels: got %v, want %v", got.Labels, want.Labels)
	}
	return nil
}

func enqueueKeepsValues(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	jobs := newJobs(queue, len(fidelity))
	want := map[string]json.RawMessage{}
	for i, f := range fidelity {
		jobs[i].Data = json.RawMessage(f.json)
		want[jobs[i].ID] = jobs[i].Data
	}
	if err := enqueue(ctx, q, jobs...); err != nil {
		return err
	}
	var seen tally[error]
	_, err = consume(ctx, e, q, queue, 4, func(hctx context.Context, d *adapter.Delivery) {
		finish(hctx, e, q, d, adapter.Complete, func(s *adapter.Settlement) { s.Result = want[d.ID] })
		seen.add(sameJSON(d.Data, want[d.ID]))
	})
	if err != nil {
		return err
	}
	if err := e.until(ctx, "all jobs were delivered", func() (bool, error) { return seen.len() >= len(jobs), nil }); err != nil {
		return err
	}
	for _, err := range seen.list() {
		if err != nil {
			return fmt.Errorf("delivered data: %w", err)
		}
	}
	for i, f := range fidelity {
		j, err := untilState(ctx, e, q, queue, jobs[i].ID, adapter.JobCompleted)
		if err != nil {
			return err
		}
		if err := sameJSON(j.Result, jobs[i].Data); err != nil {
			return fmt.Errorf("result (%s): %w", f.name, err)
		}
	}
	return nil
}

func enqueueBig(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	j := newJob(e.name())
	j.Data = bulk(e.h.MaxPayload)
	if err := enqueue(ctx, q, j); err != nil {
		return err
	}
	h, got := holding(e)
	if _, err := consume(ctx, e, q, j.Queue, 1, h); err != nil {
		return err
	}
	d, err := next(e, "the job", got)
	if err != nil {
		return err
	}
	return sameJSON(d.mine.Data, j.Data)
}

func enqueueNothing(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	if res, err := q.Enqueue(ctx); err != nil || len(res) != 0 {
		return fmt.Errorf("enqueue of no jobs: %d results, %w", len(res), errOr(err, "want none"))
	}
	if errs := q.Settle(ctx); len(errs) != 0 {
		return fmt.Errorf("settle of no deliveries: %v", errs)
	}
	return nil
}

func enqueueManyQueues(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queues := []string{e.name(), e.name(), e.name()}
	shared := uuid()
	var jobs []adapter.NewJob
	for i := range 9 {
		jobs = append(jobs, newJob(queues[i%3]))
	}
	for _, name := range queues { // an ID is known within its queue only
		j := newJob(name)
		j.ID = shared
		jobs = append(jobs, j)
	}
	if err := enqueue(ctx, q, jobs...); err != nil {
		return err
	}
	for i, name := range queues {
		page, err := q.List(ctx, name, adapter.JobQuery{})
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		want := []string{jobs[i].ID, jobs[i+3].ID, jobs[i+6].ID, shared}
		if err := sameSet("jobs of queue "+name, idsOf(page.Items), want); err != nil {
			return err
		}
	}
	return nil
}

func enqueueSurvivesRestart(ctx context.Context, e *queueEnv) error {
	if e.backend.Restart == nil {
		return nil // this backend cannot be restarted
	}
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	if q.Info().Durability != adapter.DurableSync {
		return nil // nothing is promised
	}
	queue := e.name()
	jobs := newJobs(queue, 20)
	if err := enqueue(ctx, q, jobs...); err != nil {
		return err
	}
	var seen tally[adapter.Job]
	c, err := consume(ctx, e, q, e.name(), 1, completing(e, q, &seen)) // must reconnect by itself
	if err != nil {
		return err
	}
	if err := e.backend.Restart(ctx); err != nil {
		return fmt.Errorf("restart the backend: %w", err)
	}
	if err := c.stop(); err != nil {
		return err
	}
	if q, err = e.open(ctx); err != nil {
		return err
	}
	if _, err := consume(ctx, e, q, queue, 4, completing(e, q, &seen)); err != nil {
		return err
	}
	for _, j := range jobs {
		if _, err := untilState(ctx, e, q, queue, j.ID, adapter.JobCompleted); err != nil {
			return fmt.Errorf("job enqueued before the restart: %w", err)
		}
	}
	return nil
}
