package engine

import (
	"context"
	"fmt"
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
	byRun map[string]map[flow.Token]context.CancelCauseFunc
	some  chan struct{} // there are some again
}

func (h *heldRuns) init() {
	h.byRun = map[string]map[flow.Token]context.CancelCauseFunc{}
	h.some = make(chan struct{}, 1)
}

// hold registers a running handler and returns what unregisters it.
func (h *heldRuns) hold(t flow.Token, cancel context.CancelCauseFunc) func() {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.byRun[t.Run]
	if m == nil {
		m = make(map[flow.Token]context.CancelCauseFunc, 1)
		h.byRun[t.Run] = m
		if len(h.byRun) == 1 {
			select {
			case h.some <- struct{}{}:
			default:
			}
		}
	}
	m[t] = cancel
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(m, t)
		if len(m) == 0 {
			delete(h.byRun, t.Run)
		}
	}
}

// fence ends the contexts of the handlers whose tokens do not count in this state.
func (h *heldRuns) fence(run string, s *flow.State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for t, cancel := range h.byRun[run] {
		if s.Fenced(t) {
			cancel(errFenced)
		}
	}
}

// cancelToken ends the context of one handler.
func (h *heldRuns) cancelToken(t flow.Token) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if cancel := h.byRun[t.Run][t]; cancel != nil {
		cancel(errFenced)
	}
}

// runs lists the runs that have handlers here.
func (h *heldRuns) runs() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]string, 0, len(h.byRun))
	for run := range h.byRun {
		list = append(list, run)
	}
	return list
}

// holds reports whether a handler runs here for this token.
func (h *heldRuns) holds(t flow.Token) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.byRun[t.Run][t] != nil
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
