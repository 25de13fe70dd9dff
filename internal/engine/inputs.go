package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// inputs puts together what an iteration runs with: from its job, from the box, or from the log.
func (e *Engine) inputs(ctx context.Context, b *box, step *flow.Step, it *flow.Iteration, input json.RawMessage) (flow.Inputs, error) {
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
	return e.inputsFromLog(ctx, b, it, slots)
}

func (e *Engine) inputsFromLog(ctx context.Context, b *box, it *flow.Iteration, slots []flow.InputSlot) (flow.Inputs, error) {
	var missing []uint64
	for i, seq := range it.In {
		if seq == 0 {
			continue
		}
		if p, ok := b.payload(seq); ok {
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
