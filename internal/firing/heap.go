package firing

import (
	"container/heap"
	"context"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/trigger"
)

// entry is a trigger that this instance looks after. Service.mu guards it, but for its subscription, which belongs to whoever
// made it busy.
type entry struct {
	view
	at       time.Time // when to look after it, store clock
	index    int       // in the heap; -1: not there
	busy     bool      // it is being looked after
	again    bool      // it was changed meanwhile
	gone     bool      // it was deleted
	lost     bool      // its subscription has ended by itself
	failures int

	listens string                // what it is subscribed to
	off     func(context.Context) // ends that
}

// view is a trigger at a version.
type view struct {
	name    string
	version adapter.Version
	trig    *trigger.Trigger
}

// unhook ends the subscription of a trigger.
func (e *entry) unhook(ctx context.Context) {
	if e.off != nil {
		e.off(ctx)
	}
	e.off, e.listens = nil, ""
}

// dueHeap has the trigger that is due first in front.
type dueHeap struct {
	entries []*entry
	closed  bool
}

// set puts a trigger into the heap, or moves it.
func (h *dueHeap) set(e *entry, at time.Time) {
	e.at = at
	if e.index >= 0 {
		heap.Fix((*byTime)(h), e.index)
		return
	}
	heap.Push((*byTime)(h), e)
}

// remove takes a trigger out.
func (h *dueHeap) remove(e *entry) {
	if e.index >= 0 {
		heap.Remove((*byTime)(h), e.index)
	}
}

// byTime is a dueHeap for package heap.
type byTime dueHeap

func (h *byTime) Len() int           { return len(h.entries) }
func (h *byTime) Less(i, j int) bool { return h.entries[i].at.Before(h.entries[j].at) }
func (h *byTime) Swap(i, j int) {
	h.entries[i], h.entries[j] = h.entries[j], h.entries[i]
	h.entries[i].index, h.entries[j].index = i, j
}

// Push appends a trigger.
func (h *byTime) Push(x any) {
	e := x.(*entry)
	e.index = len(h.entries)
	h.entries = append(h.entries, e)
}

// Pop removes the last trigger.
func (h *byTime) Pop() any {
	last := len(h.entries) - 1
	e := h.entries[last]
	h.entries[last] = nil
	h.entries = h.entries[:last]
	e.index = -1
	return e
}
