package file

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// consumer is a call of Consume. The mutex of the Queue guards its fields.
type consumer struct {
	in    *Queue
	q     *localQueue
	name  string
	ctx   context.Context // the parent of the handlers' contexts
	limit func() int
	ahead int // how many jobs beyond the limit may be taken
	h     func(context.Context, *adapter.Delivery)

	most      int         // what limit has answered last
	running   int         // handlers
	unsettled int         // deliveries, those in backlog included
	backlog   []*delivery // taken, and not begun
	stopped   bool
	wg        sync.WaitGroup
}

// delivery is a job as a handler has it.
type delivery struct {
	d       adapter.Delivery
	n       int64
	receipt int64
	options *jobOptions
	extras  int64
	ctx     context.Context
	cancel  context.CancelCauseFunc
	c       *consumer

	// The mutex of the Queue guards these.
	settled bool
	late    bool          // beyond its Timeout: not renewed any more
	until   int64         // when the lease ends, if it is not renewed
	timer   adapter.Timer // of its Timeout
}

// Consume takes jobs until ctx ends. A Concurrency below 1 counts as 1. Jobs are taken in the transaction in which they come
// or a place becomes free, so that none are taken in advance unless Prefetch asks for it. See [adapter.Queue].
func (in *Queue) Consume(ctx context.Context, queue string, o adapter.ConsumeOptions, h func(context.Context, *adapter.Delivery)) error {
	if queue == "" || h == nil {
		return invalid("consume", "no queue or no handler", "")
	}
	c := &consumer{in: in, name: o.Consumer, ctx: context.WithoutCancel(ctx), limit: o.Concurrency, ahead: max(o.Prefetch, 0), h: h}
	most := c.askLimit()
	in.mu.Lock()
	if in.dead {
		in.mu.Unlock()
		return fail("consume", adapter.ErrClosed)
	}
	c.most = most
	c.q = in.local(queue)
	c.q.consumers = append(c.q.consumers, c)
	c.q.hot = true
	in.mu.Unlock()
	if o.Ready != nil {
		o.Ready()
	}
	in.b.db.Kick()

	select {
	case <-ctx.Done():
		c.stop()
	case <-in.done:
	}
	c.wg.Wait()
	select {
	case <-in.done:
		return fail("consume", adapter.ErrClosed)
	default:
		return nil
	}
}

func (c *consumer) askLimit() int {
	if c.limit == nil {
		return 1
	}
	return max(c.limit(), 1)
}

// stop makes the consumer take nothing more, and hands back what it has not begun.
func (c *consumer) stop() {
	c.in.mu.Lock()
	c.stopped = true
	if i := slices.Index(c.q.consumers, c); i >= 0 {
		c.q.consumers = slices.Delete(c.q.consumers, i, i+1)
	}
	backlog := c.backlog
	c.backlog = nil
	c.in.mu.Unlock()
	c.in.release(backlog)
}

// release hands back deliveries that no handler has seen. What cannot be handed back comes back when its lease ends.
func (in *Queue) release(list []*delivery) {
	if len(list) == 0 {
		return
	}
	settlements := make([]adapter.Settlement, len(list))
	for i, d := range list {
		settlements[i] = adapter.Settlement{Queue: d.d.Queue, ID: d.d.ID, Receipt: d.d.Receipt, Verdict: adapter.Release}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_ = in.settle(ctx, settlements, true)
	for _, d := range list {
		d.cancel(context.Canceled)
	}
}

// demand returns how many jobs the consumer can take. A handler that has settled is about to return, so its place counts as
// free.
func (c *consumer) demand() int {
	if c.stopped {
		return 0
	}
	return max(c.most+c.ahead-c.unsettled, 0)
}

// give hands deliveries to the consumer.
func (c *consumer) give(list []*delivery) (refused []*delivery) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if c.in.dead || c.stopped {
		return list
	}
	for _, d := range list {
		c.unsettled++
		c.in.held[d.receipt] = d
		if c.running < c.most {
			c.running++
			c.wg.Add(1)
			go c.work(d)
		} else {
			c.backlog = append(c.backlog, d)
		}
	}
	return nil
}

// work runs the handler for a delivery, and for what has come meanwhile.
func (c *consumer) work(d *delivery) {
	defer c.wg.Done()
	for d != nil {
		d = c.run(d)
	}
}

// run runs the handler, and returns the next delivery for this goroutine.
func (c *consumer) run(d *delivery) (next *delivery) {
	defer func() { next = c.done(d) }() // also when the handler panics, or ends the goroutine
	c.begin(d)
	c.h(d.ctx, &d.d)
	return nil
}

func (c *consumer) begin(d *delivery) {
	if d.d.Timeout <= 0 {
		return
	}
	timer := c.in.b.o.Clock.AfterFunc(d.d.Timeout, func() {
		c.in.mu.Lock()
		d.late = true // it has this one lease left to settle what it has
		c.in.mu.Unlock()
		d.cancel(adapter.ErrTimeout)
	})
	c.in.mu.Lock()
	d.timer = timer
	c.in.mu.Unlock()
}

// done ends a delivery whose handler has returned.
func (c *consumer) done(d *delivery) (next *delivery) {
	d.cancel(context.Canceled)
	if d.timer != nil {
		d.timer.Stop()
	}
	c.in.mu.Lock()
	left := !d.settled && !c.in.dead
	c.in.mu.Unlock()
	if left {
		c.in.release([]*delivery{d})
	}
	most := c.askLimit()
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.forget(d)
	c.most = most
	if len(c.backlog) > 0 && c.running <= c.most {
		next = c.backlog[0]
		c.backlog = c.backlog[1:]
		return next
	}
	c.running--
	if c.q.hot && c.demand() > 0 {
		c.in.b.db.Kick()
	}
	return nil
}

// forget ends the hold on a delivery, with the mutex held.
func (in *Queue) forget(d *delivery) {
	if !d.settled {
		d.settled = true
		d.c.unsettled--
	}
	if in.held[d.receipt] == d {
		delete(in.held, d.receipt)
	}
}
