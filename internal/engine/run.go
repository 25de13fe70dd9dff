package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// StartOptions are the options of a new run.
type StartOptions struct {
	Key     string // a second start with the same key finds the run of the first
	Labels  map[string]string
	Headers map[string]string
	Parent  *flow.Token // the step that waits for the run
	Delay   time.Duration
	At      time.Time // of the store's clock; with Delay, the later of the two counts
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
		first, err := e.firstChange(b, def, input, o)
		if err != nil {
			return false, err
		}
		done, err := e.write(ctx, first)
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
func (e *Engine) firstChange(b *box, def *flow.Definition, input json.RawMessage, o StartOptions) (*change, error) {
	now := e.now()
	out := &flow.Changes{}
	due := o.At
	if o.Delay > 0 && now.Add(o.Delay).After(due) {
		due = now.Add(o.Delay)
	}
	work, err := def.Begin(b.run, flow.Beginning{Input: input, Parent: o.Parent, Due: due, Headers: o.Headers,
		Paused: e.pauses.has(def.Name())}, now, out)
	if err != nil {
		return nil, err
	}
	b.set(nil, adapter.Absent, def)
	sum := &Summary{
		RunID: b.run, Flow: def.Name(), StartedAt: now.UnixMilli(), StepCount: len(def.Steps()),
		Key: o.Key, Labels: o.Labels, Label: LabelIndex(o.Labels), Paused: work.Held(),
	}
	if o.Parent != nil {
		sum.Parent = o.Parent.Run
	}
	return &change{box: b, work: work, out: out, now: now, begin: sum}, nil
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

// RestartOptions are the options of a restart. The zero value runs the flow again from its start.
type RestartOptions struct {
	Failed bool            // go on where the run has failed
	Input  json.RawMessage // for the step that failed the run; nil: its own
}

// RestartRun runs a run again in a new epoch. Outcomes of the old one are refused from then on. A restart by somebody else at
// the same time counts as this one.
func (e *Engine) RestartRun(ctx context.Context, run string, o RestartOptions) error {
	fail := func(err error) error { return fmt.Errorf("restart run %s: %w", run, err) }
	s, err := e.loadedState(ctx, run)
	if err != nil {
		return fail(err)
	}
	if o.Failed && s.Status != flow.StatusFailed {
		return fail(fmt.Errorf("%w: it is %s and has not failed; restart it from its start", adapter.ErrConflict, s.Status))
	}
	if o.Input != nil {
		if err := s.CanEditInput(); err != nil {
			return fail(err)
		}
	}
	verdict, err := e.submit(ctx, run, flow.Restart{Failed: o.Failed, Input: o.Input, Epoch: s.Epoch, Paused: e.pauses.has(s.Flow)})
	if err != nil {
		return fail(err)
	}
	if verdict == flow.Accepted {
		return nil
	}
	now, err := e.State(ctx, run)
	switch {
	case err != nil:
		return fail(err)
	case now.Status == flow.StatusCanceling:
		return fail(fmt.Errorf("%w: it is being cancelled; wait for its end", adapter.ErrConflict))
	}
	return nil
}

// loadedState returns the committed state of a run with all open work in it.
func (e *Engine) loadedState(ctx context.Context, run string) (*flow.State, error) {
	s, err := e.State(ctx, run)
	if err != nil {
		return nil, err
	}
	def, err := e.defs.get(ctx, s.Definition)
	if err != nil {
		return nil, err
	}
	s = s.Clone() // others look at it
	return s, e.loadNeeds(ctx, run, s, func() flow.Needs { return def.MissingLive(s) })
}

// PauseRun stops dispatching for a run; what runs goes on. Pausing a run that is paused, or has ended, does nothing.
func (e *Engine) PauseRun(ctx context.Context, run, reason string) error {
	return e.control(ctx, run, "pause", flow.Pause{Reason: reason})
}

// ResumeRun ends a pause. Resuming a run that is not paused does nothing.
func (e *Engine) ResumeRun(ctx context.Context, run string) error {
	return e.control(ctx, run, "resume", flow.Resume{})
}

// control submits an input whose effect may be there already. A run that does not exist is an error.
func (e *Engine) control(ctx context.Context, run, what string, in flow.Input) error {
	verdict, err := e.submit(ctx, run, in)
	if err == nil && verdict == flow.Stale {
		_, err = e.State(ctx, run)
	}
	if err != nil {
		return fmt.Errorf("%s run %s: %w", what, run, err)
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
