package queue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

const (
	// addBatch is how many jobs one call adds at most: enough to be fast, few enough to keep the server responsive.
	addBatch = 200
	// addBytes bounds what one call carries.
	addBytes = 4 << 20
)

// Enqueue adds jobs. Calls that are made at the same time share a round trip. See [adapter.Queue].
func (q *Queue) Enqueue(ctx context.Context, jobs ...adapter.NewJob) ([]adapter.Enqueued, error) {
	return q.enqueue(ctx, jobs, false)
}

// EnqueueFirst adds jobs before those that wait (BullMQ's option lifo), so that the last one of them is delivered first. They
// come back to the front when they are retried.
func (q *Queue) EnqueueFirst(ctx context.Context, jobs ...adapter.NewJob) ([]adapter.Enqueued, error) {
	return q.enqueue(ctx, jobs, true)
}

func (q *Queue) enqueue(ctx context.Context, jobs []adapter.NewJob, first bool) ([]adapter.Enqueued, error) {
	const op = "enqueue"
	if q.closed() {
		return nil, conn.Closed(op)
	}
	if ctx.Err() != nil {
		return nil, conn.Error(ctx, op, ctx.Err())
	}
	results := make([]adapter.Enqueued, len(jobs))
	now := time.Now()
	var requests []*addRequest
	for from := 0; from < len(jobs); {
		to := from
		for to < len(jobs) && jobs[to].Queue == jobs[from].Queue {
			to++
		}
		more, err := q.addRequests(ctx, jobs[from:to], results[from:to], now, first)
		if err != nil {
			return nil, err
		}
		requests = append(requests, more...)
		from = to
	}
	for _, r := range requests {
		r.adder.add(r)
	}
	var failed error
	for _, r := range requests {
		select {
		case err := <-r.done:
			if err != nil && failed == nil {
				failed = err
			}
		case <-ctx.Done():
			return nil, conn.Error(ctx, op, ctx.Err())
		}
	}
	if failed != nil {
		return nil, failed
	}
	return results, nil
}

// addRequests encodes jobs of one queue, as many to a request as one call may carry.
func (q *Queue) addRequests(ctx context.Context, jobs []adapter.NewJob, results []adapter.Enqueued, now time.Time,
	first bool) ([]*addRequest, error) {
	queue := jobs[0].Queue
	base, err := q.base("enqueue", queue)
	if err != nil {
		return nil, err
	}
	if err := q.remember(ctx, queue); err != nil {
		return nil, err
	}
	a := q.adder(base)
	var requests []*addRequest
	var r *addRequest
	for i := range jobs {
		if err := checkJob(&jobs[i]); err != nil {
			return nil, err
		}
		if r == nil || r.jobs == addBatch || r.bytes > addBytes {
			r = &addRequest{adder: a, results: results[i:i:len(results)], done: make(chan error, 1)}
			requests = append(requests, r)
		}
		before := len(r.args)
		if r.args, err = appendJob(r.args, &jobs[i], now, first); err != nil {
			return nil, conn.Invalid("enqueue", fmt.Sprintf("encode job %s: %v", jobs[i].ID, err), "")
		}
		for _, arg := range r.args[before:] {
			r.bytes += len(arg)
		}
		r.results = r.results[:len(r.results)+1]
		results[i].ID = jobs[i].ID
		r.jobs++
	}
	return requests, nil
}

// addRequest is a call's jobs for one queue.
type addRequest struct {
	adder   *adder
	args    []string
	jobs    int
	bytes   int
	results []adapter.Enqueued // of the caller: filled in before done is sent to
	done    chan error
}

// adder adds jobs to one queue, with one call on its way at a time: that keeps the order, and jobs that come meanwhile wait
// and go together.
type adder struct {
	q       *Queue
	base    string
	mu      sync.Mutex
	waiting []*addRequest
	working bool
}

func (q *Queue) adder(base string) *adder {
	q.mu.Lock()
	defer q.mu.Unlock()
	a := q.adders[base]
	if a == nil {
		a = &adder{q: q, base: base}
		q.adders[base] = a
	}
	return a
}

// add queues a request, and starts to work if nobody does.
func (a *adder) add(r *addRequest) {
	a.mu.Lock()
	a.waiting = append(a.waiting, r)
	start := !a.working
	a.working = true
	a.mu.Unlock()
	if start && !a.q.background(a.work) {
		a.mu.Lock()
		waiting := a.waiting
		a.waiting, a.working = nil, false
		a.mu.Unlock()
		for _, r := range waiting {
			r.done <- conn.Closed("enqueue")
		}
	}
}

// work sends what waits until nothing does. One caller's cancellation must not touch the jobs of others, so the context is
// the queue's own: a connection that keeps silent ends by its own timeout.
func (a *adder) work() {
	for {
		a.mu.Lock()
		n, jobs, bytes := 0, 0, 0
		for n < len(a.waiting) && (n == 0 || jobs+a.waiting[n].jobs <= addBatch && bytes+a.waiting[n].bytes <= addBytes) {
			jobs += a.waiting[n].jobs
			bytes += a.waiting[n].bytes
			n++
		}
		if n == 0 {
			a.waiting, a.working = nil, false
			a.mu.Unlock()
			return
		}
		batch := a.waiting[:n:n]
		a.waiting = a.waiting[n:]
		a.mu.Unlock()
		a.send(batch, jobs)
	}
}

func (a *adder) send(batch []*addRequest, jobs int) {
	args := make([]string, 0, jobs*argsPerJob+1)
	args = append(args, a.base)
	for _, r := range batch {
		args = append(args, r.args...)
	}
	ctx := context.Background()
	reply, err := addScript.Exec(ctx, a.q.client, []string{a.base + "meta"}, args).ToArray()
	if err == nil && len(reply) != jobs {
		err = fmt.Errorf("%d answers for %d jobs", len(reply), jobs)
	}
	if err != nil {
		err = conn.Error(ctx, "enqueue", err)
		for _, r := range batch {
			r.done <- err
		}
		return
	}
	for _, r := range batch {
		r.fill(reply[:r.jobs])
		reply = reply[r.jobs:]
		r.done <- nil
	}
}

func (r *addRequest) fill(reply []rueidis.RedisMessage) {
	for i := range reply {
		r.results[i].Existing = states[text(reply[i])]
	}
}
