package engine

import (
	"context"
	"sync"
	"time"
)

// callContext bounds one call of an adapter, as context.WithTimeout would. Adapters that answer from memory never ask for
// Done, so the timer is made when somebody does.
type callContext struct {
	context.Context // the parent
	deadline        time.Time

	mu     sync.Mutex
	real   context.Context // nil: not made yet
	cancel context.CancelFunc
}

// within returns a context for one call, which ends after d. The caller must end it.
func within(parent context.Context, d time.Duration) *callContext {
	return &callContext{Context: parent, deadline: time.Now().Add(d)}
}

func (c *callContext) made() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real == nil {
		c.real, c.cancel = context.WithDeadline(c.Context, c.deadline)
	}
	return c.real
}

// end frees the context. One that nobody has asked for Done is not used any more, and stays as it is.
func (c *callContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real != nil {
		c.cancel()
	}
}

func (c *callContext) Deadline() (time.Time, bool) {
	if d, ok := c.Context.Deadline(); ok && d.Before(c.deadline) {
		return d, true
	}
	return c.deadline, true
}

func (c *callContext) Done() <-chan struct{} { return c.made().Done() }

func (c *callContext) Err() error {
	c.mu.Lock()
	made := c.real
	c.mu.Unlock()
	if made == nil && c.Context.Err() == nil && time.Now().Before(c.deadline) {
		return nil
	}
	return c.made().Err()
}

// Value is asked by package context too, which finds the context that Done belongs to by it.
func (c *callContext) Value(key any) any { return c.made().Value(key) }
