package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// definitions knows flow definitions by hash. Definitions are immutable, so what was once read stays true.
type definitions struct {
	store  adapter.Store
	mu     sync.RWMutex
	byHash map[string]*flow.Definition
	own    map[string]*flow.Definition // by name: those that were added here
}

func (c *definitions) init(s adapter.Store) {
	c.store = s
	c.byHash = map[string]*flow.Definition{}
	c.own = map[string]*flow.Definition{}
}

func (c *definitions) add(d *flow.Definition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byHash[d.Hash()] = d
}

// named returns the definition of a name that was added here, or nil.
func (c *definitions) named(name string) *flow.Definition {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.own[name]
}

// get returns the definition of a hash, from the store if it is not known yet.
func (c *definitions) get(ctx context.Context, hash string) (*flow.Definition, error) {
	c.mu.RLock()
	d := c.byHash[hash]
	c.mu.RUnlock()
	if d != nil {
		return d, nil
	}
	docs, err := c.store.Get(ctx, CollectionDefinitions, hash)
	if err != nil {
		return nil, fmt.Errorf("get flow definition %s: %w", hash, err)
	}
	if len(docs) == 0 {
		return nil, fmt.Errorf("get flow definition %s: %w", hash, adapter.ErrNotFound)
	}
	var w flow.Wiring
	if err := json.Unmarshal(docs[0].Body, &w); err != nil {
		return nil, fmt.Errorf("decode flow definition %s: %w", hash, err)
	}
	if d, err = flow.Compile(w); err != nil {
		return nil, fmt.Errorf("compile flow definition %s: %w", hash, err)
	}
	if d.Hash() != hash {
		return nil, fmt.Errorf("flow definition %s: its content has hash %s: it was changed, or written by another version", hash, d.Hash())
	}
	c.add(d)
	return d, nil
}

// currentFlow is the body of a document of CollectionFlows.
type currentFlow struct {
	flow.Wiring
	Hash string `json:"hash"`
}

// SaveFlow writes a definition under its hash, and makes it the current one of its name. It does nothing if it is already.
func (e *Engine) SaveFlow(ctx context.Context, d *flow.Definition) error {
	w := d.Wiring()
	w.Version, w.UpdatedAt = 0, 0
	body, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("save flow %q: %w", d.Name(), err)
	}
	_, err = e.Store.Commit(ctx, adapter.Batch{Partition: d.Hash(), Puts: []adapter.Doc{
		{Collection: CollectionDefinitions, ID: d.Hash(), Version: adapter.Absent, Body: body},
	}})
	if err != nil && !errors.Is(err, adapter.ErrConflict) {
		return fmt.Errorf("save flow %q: %w", d.Name(), err)
	}
	if err := e.declareAwaits(ctx, d); err != nil {
		return fmt.Errorf("save flow %q: declare what it awaits: %w", d.Name(), err)
	}
	return e.setCurrent(ctx, d, w)
}

func (e *Engine) setCurrent(ctx context.Context, d *flow.Definition, w flow.Wiring) error {
	for {
		expect := adapter.Absent
		docs, err := e.Store.Get(ctx, CollectionFlows, d.Name())
		if err != nil {
			return fmt.Errorf("save flow %q: %w", d.Name(), err)
		}
		if len(docs) > 0 {
			var cur currentFlow
			if err := json.Unmarshal(docs[0].Body, &cur); err == nil && cur.Hash == d.Hash() {
				return nil
			}
			expect = docs[0].Version
		}
		w.UpdatedAt = e.now().UnixMilli()
		body, err := json.Marshal(currentFlow{w, d.Hash()})
		if err != nil {
			return fmt.Errorf("save flow %q: %w", d.Name(), err)
		}
		_, err = e.Store.Commit(ctx, adapter.Batch{Partition: adapter.Partition(d.Name()), Puts: []adapter.Doc{
			{Collection: CollectionFlows, ID: d.Name(), Version: expect, Body: body},
		}})
		if err == nil {
			return nil
		}
		if !errors.Is(err, adapter.ErrConflict) {
			return fmt.Errorf("save flow %q: %w", d.Name(), err)
		}
	}
}

// CurrentFlow returns the current definition of a name, from the store.
func (e *Engine) CurrentFlow(ctx context.Context, name string) (*flow.Definition, error) {
	docs, err := e.Store.Get(ctx, CollectionFlows, name)
	if err != nil {
		return nil, fmt.Errorf("get flow %q: %w", name, err)
	}
	if len(docs) == 0 {
		return nil, fmt.Errorf("get flow %q: %w", name, adapter.ErrNotFound)
	}
	var cur currentFlow
	if err := json.Unmarshal(docs[0].Body, &cur); err != nil {
		return nil, fmt.Errorf("decode flow %q: %w", name, err)
	}
	return e.defs.get(ctx, cur.Hash)
}

// handlers knows the handlers of steps and jobs by name.
type handlers struct {
	mu    sync.RWMutex
	steps map[string]flow.Handler
	jobs  map[jobName]JobHandler
}

type jobName struct{ queue, name string }

// JobHandler runs a plain job and says how it is settled.
type JobHandler func(ctx context.Context, d *adapter.Delivery) adapter.Settlement

func (h *handlers) init() {
	h.steps = map[string]flow.Handler{}
	h.jobs = map[jobName]JobHandler{}
}

// HandleStep registers a step's handler. A name that is taken is an error.
func (e *Engine) HandleStep(h flow.Handler) error {
	e.handlers.mu.Lock()
	defer e.handlers.mu.Unlock()
	if _, dup := e.handlers.steps[h.Name()]; dup {
		return fmt.Errorf("register handler %q: %w: there is one of this name already", h.Name(), adapter.ErrInvalid)
	}
	e.handlers.steps[h.Name()] = h
	return nil
}

// HandleJob registers the handler of a kind of plain jobs. A name that is taken is an error.
func (e *Engine) HandleJob(queue, name string, h JobHandler) error {
	e.handlers.mu.Lock()
	defer e.handlers.mu.Unlock()
	key := jobName{queue, name}
	if _, dup := e.handlers.jobs[key]; dup {
		return fmt.Errorf("register handler of job %q on queue %q: %w: there is one already", name, queue, adapter.ErrInvalid)
	}
	e.handlers.jobs[key] = h
	return nil
}

// StepHandlers returns the registered handlers of steps.
func (e *Engine) StepHandlers() []flow.Handler {
	e.handlers.mu.RLock()
	defer e.handlers.mu.RUnlock()
	return slices.Collect(maps.Values(e.handlers.steps))
}

func (h *handlers) step(name string) (flow.Handler, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	s, ok := h.steps[name]
	return s, ok
}

func (h *handlers) job(queue, name string) (JobHandler, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	j, ok := h.jobs[jobName{queue, name}]
	return j, ok
}
