package memory

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// Queue is an instance of the queues of a [Backend], like those of one process: it has its own consumers, and Close and
// Kill end them alone. It is an [adapter.Queue] and an [adapter.Annotator].
type Queue struct {
	b    *Backend
	done chan struct{} // closed by Close and Kill

	mu        sync.Mutex
	closed    bool // for good: by Close
	dead      bool // by Close or Kill
	consumers map[*consumer]struct{}
}

// Queue opens an instance.
func (b *Backend) Queue() *Queue {
	b.mu.Lock()
	b.running++
	first := b.running == 1
	b.mu.Unlock()
	if first {
		b.eachQueue((*jobQueue).setTimer)
	}
	return &Queue{b: b, done: make(chan struct{}), consumers: map[*consumer]struct{}{}}
}

func (b *Backend) eachQueue(do func(*jobQueue)) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, q := range b.queues {
		q.mu.Lock()
		do(q)
		q.mu.Unlock()
	}
}

// ExpireLease takes a running job from its consumer, as if the lease had run out, and reports whether one had it. It is for
// tests.
func (b *Backend) ExpireLease(queue, id string) bool {
	q := b.queue(queue, false)
	return q != nil && q.expireLease(id, b.now())
}

// Info returns what the queue claims.
func (in *Queue) Info() adapter.Info { return info(adapter.CapGlobalEvents | adapter.CapAnnotate) }

// usable returns an error once the instance is closed or the context has ended.
func (in *Queue) usable(ctx context.Context, op string) error {
	select {
	case <-in.done:
		return fail(op, adapter.ErrClosed, "")
	default:
		return ended(ctx, op)
	}
}

// batch is how many jobs are added under one lock, so that workers need not wait for a large call of Enqueue. While they wait
// they only spin if it is short: see [jobQueue.lock].
const batch = 16

// Enqueue adds jobs. See [adapter.Queue].
func (in *Queue) Enqueue(ctx context.Context, jobs ...adapter.NewJob) ([]adapter.Enqueued, error) {
	if err := in.usable(ctx, "enqueue"); err != nil {
		return nil, err
	}
	for i := range jobs {
		if jobs[i].ID == "" || jobs[i].Queue == "" {
			return nil, invalid("enqueue", fmt.Sprintf("job %d of %d has no ID or no queue", i+1, len(jobs)), "set NewJob.ID and NewJob.Queue")
		}
	}
	results := make([]adapter.Enqueued, len(jobs))
	for from := 0; from < len(jobs); {
		to := from + 1
		for to < len(jobs) && to-from < batch && jobs[to].Queue == jobs[from].Queue {
			to++
		}
		q := in.b.queue(jobs[from].Queue, true)
		full := q.enqueue(jobs[from:to], results[from:to])
		if full && (to == len(jobs) || jobs[to].Queue != q.name) {
			q.grow()
		}
		from = to
	}
	return results, nil
}

// enqueue adds a batch of jobs of this queue. It reports whether jobs wait and all workers are busy.
func (q *jobQueue) enqueue(jobs []adapter.NewJob, results []adapter.Enqueued) (full bool) {
	now := q.b.now()
	var made [batch]*job // before the lock is taken
	for i := range jobs {
		made[i] = newJob(&jobs[i], now)
	}
	q.lock()
	defer q.mu.Unlock()
	for i, j := range made[:len(jobs)] {
		id := jobs[i].ID
		results[i].ID = id
		if old := q.jobs[id]; old != nil {
			if !q.expired(old, now) {
				results[i].Existing = old.state
				jobPool.Put(j)
				continue
			}
			q.leave(old)
			q.forget(old)
		}
		q.add(j, now)
	}
	called := q.call()
	return !called && q.waiting.len() > 0 && !q.paused && len(q.consumers) > 0
}

// Consume takes jobs until ctx ends. A Concurrency below 1 counts as 1, and Prefetch is not needed: taking a job costs
// nothing here. A delivery must not be used after its handler has returned, its memory is. See [adapter.Queue].
func (in *Queue) Consume(ctx context.Context, queue string, o adapter.ConsumeOptions, h func(context.Context, *adapter.Delivery)) error {
	if queue == "" || h == nil {
		return invalid("consume", "no queue or no handler", "")
	}
	q := in.b.queue(queue, true)
	c := &consumer{name: o.Consumer, q: q, ctx: context.WithoutCancel(ctx), limit: o.Concurrency, h: h}
	in.mu.Lock()
	if in.dead {
		in.mu.Unlock()
		return fail("consume", adapter.ErrClosed, "")
	}
	in.consumers[c] = struct{}{}
	in.mu.Unlock()

	c.join()
	if o.Ready != nil {
		o.Ready()
	}
	q.mu.Lock()
	q.call()
	q.mu.Unlock()

	select {
	case <-ctx.Done():
		c.stop()
	case <-in.done:
	}
	c.wg.Wait()
	in.mu.Lock()
	delete(in.consumers, c)
	in.mu.Unlock()
	select {
	case <-in.done:
		return fail("consume", adapter.ErrClosed, "")
	default:
		return nil
	}
}

// Lookup returns the jobs with these IDs. See [adapter.Queue].
func (in *Queue) Lookup(ctx context.Context, queue string, ids ...string) ([]adapter.Job, error) {
	if err := in.usable(ctx, "lookup"); err != nil {
		return nil, err
	}
	q := in.b.queue(queue, false)
	if q == nil {
		return nil, nil
	}
	now := in.b.now()
	q.mu.Lock()
	defer q.mu.Unlock()
	found := make([]adapter.Job, 0, len(ids))
	for _, id := range ids {
		if j := q.jobs[id]; j != nil && !q.expired(j, now) {
			found = append(found, j.snapshot())
		}
	}
	return found, nil
}

// Stats returns the counts of queues. See [adapter.Queue].
func (in *Queue) Stats(ctx context.Context, queues ...string) ([]adapter.QueueStats, error) {
	if err := in.usable(ctx, "stats"); err != nil {
		return nil, err
	}
	if len(queues) == 0 {
		in.b.mu.RLock()
		for name := range in.b.queues {
			queues = append(queues, name)
		}
		in.b.mu.RUnlock()
		slices.Sort(queues)
	}
	stats := make([]adapter.QueueStats, len(queues))
	for i, name := range queues {
		stats[i] = in.b.stats(name)
	}
	return stats, nil
}

func (b *Backend) stats(name string) adapter.QueueStats {
	s := adapter.QueueStats{Queue: name, Counts: map[adapter.JobState]int64{
		adapter.JobWaiting: 0, adapter.JobDelayed: 0, adapter.JobActive: 0, adapter.JobCompleted: 0, adapter.JobFailed: 0,
	}}
	q := b.queue(name, false)
	if q == nil {
		return s
	}
	now := b.now()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expire(now)
	s.Paused = q.paused
	s.Counts[adapter.JobWaiting] = int64(q.waiting.len())
	s.Counts[adapter.JobDelayed] = int64(q.delayed)
	s.Counts[adapter.JobActive] = int64(q.active.len)
	s.Counts[adapter.JobCompleted] = int64(q.completed.len)
	s.Counts[adapter.JobFailed] = int64(q.failed.len)
	s.OldestWaiting = q.waiting.oldest()
	return s
}

// SetPaused pauses or resumes a queue. See [adapter.Queue].
func (in *Queue) SetPaused(ctx context.Context, queue string, paused bool) error {
	if err := in.usable(ctx, "set paused"); err != nil {
		return err
	}
	q := in.b.queue(queue, true)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.paused == paused {
		return nil
	}
	q.paused = paused
	if paused {
		q.event(adapter.EventPaused, nil, in.b.now(), nil)
		return nil
	}
	q.event(adapter.EventResumed, nil, in.b.now(), nil)
	q.call()
	return nil
}

// Close hands back the deliveries of this instance that still run, ends their contexts with [adapter.ErrClosed], and ends
// Consume and Watch. It does not wait for handlers: Consume does.
func (in *Queue) Close() error {
	in.mu.Lock()
	first := !in.closed
	in.closed = true
	in.mu.Unlock()
	if !first {
		return nil
	}
	in.end((*consumer).abandon)
	in.b.mu.Lock()
	in.b.running--
	last := in.b.running == 0
	in.b.mu.Unlock()
	if last {
		in.b.eachQueue(func(q *jobQueue) {
			if q.timer != nil {
				q.timer.Stop()
				q.timerAt = time.Time{}
			}
		})
	}
	return nil
}

// Kill drops the instance as the crash of its process would. Its methods return [adapter.ErrClosed], so nothing that its
// handlers still settle is accepted; its leases are not renewed, and run out by the clock when NewJob.Lease has passed
// since. The handlers themselves cannot be killed: their contexts end with [adapter.ErrLeaseLost] when the lease has run
// out, or with [adapter.ErrClosed] when Close is called after Kill. It is for tests.
func (in *Queue) Kill() { in.end((*consumer).kill) }

func (in *Queue) end(how func(*consumer)) {
	in.mu.Lock()
	first := !in.dead
	in.dead = true
	consumers := make([]*consumer, 0, len(in.consumers))
	for c := range in.consumers {
		consumers = append(consumers, c)
	}
	in.mu.Unlock()
	for _, c := range consumers {
		how(c)
	}
	if first {
		close(in.done)
	}
}
