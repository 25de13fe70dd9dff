package engine

import "sync/atomic"

// claim is taken by one of several.
type claim struct{ taken atomic.Bool }

// take reports whether the caller is the first.
func (c *claim) take() bool { return c.taken.CompareAndSwap(false, true) }
