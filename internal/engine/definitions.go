package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// definitions knows flow definitions by hash. Definitions are immutable, so what was once read stays true.
type definitions struct {
	store  adapter.Store
	byHash registry[string, *flow.Definition]
	own    registry[string, *flow.Definition] // by name: those that were added here
}

func (c *definitions) add(d *flow.Definition) { c.byHash.add(d.Hash(), d) }

// named returns the definition of a name that was added here, or nil.
func (c *definitions) named(name string) *flow.Definition {
	d, _ := c.own.get(name)
	return d
}

// get returns the definition of a hash, from the store if it is not known yet.
func (c *definitions) get(ctx context.Context, hash string) (*flow.Definition, error) {
	if d, ok := c.byHash.get(hash); ok {
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
	d, err := flow.Compile(w)
	if err != nil {
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
	steps registry[string, flow.Handler]
	jobs  registry[jobName, JobHandler]
}

type jobName struct{ queue, name string }

// JobHandler runs a plain job and says how it is settled.
type JobHandler func(ctx context.Context, d *adapter.Delivery) adapter.Settlement

// HandleStep registers a step's handler. A name that is taken is an error.
func (e *Engine) HandleStep(h flow.Handler) error {
	if !e.handlers.steps.add(h.Name(), h) {
		return fmt.Errorf("register handler %q: %w: there is one of this name already", h.Name(), adapter.ErrInvalid)
	}
	return nil
}

// HandleJob registers the handler of a kind of plain jobs. A name that is taken is an error.
func (e *Engine) HandleJob(queue, name string, h JobHandler) error {
	if !e.handlers.jobs.add(jobName{queue, name}, h) {
		return fmt.Errorf("register handler of job %q on queue %q: %w: there is one already", name, queue, adapter.ErrInvalid)
	}
	return nil
}

// StepHandlers returns the registered handlers of steps.
func (e *Engine) StepHandlers() []flow.Handler {
	return slices.Collect(maps.Values(e.handlers.steps.all()))
}
