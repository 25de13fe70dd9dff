package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// A run and its parent, its children and the runs that it launches are different partitions: no commit spans two of them.
// Each side stays unfinished until it has seen the other's commit, and the reconciler drives both directions.

// childSpace is the namespace of the UUIDv5 of child runs.
var childSpace = uuid.MustParse("3b0f5b9e-5c8e-5b3a-a0f6-7d7f5b8d2c11")

// ChildID returns the ID of the run that a step's dispatch of a call starts.
func ChildID(t flow.Token) string {
	return uuid.NewSHA1(childSpace, []byte(t.String())).String()
}

// launchID returns the ID of a run that a step starts for nobody.
func launchID(run string, seq uint64) string {
	return uuid.NewSHA1(childSpace, []byte("launch|"+run+"|"+strconv.FormatUint(seq, 10))).String()
}

// tellOthers does what a commit means for other runs.
func (e *Engine) tellOthers(run string, c *change) {
	for _, child := range c.out.Children {
		e.later(func(ctx context.Context) error { return e.startChild(ctx, run, child) })
	}
	for _, l := range c.out.Launches {
		e.later(func(ctx context.Context) error { return e.launch(ctx, run, l) })
	}
	for _, t := range c.out.Orphans {
		e.later(func(ctx context.Context) error { return e.cancelChild(ctx, t) })
	}
	for _, a := range c.out.Awaits {
		if !a.Closed {
			e.later(func(ctx context.Context) error { return e.lookBack(ctx, a.Wait) })
		}
	}
	if s := c.work; s.Status.Ended() && s.Parent != nil && !s.Parent.Told {
		e.later(func(ctx context.Context) error { return e.tellParent(ctx, run, s) })
	}
}

// startChild starts the run of a step that calls a flow. If it is there already it has perhaps ended, and its parent was not
// told.
func (e *Engine) startChild(ctx context.Context, run string, c flow.ChildStart) error {
	def, err := e.flowNamed(ctx, c.Flow)
	if err != nil {
		return fmt.Errorf("start child of run %s, step %q: %w", run, c.Token.Step, err)
	}
	input, s, err := e.childInput(ctx, run, c)
	if err != nil || s == nil {
		return err
	}
	id := ChildID(c.Token)
	b := e.open(id)
	defer e.release(b)
	existing, err := e.begin(ctx, b, def, input, StartOptions{Parent: &c.Token, Headers: s.Headers})
	switch {
	case errors.Is(err, adapter.ErrInvalid): // the input is not one that the flow takes
		_, err = e.submit(ctx, run, flow.ChildEnded{Token: c.Token, Status: flow.StatusFailed, Error: err.Error()})
		return err
	case err != nil || !existing:
		return err
	}
	child, err := e.State(ctx, id)
	if err != nil || !child.Status.Ended() {
		return err
	}
	return e.tellParent(ctx, id, child)
}

// childInput returns the input of a child, or nothing if the step does not call it any more.
func (e *Engine) childInput(ctx context.Context, run string, c flow.ChildStart) (json.RawMessage, *flow.State, error) {
	b := e.open(run)
	defer e.release(b)
	s, def, err := e.freshFor(ctx, b, c.Token.Scope)
	if err != nil || s == nil {
		return nil, nil, err
	}
	it := s.OpenIteration(c.Token)
	if it == nil || it.Phase != flow.PhaseChild {
		return nil, nil, nil
	}
	if c.Input != 0 {
		found, err := e.payloads(ctx, run, []uint64{c.Input})
		return found[c.Input], s, err
	}
	step := def.Step(c.Token.Step)
	at := func(seq uint64) (json.RawMessage, bool) {
		p, perr := e.payloadAt(ctx, b, s, c.Token.Scope, seq)
		if perr != nil {
			err = perr
		}
		return p, perr == nil
	}
	input, _ := appendInput(nil, step, it, at)
	return input, s, err
}

// launch starts a run that a step of another one has launched.
func (e *Engine) launch(ctx context.Context, run string, l flow.PendingLaunch) error {
	def, err := e.flowNamed(ctx, l.Flow)
	if err != nil {
		return fmt.Errorf("launch from run %s: %w", run, err)
	}
	found, err := e.payloads(ctx, run, []uint64{l.Seq})
	if err != nil {
		return err
	}
	b := e.open(launchID(run, l.Seq))
	defer e.release(b)
	if _, err := e.begin(ctx, b, def, found[l.Seq], StartOptions{}); err != nil {
		if !errors.Is(err, adapter.ErrInvalid) {
			return err
		}
		e.alarm("launch/"+l.Flow, "a run cannot be launched", "from", run, "flow", l.Flow, "error", err)
	}
	_, err = e.submit(ctx, run, flow.Launched{Seq: l.Seq})
	return err
}

// cancelChild cancels the run of a step that does not wait for it any more.
func (e *Engine) cancelChild(ctx context.Context, t flow.Token) error {
	err := e.CancelRun(ctx, ChildID(t), "the run that called it does not wait for it any more")
	if errors.Is(err, adapter.ErrNotFound) { // it was not started yet, and will not be: its step is not open
		return nil
	}
	return err
}

// tellParent tells the step that waits for a run how that has ended, and then the run that its parent knows.
func (e *Engine) tellParent(ctx context.Context, run string, s *flow.State) error {
	end, err := e.ended(ctx, run, s)
	if err != nil {
		return err
	}
	sum, err := end.Summary()
	if err != nil {
		return err
	}
	in := flow.ChildEnded{Token: s.Parent.Token, Status: s.Status, Result: end.Result, Error: sum.Reason}
	if f := sum.Error; f != nil {
		in.Error = f.Error
		if f.Step != "" {
			in.Error = f.Step + ": " + f.Error
		}
	}
	if _, err := e.submit(ctx, s.Parent.Token.Run, in); err != nil {
		return fmt.Errorf("tell run %s that its child has ended: %w", s.Parent.Token.Run, err)
	}
	_, err = e.submit(ctx, run, flow.Told{})
	return err
}

// checkParent cancels a run whose parent does not wait for it any more.
func (e *Engine) checkParent(ctx context.Context, run string, s *flow.State) error {
	t := s.Parent.Token
	b := e.open(t.Run)
	defer e.release(b)
	parent, _, err := e.freshFor(ctx, b, t.Scope)
	if err != nil {
		return err
	}
	if parent != nil {
		if it := parent.OpenIteration(t); it != nil && it.Phase == flow.PhaseChild {
			return nil
		}
	}
	return e.CancelRun(ctx, run, "the run that called it does not wait for it any more")
}

// flowNamed returns the flow of a name: this engine's own, or the current one in the store.
func (e *Engine) flowNamed(ctx context.Context, name string) (*flow.Definition, error) {
	if d := e.defs.named(name); d != nil {
		return d, nil
	}
	return e.CurrentFlow(ctx, name)
}

// tellOthersAgain does what the open work of a run means for other runs once more. It is idempotent.
func (e *Engine) tellOthersAgain(run string, s *flow.State, def *flow.Definition) {
	if !s.Held() {
		s.EachOpen(run, func(t flow.Token, it *flow.Iteration) bool {
			if it.Phase == flow.PhaseChild {
				c := flow.ChildStart{Token: t, Flow: def.Step(t.Step).Flow, Input: it.Done}
				e.later(func(ctx context.Context) error { return e.startChild(ctx, run, c) })
			}
			return true
		})
	}
	for _, l := range s.Launches {
		e.later(func(ctx context.Context) error { return e.launch(ctx, run, l) })
	}
	if s.Status.Ended() && s.Parent != nil && !s.Parent.Told {
		e.later(func(ctx context.Context) error { return e.tellParent(ctx, run, s) })
	}
}
