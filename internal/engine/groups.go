package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// loadFor loads what a state misses for an input to be applied.
func (e *Engine) loadFor(ctx context.Context, run string, def *flow.Definition, s *flow.State, in flow.Input) error {
	return e.loadNeeds(ctx, run, s, func() flow.Needs { return def.Missing(s, in) })
}

// loadNeeds loads what a state misses, until it misses nothing. The state must be the caller's own.
func (e *Engine) loadNeeds(ctx context.Context, run string, s *flow.State, missing func() flow.Needs) error {
	for {
		n := missing()
		if n.Empty() {
			return nil
		}
		if err := e.loadChunks(ctx, run, s, n.Chunks); err != nil {
			return err
		}
		for _, r := range n.Parts {
			p, err := e.part(ctx, run, r)
			if err != nil {
				return err
			}
			s.LoadPart(r, p)
		}
	}
}

func (e *Engine) loadChunks(ctx context.Context, run string, s *flow.State, refs []flow.ChunkRef) error {
	if len(refs) == 0 {
		return nil
	}
	ids := make([]string, len(refs))
	for i, r := range refs {
		ids[i] = run + "/" + r.ID()
	}
	call, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	docs, err := e.Store.Get(call, CollectionChunks, ids...)
	if err != nil {
		return fmt.Errorf("load groups of run %s: %w", run, err)
	}
	byID := make(map[string]json.RawMessage, len(docs))
	for _, d := range docs {
		byID[d.ID] = d.Body
	}
	for i, r := range refs {
		body, ok := byID[ids[i]]
		if !ok {
			return fmt.Errorf("load group %d of run %s: %w: chunk %d", r.Group, run, adapter.ErrNotFound, r.N)
		}
		c, err := flow.DecodeChunk(body)
		if err != nil {
			return fmt.Errorf("decode group %d of run %s: %w", r.Group, run, err)
		}
		s.Load(r, c)
	}
	return nil
}

// addGroups adds the changed chunks and the new payloads of a change to its commit. Chunks change together with the run's
// state only, so the state's version guards them.
func addGroups(batch *adapter.Batch, run string, c *change) error {
	c.work.Changed(func(r flow.ChunkRef, chunk *flow.Chunk) {
		batch.Puts = append(batch.Puts, adapter.Doc{Collection: CollectionChunks, ID: run + "/" + r.ID(),
			Version: adapter.AnyVersion, Body: chunk.Encode()})
	})
	for _, p := range c.out.Parts {
		body, err := json.Marshal(p.Part)
		if err != nil {
			return fmt.Errorf("encode items: %w: %w", adapter.ErrInvalid, err)
		}
		batch.Puts = append(batch.Puts, adapter.Doc{Collection: CollectionItems, ID: partID(run, p.PartRef),
			Version: adapter.AnyVersion, Body: body})
	}
	return addAwaits(batch, run, c.out.Awaits)
}

func partID(run string, r flow.PartRef) string {
	return run + "/" + r.Stage + "/" + strconv.Itoa(r.N)
}

// stage stores the payloads of a page of items before the outcome that they belong to. Nobody sees them unless it is accepted.
func (e *Engine) stage(ctx context.Context, run string, r flow.PartRef, items []json.RawMessage) error {
	body, err := json.Marshal(flow.Part{Items: items})
	if err != nil {
		return fmt.Errorf("encode items: %w: %w", adapter.ErrInvalid, err)
	}
	_, err = e.Store.Commit(ctx, adapter.Batch{Partition: run, Puts: []adapter.Doc{
		{Collection: CollectionItems, ID: partID(run, r), Version: adapter.AnyVersion, Body: body},
	}})
	if err != nil {
		return fmt.Errorf("store items: %w", err)
	}
	return nil
}

// part returns the payloads of a page of items. They never change.
func (e *Engine) part(ctx context.Context, run string, r flow.PartRef) (flow.Part, error) {
	id := partID(run, r)
	if p, ok := e.parts.get(id); ok {
		return p, nil
	}
	docs, err := e.Store.Get(ctx, CollectionItems, id)
	if err == nil && len(docs) == 0 {
		err = adapter.ErrNotFound
	}
	if err != nil {
		return flow.Part{}, fmt.Errorf("load items %s: %w", id, err)
	}
	var p flow.Part
	if err := json.Unmarshal(docs[0].Body, &p); err != nil {
		return flow.Part{}, fmt.Errorf("decode items %s: %w", id, err)
	}
	e.parts.put(id, p)
	return p, nil
}

// itemPayload returns the payload of an item.
func (e *Engine) itemPayload(ctx context.Context, run string, g *flow.GroupState, item int) (json.RawMessage, error) {
	p, err := e.part(ctx, run, flow.PartRef{Stage: g.Stage, N: item / flow.ChunkItems})
	if err != nil {
		return nil, err
	}
	if i := item % flow.ChunkItems; i < len(p.Items) {
		return p.Items[i], nil
	}
	return nil, fmt.Errorf("load item %d of group %d of run %s: %w", item, g.N, run, adapter.ErrNotFound)
}

// maxParts bounds the pages of items that are kept in memory.
const maxParts = 32

// partCache keeps pages of items: the jobs of a page are spread over many deliveries.
type partCache struct {
	mu    sync.Mutex
	parts map[string]flow.Part
	order []string
}

func (c *partCache) get(id string) (flow.Part, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.parts[id]
	return p, ok
}

func (c *partCache) put(id string, p flow.Part) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parts == nil {
		c.parts = make(map[string]flow.Part, maxParts)
	}
	if _, ok := c.parts[id]; ok {
		return
	}
	if len(c.order) == maxParts {
		delete(c.parts, c.order[0])
		c.order = append(c.order[:0], c.order[1:]...)
	}
	c.parts[id] = p
	c.order = append(c.order, id)
}
