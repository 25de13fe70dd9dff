package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// heldTick is how often an instance reads the states of the runs whose handlers it runs, to learn of a cancellation that no
// hint told it about.
const heldTick = 10 * time.Second

var errFenced = fmt.Errorf("run was cancelled, restarted or ended: %w", adapter.ErrCanceled)

// heldRuns knows the handlers that run here, so that they can be told when their token does not count any more.
type heldRuns struct {
	mu    sync.Mutex
	byRun map[string]*stepRun // linked
	some  chan struct{}       // there are some again
}

func (h *heldRuns) init() {
	h.byRun = map[string]*stepRun{}
	h.some = make(chan struct{}, 1)
}

// hold registers a running handler.
func (h *heldRuns) hold(w *stepRun) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.byRun) == 0 {
		select {
		case h.some <- struct{}{}:
		default:
		}
	}
	w.nextHeld = h.byRun[w.token.Run]
	h.byRun[w.token.Run] = w
}

// release unregisters it.
func (h *heldRuns) release(w *stepRun) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := h.byRun[w.token.Run]
	at := &first
	for *at != w {
		at = &(*at).nextHeld
	}
	*at = w.nextHeld
	if first == nil {
		delete(h.byRun, w.token.Run)
	} else {
		h.byRun[w.token.Run] = first
	}
}

// fence ends the contexts of the handlers whose tokens do not count in this state.
func (h *heldRuns) fence(run string, s *flow.State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := h.byRun[run]; w != nil; w = w.nextHeld {
		if s.Fenced(w.token) {
			w.own.end(errFenced)
		}
	}
}

// cancelToken ends the context of one handler.
func (h *heldRuns) cancelToken(t flow.Token) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w := h.find(t); w != nil {
		w.own.end(errFenced)
	}
}

// find returns the handler that runs here for a token, or nil. h.mu is held.
func (h *heldRuns) find(t flow.Token) *stepRun {
	w := h.byRun[t.Run]
	for w != nil && w.token != t {
		w = w.nextHeld
	}
	return w
}

// runs lists the runs that have handlers here.
func (h *heldRuns) runs() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.byRun))
}

// holds reports whether a handler runs here for this token.
func (h *heldRuns) holds(t flow.Token) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.find(t) != nil
}

// heldLoop reads the states of held runs now and then and fences their handlers.
func (e *Engine) heldLoop(ctx context.Context) {
	for {
		select {
		case <-e.held.some:
		case <-ctx.Done():
			return
		}
		for len(e.held.runs()) > 0 {
			if !e.sleep(ctx, jittered(heldTick)) {
				return
			}
			e.checkAllHeld(ctx)
		}
	}
}

func (e *Engine) checkAllHeld(ctx context.Context) {
	for runs := range slices.Chunk(e.held.runs(), 500) {
		e.checkHeld(ctx, runs)
	}
}

func (e *Engine) checkHeld(ctx context.Context, runs []string) {
	docs, err := e.Store.Get(ctx, CollectionState, runs...)
	if err != nil {
		if ctx.Err() == nil {
			e.alarm("held", "cannot check on running steps; a cancellation may reach them late", "error", err)
		}
		return
	}
	for _, d := range docs {
		s, err := flow.DecodeState(d.Body)
		if err != nil {
			e.alarm("held/"+d.ID, "state of a run cannot be read", "run", d.ID, "error", err)
			continue
		}
		e.held.fence(d.ID, s)
	}
}
