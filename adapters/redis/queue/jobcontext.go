package queue

import (
	"context"
	"sync"
	"time"
)

// jobContext is the context of a handler. Most handlers never look at theirs, so it becomes a real cancellable context only
// when it is first asked for Done, or for a value that its parent does not have: the value may be what package context finds
// the cause with, or attaches derived contexts by.
type jobContext struct {
	parent context.Context // never ends

	mu     sync.Mutex
	cause  error // why it has ended; nil before
	real   context.Context
	cancel context.CancelCauseFunc
}

// Deadline returns none: a delivery ends by its lease.
func (c *jobContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done returns a channel that is closed when the context ends.
func (c *jobContext) Done() <-chan struct{} { return c.become().Done() }

// Err returns [context.Canceled] once the context has ended; [context.Cause] tells why.
func (c *jobContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		return nil
	}
	return context.Canceled
}

// Value returns the value of the context that was given to Consume.
func (c *jobContext) Value(key any) any {
	if v := c.parent.Value(key); v != nil {
		return v
	}
	return c.become().Value(key)
}

func (c *jobContext) become() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real == nil {
		c.real, c.cancel = context.WithCancelCause(c.parent)
		if c.cause != nil {
			c.cancel(c.cause)
		}
	}
	return c.real
}

// end ends the context, if it has not ended yet.
func (c *jobContext) end(cause error) {
	c.mu.Lock()
	first, cancel := c.cause == nil, c.cancel
	if first {
		c.cause = cause
	}
	c.mu.Unlock()
	if first && cancel != nil {
		cancel(cause)
	}
}
