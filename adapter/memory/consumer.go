package memory

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// consumer is a call of Consume. Its workers take the jobs themselves: as long as there are any they do not wait for each
// other. The mutex of the queue guards its fields.
type consumer struct {
	name  string
	q     *jobQueue
	ctx   context.Context // the parent of the handlers' contexts
	limit func() int
	h     func(context.Context, *adapter.Delivery)

	most    int // what limit has answered last
	workers []*worker
	idle    []*worker // those that wait; the one that came last is called first
	stopped bool
	killed  bool
	wg      sync.WaitGroup
}

// worker is a goroutine that calls the handler for one job after another.
type worker struct {
	consumer *consumer
	wake     chan struct{}
	called   bool
	ticket   ticket // for the next delivery
	delivery delivery
	current  *delivery // that its handler has, or nil
}

// ticket is what it takes to hand a job out. A worker brings it along, so that it is not made under the lock of the queue.
type ticket struct {
	number  uint64 // of the queue; none is used twice
	receipt string // the number as text
	ctx     *jobContext
	at      time.Time
}

const receiptBase = 36

func (c *consumer) newTicket() ticket {
	n := c.q.tickets.Add(1)
	return ticket{number: n, receipt: strconv.FormatUint(n, receiptBase), ctx: &jobContext{parent: c.ctx}, at: c.q.b.now()}
}

// call gets a worker for the waiting jobs. It calls one at a time: a worker that comes and leaves jobs behind calls the
// next, so that as many run as there is work for, and no more are woken than that.
func (q *jobQueue) call() bool {
	if q.calling || q.paused || q.waiting.len() == 0 {
		return q.calling
	}
	n := len(q.consumers)
	for i := range n {
		c := q.consumers[(q.turn+i)%n]
		if c.call() {
			q.turn = (q.turn + i + 1) % n
			q.calling = true
			return true
		}
	}
	return false
}

func (c *consumer) call() bool {
	if last := len(c.idle) - 1; last >= 0 {
		w := c.idle[last]
		c.idle = c.idle[:last]
		w.called = true
		w.wake <- struct{}{}
		return true
	}
	if len(c.workers) >= c.most {
		return false
	}
	w := &worker{consumer: c, wake: make(chan struct{}, 1), called: true}
	c.workers = append(c.workers, w)
	c.wg.Add(1)
	go c.work(w)
	return true
}

func (c *consumer) work(w *worker) {
	defer c.wg.Done()
	defer c.dismiss(w) // also when the handler panics, or ends the goroutine
	for {
		d := c.next(w)
		if d == nil {
			return
		}
		c.h(d.ctx, &d.d)
		d.ctx.end(context.Canceled)
	}
}

// next waits for a job. It returns nil when the worker is not needed any more.
func (c *consumer) next(w *worker) *delivery {
	most := c.askLimit()
	w.ticket = c.newTicket()
	q := c.q
	q.lock()
	defer q.mu.Unlock()
	c.finish(w)
	for {
		c.most = most
		if w.called {
			w.called, q.calling = false, false
		}
		if c.stopped || len(c.workers) > most {
			c.remove(w)
			q.call() // what it was called for is left for others
			return nil
		}
		if d := q.take(w); d != nil {
			w.current = d
			q.call()
			return d
		}
		c.idle = append(c.idle, w)
		q.mu.Unlock()
		<-w.wake
		most = c.askLimit()
		w.ticket.at = q.b.now()
		q.lock()
	}
}

// askLimit asks for the limit of deliveries. A consumer has at least one worker: nobody would tell it of a later change.
func (c *consumer) askLimit() int {
	if c.limit == nil {
		return 1
	}
	return max(c.limit(), 1)
}

// finish hands back what the worker has left unsettled.
func (c *consumer) finish(w *worker) {
	d := w.current
	w.current = nil
	if d == nil {
		return
	}
	if !d.live || c.killed {
		return
	}
	c.q.release(d.job, 0, c.q.b.now())
	c.q.call()
}

func (c *consumer) remove(w *worker) {
	if i := slices.Index(c.workers, w); i >= 0 {
		c.workers = slices.Delete(c.workers, i, i+1)
	}
}

func (c *consumer) dismiss(w *worker) {
	c.q.mu.Lock()
	defer c.q.mu.Unlock()
	if d := w.current; d != nil {
		d.ctx.end(context.Canceled)
	}
	c.finish(w)
	c.remove(w)
	c.q.call()
}

// join makes the consumer known to its queue.
func (c *consumer) join() {
	most := c.askLimit()
	c.q.mu.Lock()
	defer c.q.mu.Unlock()
	c.most = most
	if !c.stopped {
		c.q.consumers = append(c.q.consumers, c)
	}
}

// stop makes the consumer take nothing more. What runs goes on.
func (c *consumer) stop() {
	c.q.mu.Lock()
	defer c.q.mu.Unlock()
	c.leave()
}

func (c *consumer) leave() {
	c.stopped = true
	if i := slices.Index(c.q.consumers, c); i >= 0 {
		c.q.consumers = slices.Delete(c.q.consumers, i, i+1)
	}
	for _, w := range c.idle {
		w.wake <- struct{}{}
	}
	c.idle = nil
}

// abandon stops the consumer and takes its deliveries from it: they are released, and their contexts end.
func (c *consumer) abandon() {
	c.q.mu.Lock()
	defer c.q.mu.Unlock()
	c.leave()
	now := c.q.b.now()
	for _, w := range c.workers {
		d := w.current
		if d == nil {
			continue
		}
		d.ctx.end(adapter.ErrClosed)
		if d.live && !c.killed {
			c.q.release(d.job, 0, now)
		}
	}
	c.q.call()
}

// kill stops the consumer and leaves its deliveries to their leases.
func (c *consumer) kill() {
	c.q.mu.Lock()
	defer c.q.mu.Unlock()
	c.leave()
	c.killed = true
	now := c.q.b.now()
	for _, w := range c.workers {
		if d := w.current; d != nil && d.live && !d.late {
			d.orphan = true
			c.q.setDue(d.job, now.Add(d.job.lease(&c.q.b.o)))
		}
	}
}

// grow asks the consumers for their limits again, when jobs wait and all workers are busy.
func (q *jobQueue) grow() {
	q.mu.Lock()
	consumers := slices.Clone(q.consumers)
	q.mu.Unlock()
	for _, c := range consumers {
		most := c.askLimit()
		q.mu.Lock()
		c.most = most
		q.call()
		q.mu.Unlock()
	}
}

// expireLease takes a job from the consumer that has it, and reports whether one had.
func (q *jobQueue) expireLease(id string, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	j := q.jobs[id]
	if j == nil || j.state != adapter.JobActive {
		return false
	}
	q.loseLease(j, now)
	return true
}
