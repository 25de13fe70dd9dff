package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/decode"
)

// Ended is how a run ended.
type Ended struct {
	Status flow.Status
	Result json.RawMessage // of the step that the flow returns; nil if there is none
	data   json.RawMessage // of the record that ended the run
}

// Summary returns what the run did not do, and why.
func (e *Ended) Summary() (sum flow.Summary, err error) {
	if err = decode.JSON(e.data, &sum); err != nil {
		err = fmt.Errorf("decode end of run: %w", err)
	}
	return sum, err
}

// endIn returns the end of a run from the records that ended it, or nil if they are not all there is to it.
func endIn(s *flow.State, records []adapter.Record) *Ended {
	end := &Ended{Status: s.Status}
	for i := range records {
		switch r := &records[i]; r.Seq {
		case s.End:
			end.data = r.Data
		case s.Result:
			end.Result = r.Data
		}
	}
	if end.data == nil || s.Result != 0 && end.Result == nil {
		return nil
	}
	return end
}

// AwaitEnd blocks until the run has ended in its current epoch, or ctx ends.
func (e *Engine) AwaitEnd(ctx context.Context, run string) (*Ended, error) {
	f := e.hub.follow(run, true)
	defer f.Close()
	for {
		s, err := e.State(ctx, run)
		if err != nil {
			if errors.Is(err, adapter.ErrNotFound) || ctx.Err() != nil || e.ctx.Err() != nil {
				return nil, err
			}
			e.alarm("await", "cannot read a run that is waited for", "run", run, "error", err)
		} else if s.Status.Ended() {
			return e.ended(ctx, run, s)
		}
		end, err := f.wait(ctx)
		if err != nil {
			return nil, fmt.Errorf("wait for run %s: %w", run, err)
		}
		if end != nil {
			return end, nil
		}
	}
}

// heldState returns the state of a run at a version, if this process holds it decoded, or nil.
func (e *Engine) heldState(run string, v adapter.Version) *flow.State {
	s := e.shard(run)
	s.mu.Lock()
	b := s.boxes[run]
	s.mu.Unlock()
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.version != v {
		return nil
	}
	return b.state
}

func (e *Engine) ended(ctx context.Context, run string, s *flow.State) (*Ended, error) {
	seqs := []uint64{s.End}
	if s.Result != 0 {
		seqs = append(seqs, s.Result)
	}
	found, err := e.payloads(ctx, run, seqs)
	if err != nil {
		return nil, err
	}
	return &Ended{Status: s.Status, Result: found[s.Result], data: found[s.End]}, nil
}
