package flow

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// Cancel fences the run: from here on no outcome of the epoch is accepted.
type Cancel struct {
	Reason string
}

func (c Cancel) decide(t *transition) Verdict {
	if t.s.Status != StatusRunning {
		return Stale
	}
	t.dropOpen(false)
	t.s.Epoch++
	t.s.Status = StatusCanceling
	t.s.Paused, t.s.FlowPaused = false, false
	t.s.Reason = c.Reason
	return Accepted
}

// Canceled says that the jobs and children of a fenced run have been removed.
type Canceled struct{}

func (Canceled) decide(t *transition) Verdict {
	if t.s.Status != StatusCanceling {
		return Stale
	}
	sum := t.summary()
	sum.Reason = t.s.Reason
	t.end(StatusCanceled, RecordFlowCanceled, "", nil, sum)
	return Accepted
}

// Restart runs the flow again in a new epoch; what runs is fenced. It begins at the start, with the same input and no state
// documents; or, if Failed is set, where the run has failed: what had succeeded stays, what was open when it failed goes on,
// and what failed it is tried again. A run that is being cancelled is not restarted: it has to reach its end first.
type Restart struct {
	Failed bool
	// Input is given to the step that failed the run, in place of its own. Nil keeps it. Only with Failed, and only for a
	// step with one connection or a start step.
	Input json.RawMessage
	// Epoch is the one that is to be over: a restart that is decided again because nobody knows whether it was committed
	// must not happen twice. 0: whichever it is.
	Epoch int
	// Paused: its flow is paused.
	Paused bool
}

func (r Restart) decide(t *transition) Verdict {
	if t.s.Status == StatusCanceling || (r.Failed && t.s.Status != StatusFailed) || (r.Epoch != 0 && r.Epoch != t.s.Epoch) {
		return Stale
	}
	if r.Failed {
		t.s.FlowPaused = r.Paused
		return t.restartFailed(r.Input)
	}
	t.dropOpen(false)
	s := t.s
	for _, key := range s.Data {
		t.out.Ops = append(t.out.Ops, StateOp{Op: OpDelete, Key: key})
	}
	*s = State{Format: s.Format, Flow: s.Flow, Definition: s.Definition, Status: StatusRunning, Epoch: s.Epoch + 1,
		Seq: s.Seq, Input: s.Input, Headers: s.Headers, NextGroup: s.NextGroup, Keys: s.Keys, Launches: s.Launches,
		Parent: s.Parent, FlowPaused: r.Paused}
	if s.Parent != nil {
		s.Parent.Told = false
	}
	t.record(adapter.Record{Type: RecordFlowStarted, Key: "restart", Causes: []uint64{s.Input}})
	t.start(time.Time{})
	return Accepted
}

// restartFailed goes on where the run has failed.
func (t *transition) restartFailed(input json.RawMessage) Verdict {
	s := t.s
	s.Epoch++
	s.Status, s.End, s.Reason, s.Quiet = StatusRunning, 0, "", 0
	if s.Parent != nil {
		s.Parent.Told = false
	}
	seq := t.record(adapter.Record{Type: RecordFlowStarted, Key: "restart.failed", Causes: []uint64{s.Input}, Data: input})
	if d := t.def.timeout; d > 0 {
		t.timer(Timer{At: t.now.Add(d).UnixMilli(), Kind: TimerRun, Scope: RootScope})
	}
	t.recount()
	var paths []string
	s.eachScope(RootScope, &s.Scope, func(path string, _ *Scope) bool {
		paths = append(paths, path)
		return true
	})
	for _, path := range paths {
		p := t.root()
		if path != RootScope {
			p = t.place(path)
		}
		if p == nil || s.Status != StatusRunning {
			continue
		}
		t.reopen(p, input, seq)
	}
	t.out.Again = true // groups may have room
	t.settle(t.root())
	return Accepted
}

// reopen begins the open iterations of a scope again.
func (t *transition) reopen(p *place, input json.RawMessage, seq uint64) {
	type ref struct {
		step string
		n    int
	}
	var refs []ref
	for i := range p.scope.Steps {
		for _, it := range p.scope.Steps[i].Iters {
			refs = append(refs, ref{p.scope.Steps[i].Step, it.N})
		}
	}
	for _, r := range refs {
		st, it := p.scope.iteration(r.step, r.n)
		if it == nil {
			continue
		}
		step := t.def.Step(r.step)
		if it.Failed {
			it.Failed = false
			st.Failed--
			if input != nil && len(it.In) == 1 {
				it.In = []uint64{seq}
			}
		}
		it.Attempt, it.Dispatch, it.Crashes, it.Started, it.RunAt, it.Owner, it.Await, it.Tries = 1, 1, 0, false, 0, "", 0, 0
		switch {
		case it.Done != 0 && step.After != nil && step.Flow == "":
			t.await(p, step, it, PhaseAfter, nil)
		default:
			it.Done = 0
			t.begin(p, step, it, nil)
		}
	}
}

// recount counts the outstanding work of the run itself, which its end had set to zero.
func (t *transition) recount() {
	n := 0
	for i := range t.s.Steps {
		n += len(t.s.Steps[i].Iters) + len(t.s.Steps[i].Waiting)
	}
	for _, g := range t.s.Groups {
		if g.Closed == 0 {
			n++
		}
	}
	t.s.Open = n
}

// CanEditInput returns an error unless the step that failed the run takes one input, so that a restart can replace it.
func (s *State) CanEditInput() error {
	var err error
	found := false
	s.eachIteration("", func(t Token, it *Iteration) bool {
		if !it.Failed {
			return true
		}
		found = true
		if len(it.In) != 1 || len(it.Groups) > 0 {
			err = fmt.Errorf("step %q joins several events: %w: its input cannot be replaced by one value", t.Step, adapter.ErrInvalid)
		}
		return false
	})
	if !found && err == nil {
		err = fmt.Errorf("no step failed the run: %w: there is no input to replace", adapter.ErrInvalid)
	}
	return err
}

// Pause stops dispatching: what runs goes on and its outcomes count, but nothing new is dispatched and no timer fires.
type Pause struct {
	Reason string
	Flow   bool // its flow is paused: it ends with the pause of the flow
}

func (p Pause) decide(t *transition) Verdict {
	flag := &t.s.Paused
	if p.Flow {
		flag = &t.s.FlowPaused
	}
	if t.s.Status != StatusRunning || *flag {
		return Stale
	}
	if !t.s.Held() {
		t.record(adapter.Record{Type: RecordFlowPaused, Key: p.Reason})
	}
	*flag = true
	return Accepted
}

// Resume ends a pause: what is open is dispatched, and timers that came due meanwhile fire. A run that is paused both by
// itself and with its flow goes on when both pauses have ended.
type Resume struct {
	Flow bool // of its flow
}

func (r Resume) decide(t *transition) Verdict {
	flag := &t.s.Paused
	if r.Flow {
		flag = &t.s.FlowPaused
	}
	if t.s.Status != StatusRunning || !*flag {
		return Stale
	}
	*flag = false
	if t.s.Held() {
		return Accepted
	}
	t.record(adapter.Record{Type: RecordFlowResumed})
	t.s.EachOpen(t.run, func(tok Token, it *Iteration) bool {
		switch it.Phase {
		case PhaseRun:
			t.out.Dispatch = append(t.out.Dispatch, tok)
		case PhaseChild:
			t.out.Children = append(t.out.Children, ChildStart{Token: tok, Flow: t.def.Step(tok.Step).Flow, Input: it.Done})
		}
		return true
	})
	return Accepted
}

// Fill opens more items of groups that have room.
type Fill struct{}

func (Fill) decide(t *transition) Verdict {
	if t.s.Status != StatusRunning {
		return Stale
	}
	var paths []string
	t.s.eachScope(RootScope, &t.s.Scope, func(path string, sc *Scope) bool {
		for _, g := range sc.Groups {
			if g.Closed == 0 && g.Next < g.Items && g.Next-g.Ended < t.def.window(g.Event) {
				paths = append(paths, path)
				break
			}
		}
		return true
	})
	if len(paths) == 0 {
		return Stale
	}
	for _, path := range paths {
		p := t.root()
		if path != RootScope {
			p = t.place(path)
		}
		if p == nil {
			continue
		}
		for _, g := range append([]*GroupState(nil), p.scope.Groups...) {
			if g.Closed == 0 {
				t.fill(p, g)
			}
		}
		t.settle(p)
	}
	return Accepted
}

// Looked says that the reconciler has taken the run to look at it. It is stale if the run is not due, because somebody else
// took it or something happened.
type Looked struct{}

func (Looked) decide(t *transition) Verdict {
	if t.s.LookAt == 0 || t.s.LookAt > t.now.UnixMilli() {
		return Stale
	}
	t.s.Quiet++
	return Accepted
}
