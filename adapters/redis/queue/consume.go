package queue

import (
	"context"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

const (
	// workBatch is how many deliveries one call ends, and how many jobs it takes, at most.
	workBatch = 64
	// workCalls is how many such calls of a consumer are on their way at once.
	workCalls = 2
	// firstTake is how many jobs a consumer takes when it comes out of rest. As long as there are as many as it asked for it
	// doubles: so two idle consumers share a small backlog.
	firstTake = 4
)

// Consume takes jobs until ctx ends. A Concurrency below 1 counts as 1. Prefetch is not needed: jobs are taken in the call that
// settles others. See [adapter.Queue].
func (q *Queue) Consume(ctx context.Context, queue string, o adapter.ConsumeOptions, h func(context.Context, *adapter.Delivery)) error {
	const op = "consume"
	base, err := q.base(op, queue)
	if err != nil {
		return err
	}
	if h == nil {
		return conn.Invalid(op, "no handler", "")
	}
	c := newConsumer(q, queue, base, o, h)
	c.caller = ctx
	q.mu.Lock()
	if q.closed() {
		q.mu.Unlock()
		return conn.Closed(op)
	}
	q.consumers[c] = struct{}{}
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		delete(q.consumers, c)
		q.mu.Unlock()
	}()
	if ctx.Err() != nil {
		return nil
	}
	c.ctx = context.WithoutCancel(ctx)
	if err := q.remember(ctx, queue); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	c.begin()
	if o.Ready != nil {
		o.Ready()
	}
	select {
	case <-ctx.Done():
		c.stop()
	case <-q.done:
	}
	c.wait()
	if q.closed() {
		return conn.Closed(op)
	}
	return nil
}

// consumer is a call of Consume.
type consumer struct {
	q           *Queue
	queue, base string
	o           adapter.ConsumeOptions
	h           func(context.Context, *adapter.Delivery)
	ctx         context.Context // the parent of the handlers' contexts
	caller      context.Context // of Consume: once it has ended nothing is taken, however late that is noticed
	halt        context.Context // ends when the consumer takes nothing more
	stopTaking  context.CancelFunc

	mu       sync.Mutex
	most     int                    // what o.Concurrency has answered last
	running  map[*delivery]struct{} // whose handlers have not returned
	open     int                    // of running and ready: those without a verdict
	overtime int                    // handlers that have settled, and stay
	ready    []*delivery            // taken, for handlers that are about to return
	settling []*settleRequest
	calls    int
	reserved int       // jobs that calls on their way may bring
	hungry   bool      // there may be jobs
	take     int       // how many to ask for
	until    time.Time // the rate limit ends
	next     time.Time // when the next delayed job is due; zero: none is
	lost     []string  // tokens of takes whose reply was lost
	broken   bool      // the server cannot be reached
	stopping bool
	idle     chan struct{} // tells the one that waits for jobs that it may
	wake     chan struct{} // tells the keeper that something is due earlier
	keeperAt time.Time     // when the keeper looks next
	quiet    chan struct{} // closed by the last of what runs, once stopping
	work     sync.WaitGroup
	arrived  *sync.Cond // a call has come to its end
}

func newConsumer(q *Queue, queue, base string, o adapter.ConsumeOptions, h func(context.Context, *adapter.Delivery)) *consumer {
	c := &consumer{q: q, queue: queue, base: base, o: o, h: h, running: map[*delivery]struct{}{}, hungry: true, take: firstTake,
		idle: make(chan struct{}, 1), wake: make(chan struct{}, 1), quiet: make(chan struct{})}
	c.arrived = sync.NewCond(&c.mu)
	c.halt, c.stopTaking = context.WithCancel(context.Background())
	return c
}

// askLimit asks for the limit of deliveries. It must not be called with the mutex held: the function is a stranger.
func (c *consumer) askLimit() int {
	if c.o.Concurrency == nil {
		return 1
	}
	return max(c.o.Concurrency(), 1)
}

func (c *consumer) begin() {
	c.work.Go(c.waitForJobs)
	c.work.Go(c.keep)
	c.kick()
}

// kick lets happen what can.
func (c *consumer) kick() {
	limit := c.askLimit()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.most = limit
	c.pump()
}

// pump starts handlers and calls. The mutex is held.
func (c *consumer) pump() {
	for len(c.ready) > 0 && len(c.running) < c.most && !c.stopping {
		d := c.ready[0]
		c.ready = c.ready[1:]
		c.run(d)
	}
	for c.calls < workCalls {
		settle := c.settling[:min(len(c.settling), workBatch)]
		take := c.room()
		if len(settle) == 0 && (take == 0 || !c.hungry) {
			break
		}
		c.settling = c.settling[len(settle):]
		c.calls++
		c.reserved += take
		c.work.Go(func() { c.call(settle, take) })
	}
	if c.stopping {
		c.ended()
		return
	}
	if !c.hungry && c.calls == 0 && c.room() > 0 {
		select {
		case c.idle <- struct{}{}:
		default:
		}
	}
}

// room returns how many jobs may be taken now.
func (c *consumer) room() int {
	if c.stopping || c.broken || c.caller.Err() != nil || time.Now().Before(c.until) {
		return 0
	}
	return max(0, min(c.most-c.open-c.overtime-c.reserved, c.take, workBatch))
}

// stop takes nothing more, and hands back what no handler has.
func (c *consumer) stop() {
	c.stopTaking()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopping = true
	for _, d := range c.ready {
		c.giveBack(d)
	}
	c.ready = nil
	c.pump()
}

// ended closes quiet when nothing is left to do. The mutex is held.
func (c *consumer) ended() {
	if len(c.running) > 0 || c.calls > 0 || len(c.settling) > 0 {
		return
	}
	select {
	case <-c.quiet:
	default:
		close(c.quiet)
	}
}

// wait blocks until everything has come to its end.
func (c *consumer) wait() {
	<-c.quiet
	c.work.Wait()
}

// abandon stops the consumer for good: contexts of handlers end, and their jobs are handed back. It returns when the server
// has them.
func (c *consumer) abandon() {
	c.stopTaking()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopping = true
	for _, d := range c.ready {
		c.giveBack(d)
	}
	c.ready = nil
	for d := range c.running {
		if !d.settled {
			d.ctx.end(adapter.ErrClosed)
			c.giveBack(d)
		}
		d.ctx.end(adapter.ErrClosed)
	}
	c.pump()
	for c.calls > 0 || len(c.settling) > 0 {
		c.arrived.Wait()
	}
}
