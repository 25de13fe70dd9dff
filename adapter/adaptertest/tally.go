package adaptertest

import (
	"slices"
	"sync"
)

// tally is a list that handlers add to and a check looks at.
type tally[T any] struct {
	mu    sync.Mutex
	items []T
}

// add appends an item and returns how many there are now.
func (t *tally[T]) add(v T) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.items = append(t.items, v)
	return len(t.items)
}

func (t *tally[T]) list() []T {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.items)
}

func (t *tally[T]) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.items)
}

// gauge counts what runs now, and remembers the most that ran at once.
type gauge struct {
	mu       sync.Mutex
	now, top int
}

func (g *gauge) enter() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now++
	g.top = max(g.top, g.now)
}

func (g *gauge) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now--
}

func (g *gauge) read() (now, top int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now, g.top
}

// reset forgets the most that ran at once.
func (g *gauge) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.top = g.now
}
