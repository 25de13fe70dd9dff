package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// inputs puts together what an iteration runs with: from its job, from the box, from its group, or from the log.
func (e *Engine) inputs(ctx context.Context, b *box, s *flow.State, t flow.Token, step *flow.Step, it *flow.Iteration,
	input json.RawMessage) (flow.Inputs, error) {
	if step.Collects() {
		return flow.NewInputs(flow.InputSlot{Event: step.Slots[0].Event, Filled: true, Group: e.groupSource(b, s, t, step, it)}), nil
	}
	slots := make([]flow.InputSlot, len(it.In))
	for i := range slots {
		slots[i].Filled = it.In[i] != 0
		if i < len(step.Slots) {
			slots[i].Event = step.Slots[i].Event
		}
	}
	if len(slots) == 1 && input != nil {
		slots[0].Payload = input
		return flow.NewInputs(slots...), nil
	}
	if input != nil {
		var byEvent map[string]json.RawMessage
		if err := json.Unmarshal(input, &byEvent); err != nil {
			return flow.Inputs{}, fmt.Errorf("decode input of step %q: %w", step.Name, err)
		}
		for i := range slots {
			slots[i].Payload = byEvent[slots[i].Event]
		}
		return flow.NewInputs(slots...), nil
	}
	return e.inputsFromLog(ctx, b, s, t.Scope, it, slots)
}

func (e *Engine) inputsFromLog(ctx context.Context, b *box, s *flow.State, scope string, it *flow.Iteration,
	slots []flow.InputSlot) (flow.Inputs, error) {
	var missing []uint64
	g, item, _ := s.ScopeGroup(scope)
	for i, seq := range it.In {
		if seq == 0 {
			continue
		}
		if g != nil && g.Seq == seq {
			p, err := e.itemPayload(ctx, b.run, g, item)
			if err != nil {
				return flow.Inputs{}, err
			}
			slots[i].Payload = p
		} else if p, ok := b.payload(seq); ok {
			slots[i].Payload = p
		} else {
			missing = append(missing, seq)
		}
	}
	if len(missing) > 0 {
		found, err := e.payloads(ctx, b.run, missing)
		if err != nil {
			return flow.Inputs{}, err
		}
		for i, seq := range it.In {
			if p, ok := found[seq]; ok {
				slots[i].Payload = p
			}
		}
	}
	return flow.NewInputs(slots...), nil
}

// payloadAt returns the payload that an iteration in a scope refers to by seq.
func (e *Engine) payloadAt(ctx context.Context, b *box, s *flow.State, scope string, seq uint64) (json.RawMessage, error) {
	if p, ok := e.payloadAtHand(b, s, scope, seq, nil); ok {
		return p, nil
	}
	if g, item, ok := s.ScopeGroup(scope); ok && g.Seq == seq {
		return e.itemPayload(ctx, b.run, g, item)
	}
	found, err := e.payloads(ctx, b.run, []uint64{seq})
	return found[seq], err
}

// payloadAtHand is payloadAt without asking the store.
func (e *Engine) payloadAtHand(b *box, s *flow.State, scope string, seq uint64, out *flow.Changes) (json.RawMessage, bool) {
	if g, item, ok := s.ScopeGroup(scope); ok && g.Seq == seq {
		r := flow.PartRef{Stage: g.Stage, N: item / flow.ChunkItems}
		part, ok := e.parts.get(partID(b.run, r))
		if !ok && out != nil {
			for _, p := range out.Parts {
				if p.PartRef == r {
					part, ok = p.Part, true
					e.parts.put(partID(b.run, r), part)
				}
			}
		}
		if i := item % flow.ChunkItems; ok && i < len(part.Items) {
			return part.Items[i], true
		}
		return nil, false
	}
	if out != nil {
		if n := len(out.Records); n > 0 && seq >= out.Records[0].Seq && seq <= out.Records[n-1].Seq {
			return out.Records[seq-out.Records[0].Seq].Data, true
		}
	}
	return b.payload(seq)
}

// payloads reads the data of records from the log of a run.
func (e *Engine) payloads(ctx context.Context, run string, seqs []uint64) (map[uint64]json.RawMessage, error) {
	asc := slices.Compact(slices.Sorted(slices.Values(seqs)))
	records, err := e.Store.Read(ctx, run, adapter.Range{Seqs: asc})
	if err != nil {
		return nil, fmt.Errorf("read log of run %s: %w", run, err)
	}
	found := make(map[uint64]json.RawMessage, len(records))
	for i := range records {
		found[records[i].Seq] = records[i].Data
	}
	for _, seq := range asc {
		if _, ok := found[seq]; !ok {
			return nil, fmt.Errorf("read log of run %s: %w: record %d", run, adapter.ErrNotFound, seq)
		}
	}
	return found, nil
}
