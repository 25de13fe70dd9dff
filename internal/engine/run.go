package engine

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// StartOptions are the options of a new run.
type StartOptions struct {
	Key     string // a second start with the same key finds the run of the first
	Labels  map[string]string
	Headers map[string]string
}

// runSpace is the namespace of the UUIDv5 of runs that are started with a key.
var runSpace = uuid.MustParse("c2a4a2e6-52a5-5d5c-8d3e-5a3b1f0d9a42")

// RunID returns the ID of the run of a flow with a key. Flow names hold no "/", so no two pairs share an ID.
func RunID(flowName, key string) string {
	return uuid.NewSHA1(runSpace, []byte(flowName+"/"+key)).String()
}

// StartRun starts a run and returns its ID. When it returns, the run is in the store: no crash loses it. existing reports
// that the key had been used before; nothing is started then.
func (e *Engine) StartRun(ctx context.Context, def *flow.Definition, input json.RawMessage, o StartOptions) (run string, existing bool, err error) {
	if o.Key != "" {
		run = RunID(def.Name(), o.Key)
	} else {
		id, err := uuid.NewV7()
		if err != nil {
			return "", false, fmt.Errorf("make run id: %w", err)
		}
		run = id.String()
	}
	b := e.open(run)
	defer e.release(b)
	existing, err = e.begin(ctx, b, def, input, o)
	if err != nil {
		return "", false, fmt.Errorf("start flow %q: %w", def.Name(), err)
	}
	return run, existing, nil
}

// begin leads the box of a run through its first commit.
func (e *Engine) begin(ctx context.Context, b *box, def *flow.Definition, input json.RawMessage, o StartOptions) (bool, error) {
	b.mu.Lock()
	if b.busy || b.state != nil { // somebody else starts, or has started, the same key
		b.mu.Unlock()
		return e.joinExisting(ctx, b)
	}
	b.busy = true
	b.mu.Unlock()
	defer b.handOver()

	for try := 0; ; try++ {
		done, err := e.write(ctx, e.firstChange(b, def, input, o))
		switch {
		case err != nil:
			return false, err
		case done:
			return false, nil
		case b.state != nil:
			return true, e.reissue(ctx, b)
		case try == 3:
			return false, fmt.Errorf("run %s: %w: the store does not keep it", b.run, adapter.ErrUnavailable)
		}
	}
}

// firstChange decides the beginning of a run.
func (e *Engine) firstChange(b *box, def *flow.Definition, input json.RawMessage, o StartOptions) *change {
	now := e.now()
	out := &flow.Changes{}
	work := def.Begin(b.run, input, now, out)
	work.Headers = o.Headers
	b.set(nil, adapter.Absent, def)
	return &change{box: b, work: work, out: out, now: now, begin: &Summary{
		RunID: b.run, Flow: def.Name(), StartedAt: now.UnixMilli(), StepCount: len(def.Steps()),
		Key: o.Key, Labels: o.Labels, Label: LabelIndex(o.Labels),
	}}
}

// joinExisting makes sure that a run that was started with the same key is in the store.
func (e *Engine) joinExisting(ctx context.Context, b *box) (bool, error) {
	if _, err := e.submitTo(ctx, b, flow.Looked{}); err != nil { // waits for the first commit; changes nothing unless due
		return false, err
	}
	if s, _ := b.current(); s == nil {
		return false, fmt.Errorf("run %s: %w: a start with the same key has just failed; start again", b.run, adapter.ErrUnavailable)
	}
	return true, nil
}

// CancelRun cancels a run: when it returns nil, no outcome is accepted any more, and the run has ended or is about to. A run
// that has ended is left as it is.
func (e *Engine) CancelRun(ctx context.Context, run, reason string) error {
	verdict, err := e.submit(ctx, run, flow.Cancel{Reason: reason})
	if err != nil {
		return fmt.Errorf("cancel run %s: %w", run, err)
	}
	if verdict == flow.Stale {
		s, err := e.State(ctx, run)
		if err != nil || s.Status != flow.StatusCanceling {
			return err
		}
	}
	if err := e.finishCancel(ctx, run); err != nil {
		e.alarm("cancel", "run is fenced, its end will be recorded later", "run", run, "error", err)
	}
	return nil
}

// finishCancel ends a run that is fenced.
func (e *Engine) finishCancel(ctx context.Context, run string) error {
	_, err := e.submit(ctx, run, flow.Canceled{})
	return err
}

// RestartRun runs a run again from its start, in a new epoch. Outcomes of the old one are refused from then on.
func (e *Engine) RestartRun(ctx context.Context, run string) error {
	verdict, err := e.submit(ctx, run, flow.Restart{})
	if err != nil {
		return fmt.Errorf("restart run %s: %w", run, err)
	}
	if verdict == flow.Stale {
		if _, err := e.State(ctx, run); err != nil {
			return fmt.Errorf("restart run %s: %w", run, err)
		}
		return fmt.Errorf("restart run %s: %w: it is being cancelled; wait for its end", run, adapter.ErrConflict)
	}
	return nil
}

// State returns the committed state of a run. It must not be changed.
func (e *Engine) State(ctx context.Context, run string) (*flow.State, error) {
	docs, err := e.Store.Get(ctx, CollectionState, run)
	if err != nil {
		return nil, fmt.Errorf("get run %s: %w", run, err)
	}
	if len(docs) == 0 {
		return nil, fmt.Errorf("get run %s: %w", run, adapter.ErrNotFound)
	}
	if s := e.heldState(run, docs[0].Version); s != nil {
		return s, nil
	}
	s, err := flow.DecodeState(docs[0].Body)
	if err != nil {
		return nil, fmt.Errorf("decode state of run %s: %w", run, err)
	}
	return s, nil
}
