package memory

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// jobQueue is one queue. Its methods, except for wake-ups from outside, are called with mu held.
type jobQueue struct {
	b    *Backend
	name string

	mu        sync.Mutex
	jobs      map[string]*job
	all       catalogue
	waiting   line
	timed     jobHeap // delayed jobs, deliveries with a time limit, deliveries of killed instances: by job.due
	timer     adapter.Timer
	timerAt   time.Time // zero: not set
	active    jobList
	completed jobList
	failed    jobList
	delayed   int
	shortKept bool // some finished job is kept for another time than the ones before it
	seq       uint64
	handed    [256]*delivery // some that are live, by number: most settlements find theirs without a look at jobs
	paused    bool

	tickets   atomic.Uint64
	consumers []*consumer
	turn      int  // of the consumers: who is asked first
	calling   bool // a worker has been called and has not come yet
	watchers  []*watcher
}

// queue returns the queue of a name. It makes it, or returns nil if create is false.
func (b *Backend) queue(name string, create bool) *jobQueue {
	b.mu.RLock()
	q := b.queues[name]
	b.mu.RUnlock()
	if q != nil || !create {
		return q
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if q = b.queues[name]; q == nil {
		q = &jobQueue{b: b, name: name, jobs: map[string]*job{}, waiting: newLine(), timed: jobHeap{less: sooner}}
		b.queues[name] = q
	}
	return q
}

// lock locks the queue, as all that happens for every job does. It spins longer than a mutex would: workers and callers of
// Enqueue meet here all the time, and soon leave again. A mutex never spins on a processor that has other goroutines to run,
// and a worker that waits makes room for the next one to come and wait.
func (q *jobQueue) lock() {
	const attempts = 1000 // some microseconds
	for range attempts {
		if q.mu.TryLock() {
			return
		}
	}
	q.mu.Lock()
}

// add puts a new job where it belongs.
func (q *jobQueue) add(j *job, now time.Time) {
	q.jobs[j.spec.ID] = j
	q.all.add(j)
	q.seq++
	j.seq = q.seq
	q.event(adapter.EventAdded, j, now, nil)
	if runAt := j.spec.RunAt; runAt.After(now) {
		q.delay(j, runAt)
	} else {
		q.wait(j, now)
	}
}

func (q *jobQueue) wait(j *job, now time.Time) {
	j.state = adapter.JobWaiting
	q.waiting.push(j)
	q.event(adapter.EventWaiting, j, now, nil)
}

func (q *jobQueue) delay(j *job, due time.Time) {
	j.state = adapter.JobDelayed
	q.delayed++
	q.setDue(j, due)
}

// setDue puts the job into the heap of what the timer brings, or moves it there.
func (q *jobQueue) setDue(j *job, due time.Time) {
	j.due = due
	if j.index < 0 {
		heap.Push(&q.timed, j)
	} else {
		heap.Fix(&q.timed, j.index)
	}
	q.setTimer()
}

// leave takes the job out of what its state keeps it in.
func (q *jobQueue) leave(j *job) {
	switch j.state {
	case adapter.JobWaiting:
		q.waiting.remove(j)
	case adapter.JobDelayed:
		q.delayed--
		heap.Remove(&q.timed, j.index)
	case adapter.JobActive:
		if at := q.place(j.held.number); *at == j.held {
			*at = nil
		}
		j.held.live = false
		j.held = nil
		q.active.remove(j)
		if j.index >= 0 {
			heap.Remove(&q.timed, j.index)
		}
	case adapter.JobCompleted:
		q.completed.remove(j)
	case adapter.JobFailed:
		q.failed.remove(j)
	}
}

// forget removes a job that has left. It must not be looked at after that.
func (q *jobQueue) forget(j *job) {
	delete(q.jobs, j.spec.ID)
	q.all.remove(j)
	jobPool.Put(j)
}

// place returns where a delivery may be found by its number.
func (q *jobQueue) place(number uint64) **delivery { return &q.handed[number%uint64(len(q.handed))] }

// take hands the next job to a worker, under a ticket that has not been used, or returns nil.
func (q *jobQueue) take(w *worker) *delivery {
	if q.paused {
		return nil
	}
	j := q.waiting.pop()
	if j == nil {
		return nil
	}
	t := &w.ticket
	j.started = t.at
	if j.started.Before(j.created) {
		j.started = j.created // the ticket is older than the job
	}
	j.state = adapter.JobActive
	j.delivered++
	q.active.push(j)
	d := &w.delivery
	*d = delivery{
		d: adapter.Delivery{Receipt: t.receipt, Job: adapter.Job{
			NewJob: j.spec, State: adapter.JobActive, Attempt: j.attempt, Delivery: j.delivered, Error: j.err,
			CreatedAt: j.created, StartedAt: j.started,
		}},
		ctx: t.ctx, number: t.number, job: j, consumer: w.consumer, live: true,
	}
	j.held = d
	*q.place(t.number) = d
	if j.annotation != nil {
		d.d.Progress = j.annotation.progress
	}
	if limit := j.spec.Timeout; limit > 0 {
		q.setDue(j, j.started.Add(limit))
	}
	q.event(adapter.EventActive, j, j.started, nil)
	return d
}

// release hands an active job back. It keeps its place in line.
func (q *jobQueue) release(j *job, delay time.Duration, now time.Time) {
	q.leave(j)
	if delay > 0 {
		q.delay(j, now.Add(delay))
		return
	}
	q.wait(j, now)
}

// retry ends an attempt of an active job. It goes to the end of the line, so that a job that fails at once over and over
// holds up nobody.
func (q *jobQueue) retry(j *job, errText string, delay time.Duration, now time.Time) {
	j.attempt++
	j.err = errText
	q.leave(j)
	q.seq++
	j.seq = q.seq
	if delay > 0 {
		q.delay(j, now.Add(delay))
		return
	}
	q.wait(j, now)
}

func (q *jobQueue) complete(j *job, result []byte, now time.Time) {
	j.attempt++
	j.result = result
	q.event(adapter.EventCompleted, j, now, result)
	q.finish(j, adapter.JobCompleted, now)
}

func (q *jobQueue) fail(j *job, errText string, now time.Time) {
	j.err = errText
	if len(q.watchers) > 0 {
		text, _ := json.Marshal(errText) // a string always has a JSON form
		q.event(adapter.EventFailed, j, now, text)
	}
	q.finish(j, adapter.JobFailed, now)
}

func (q *jobQueue) finish(j *job, state adapter.JobState, now time.Time) {
	q.leave(j)
	j.state, j.finished = state, now
	list := q.finishedList(state)
	age, count := j.keep(&q.b.o)
	if age < 0 || count < 0 {
		q.forget(j)
		return
	}
	if list.tail != nil && age < q.ageOf(list.tail) {
		q.shortKept = true
	}
	list.push(j)
	for list.len > count || list.head != nil && q.expired(list.head, now) {
		old := list.head
		list.remove(old)
		q.forget(old)
	}
}

func (q *jobQueue) finishedList(state adapter.JobState) *jobList {
	if state == adapter.JobCompleted {
		return &q.completed
	}
	return &q.failed
}

func (q *jobQueue) ageOf(j *job) time.Duration {
	age, _ := j.keep(&q.b.o)
	return age
}

// expired reports whether a finished job has been kept for its time.
func (q *jobQueue) expired(j *job, now time.Time) bool {
	return !j.finished.IsZero() && now.Sub(j.finished) >= q.ageOf(j)
}

// expire removes the finished jobs that have been kept for their time. Whoever looks at the queue calls it first.
func (q *jobQueue) expire(now time.Time) {
	for _, list := range [...]*jobList{&q.completed, &q.failed} {
		for j := list.head; j != nil; {
			next := j.next
			if q.expired(j, now) {
				list.remove(j)
				q.forget(j)
			} else if !q.shortKept {
				break
			}
			j = next
		}
	}
	if q.completed.len+q.failed.len == 0 {
		q.shortKept = false
	}
}

// loseLease takes a delivery from its consumer.
func (q *jobQueue) loseLease(j *job, now time.Time) {
	j.held.ctx.end(adapter.ErrLeaseLost)
	if j.lost++; j.lost > j.spec.Redeliver {
		q.fail(j, fmt.Sprintf("lease lost %d times (redeliver is %d), last by consumer %q: it stopped without settling the job",
			j.lost, j.spec.Redeliver, j.held.consumer.name), now)
		return
	}
	q.release(j, 0, now)
	q.call()
}

// setTimer sets the timer for what is due first.
func (q *jobQueue) setTimer() {
	if len(q.timed.jobs) == 0 {
		if q.timer != nil && !q.timerAt.IsZero() {
			q.timer.Stop()
			q.timerAt = time.Time{}
		}
		return
	}
	due := q.timed.jobs[0].due
	if due.Equal(q.timerAt) {
		return
	}
	q.timerAt = due
	wait := max(due.Sub(q.b.now()), 0)
	if q.timer == nil {
		q.timer = q.b.o.Clock.AfterFunc(wait, q.tick)
	} else {
		q.timer.Reset(wait)
	}
}

// tick does what is due.
func (q *jobQueue) tick() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.timerAt = time.Time{}
	now := q.b.now()
	for len(q.timed.jobs) > 0 && !q.timed.jobs[0].due.After(now) {
		j := q.timed.jobs[0]
		switch {
		case j.state == adapter.JobDelayed:
			q.leave(j)
			q.wait(j, now)
			q.call()
		case j.held.orphan || j.held.late:
			q.loseLease(j, now)
		default:
			// The handler has this one lease left to settle what it has: it is not renewed any more.
			j.held.late = true
			j.held.ctx.end(adapter.ErrTimeout)
			q.setDue(j, now.Add(j.lease(&q.b.o)))
		}
	}
	q.setTimer()
}
