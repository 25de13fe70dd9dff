package engine

import (
	"context"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// handlerContext is the context of a running handler. It ends with its delivery, with the instance's abort, or by cancel.
// Most handlers never ask whether it has ended, so what it takes to know is made when somebody asks.
type handlerContext struct {
	parent context.Context // of the delivery
	abort  context.Context
	job    heldJob
	room   [1]adapter.Settlement // for the end of the delivery: part of the context to save an allocation

	mu     sync.Mutex
	cause  error // of cancel
	over   bool  // cancelled, or the handler has returned
	real   context.Context
	cancel context.CancelCauseFunc
	stop   func() bool
}

func newHandlerContext(parent, abort context.Context) *handlerContext {
	return &handlerContext{parent: parent, abort: abort}
}

// end cancels the context with a cause, the first one that is given; nil when the handler has returned.
func (c *handlerContext) end(cause error) {
	c.mu.Lock()
	first, made := !c.over, c.real != nil
	if first {
		c.over, c.cause = true, cause
	}
	c.mu.Unlock()
	if first && made { // outside of the lock: contexts that derive from this one may look at it
		c.stop()
		c.cancel(cause)
	}
}

// made returns the cancellable context behind c.
func (c *handlerContext) made() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real == nil {
		ctx, cancel := context.WithCancelCause(c.parent)
		c.real, c.cancel = ctx, cancel
		if c.over {
			cancel(c.cause)
		} else {
			c.stop = context.AfterFunc(c.abort, func() { c.cancel(errShutdown) })
		}
	}
	return c.real
}

func (c *handlerContext) Deadline() (time.Time, bool) { return c.parent.Deadline() }

func (c *handlerContext) Done() <-chan struct{} { return c.made().Done() }

func (c *handlerContext) Err() error {
	c.mu.Lock()
	live := c.real == nil && !c.over
	c.mu.Unlock()
	if live && c.abort.Err() == nil && c.parent.Err() == nil {
		return nil
	}
	ctx := c.made()
	if live && c.abort.Err() != nil {
		<-ctx.Done() // AfterFunc calls in a goroutine of its own
	}
	return ctx.Err()
}

func (c *handlerContext) Value(key any) any {
	if key == (jobKey{}) && c.job.delivery != nil {
		return &c.job
	}
	return c.made().Value(key)
}

// heldJob is a delivery of a plain job, and the queue that it came from.
type heldJob struct {
	delivery *adapter.Delivery
	queue    adapter.Queue
}

type jobKey struct{}

// JobOf returns the delivery whose handler got ctx, and the queue that it came from. ok is false for any other context, and
// for steps of flows. The delivery is the adapter's: it must not be used once the handler has returned.
func JobOf(ctx context.Context) (d *adapter.Delivery, q adapter.Queue, ok bool) {
	j, _ := ctx.Value(jobKey{}).(*heldJob)
	if j == nil || j.delivery == nil {
		return nil, nil, false
	}
	return j.delivery, j.queue, true
}

// WithJob returns a context for which JobOf returns d and q; nothing, if they are nil.
func WithJob(ctx context.Context, d *adapter.Delivery, q adapter.Queue) context.Context {
	return context.WithValue(ctx, jobKey{}, &heldJob{d, q})
}
