package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/nvent-go/nvent/flow"
)

// groupSource returns what a collect step reads: what was emitted outside of groups, and then its groups, item by item.
func (e *Engine) groupSource(b *box, s *flow.State, t flow.Token, step *flow.Step, it *flow.Iteration) *flow.GroupSource {
	plain := it.In[:max(len(it.In)-len(it.Groups), 0)]
	var groups []*flow.GroupState
	total := len(plain)
	for _, n := range it.Groups {
		if g := s.GroupIn(t.Scope, n); g != nil {
			groups = append(groups, g)
			total += g.Items
		}
	}
	return &flow.GroupSource{Items: total, Read: func(ctx context.Context) iter.Seq2[flow.RawItem, error] {
		return func(yield func(flow.RawItem, error) bool) {
			r := &groupReader{e: e, run: b.run, step: step.Name, event: step.Slots[0].Event, yield: yield}
			if r.plain(ctx, plain) {
				for _, g := range groups {
					if !r.group(ctx, g) {
						return
					}
				}
			}
		}
	}}
}

// groupReader reads the items of groups page by page.
type groupReader struct {
	e           *Engine
	run         string
	step, event string
	index       int
	yield       func(flow.RawItem, error) bool
}

// fail ends the reading with an error.
func (r *groupReader) fail(err error) bool {
	r.yield(flow.RawItem{Index: r.index}, err)
	return false
}

func (r *groupReader) item(payloads []json.RawMessage, missing string) bool {
	item := flow.RawItem{Index: r.index, Payloads: payloads, Missing: missing}
	r.index++
	return r.yield(item, nil)
}

// plain reads what was emitted outside of groups.
func (r *groupReader) plain(ctx context.Context, seqs []uint64) bool {
	for len(seqs) > 0 {
		n := min(len(seqs), flow.ChunkItems)
		found, err := r.e.payloads(ctx, r.run, seqs[:n])
		if err != nil {
			return r.fail(err)
		}
		for _, seq := range seqs[:n] {
			if !r.item([]json.RawMessage{found[seq]}, "") {
				return false
			}
		}
		seqs = seqs[n:]
	}
	return true
}

func (r *groupReader) group(ctx context.Context, g *flow.GroupState) bool {
	for k := 0; k*flow.ChunkItems < g.Items; k++ {
		docs, err := r.e.Store.Get(ctx, CollectionChunks, r.run+"/"+flow.ChunkRef{Group: g.N, N: k}.ID())
		if err == nil && len(docs) == 0 {
			err = fmt.Errorf("group %d has no chunk %d", g.N, k)
		}
		if err != nil {
			return r.fail(fmt.Errorf("read group %d of run %s: %w", g.N, r.run, err))
		}
		c, err := flow.DecodeChunk(docs[0].Body)
		if err != nil {
			return r.fail(fmt.Errorf("decode group %d of run %s: %w", g.N, r.run, err))
		}
		if !r.chunk(ctx, g, k, c) {
			return false
		}
	}
	return true
}

// chunk reads a page of items with one read of the log.
func (r *groupReader) chunk(ctx context.Context, g *flow.GroupState, k int, c *flow.Chunk) bool {
	var seqs []uint64
	for i := range c.Items {
		item := &c.Items[i]
		if item.Why != 0 {
			seqs = append(seqs, item.Why)
		}
		for _, got := range item.Got {
			if got.Step == r.step && got.Seq != g.Seq {
				seqs = append(seqs, got.Seq)
			}
		}
	}
	var found map[uint64]json.RawMessage
	if len(seqs) > 0 {
		var err error
		if found, err = r.e.payloads(ctx, r.run, seqs); err != nil {
			return r.fail(err)
		}
	}
	for i := range c.Items {
		item := &c.Items[i]
		var payloads []json.RawMessage
		for _, got := range item.Got {
			if got.Step != r.step {
				continue
			}
			p := found[got.Seq]
			if got.Seq == g.Seq {
				var err error
				if p, err = r.e.itemPayload(ctx, r.run, g, k*flow.ChunkItems+i); err != nil {
					return r.fail(err)
				}
			}
			payloads = append(payloads, p)
		}
		missing := ""
		if len(payloads) == 0 {
			missing = r.why(item, found)
		}
		if !r.item(payloads, missing) {
			return false
		}
	}
	return true
}

// why says why there is nothing of an item.
func (r *groupReader) why(item *flow.Item, found map[uint64]json.RawMessage) string {
	switch item.State {
	case flow.ItemFailed:
		var f flow.Failure
		if json.Unmarshal(found[item.Why], &f) == nil && f.Error != "" {
			return fmt.Sprintf("step %q failed: %s", f.Step, f.Error)
		}
		return "it failed"
	case flow.ItemUnused:
		return "no step took it"
	}
	return fmt.Sprintf("no step emitted %q for it", r.event)
}
