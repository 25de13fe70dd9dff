package flow

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nvent-go/nvent/adapter"
)

// startChild asks for a run of the flow that a step calls. mapped is its input, if a handler has made it; else the step's
// own input is.
func (t *transition) startChild(p *place, step *Step, it *Iteration, mapped json.RawMessage) {
	it.Phase = PhaseChild
	r := t.stepRecord(p, step, it)
	r.Type, r.Key, r.Data = RecordChildStarted, step.Flow, mapped
	seq := t.record(r)
	if mapped == nil {
		seq = 0
	} else {
		it.Done = seq
	}
	if step.Timeout > 0 {
		t.timer(Timer{At: t.now.Add(step.Timeout).UnixMilli(), Kind: TimerStep, Scope: p.path, Step: step.Name, N: it.N})
	}
	if !t.s.Held() {
		t.out.Children = append(t.out.Children, ChildStart{Token: t.token(p, step.Name, it), Flow: step.Flow, Input: seq})
	}
}

// ChildEnded says how the child run of a step ended.
type ChildEnded struct {
	Token  Token
	Status Status
	Result json.RawMessage
	Error  string
}

func (c ChildEnded) scopePath() string { return c.Token.Scope }

func (c ChildEnded) decide(t *transition) Verdict {
	p, it := t.find(c.Token)
	if it == nil || it.Phase != PhaseChild || it.Dispatch != c.Token.Dispatch {
		return Stale
	}
	step := t.def.Step(c.Token.Step)
	it.Done = 0
	t.dropTimers(func(tm *Timer) bool {
		return tm.Kind == TimerStep && tm.Scope == p.path && tm.Step == step.Name && tm.N == it.N
	})
	if c.Status != StatusCompleted {
		message := fmt.Sprintf("child run of flow %q %s", step.Flow, c.Status)
		if c.Error != "" {
			message += ": " + c.Error
		}
		t.failAttempt(p, step, it, AttemptError{Message: message, Final: c.Status == StatusCanceled}, 0)
		return Accepted
	}
	result := c.Result
	if len(result) == 0 {
		result = json.RawMessage("null")
	}
	w, err := t.completion(step, it, result)
	if err != nil {
		t.failAttempt(p, step, it, AttemptError{Message: err.Error(), Final: true}, 0)
		return Accepted
	}
	t.complete(p, step, it, []emitted{w}, result)
	return Accepted
}

// launch records that a step starts a run that nobody waits for.
func (t *transition) launch(base adapter.Record, l NewLaunch) {
	base.Type, base.Key, base.Data = RecordRunLaunched, l.Flow, l.Input
	n := PendingLaunch{Seq: t.record(base), Flow: l.Flow}
	t.s.Launches = append(t.s.Launches, n)
	t.out.Launches = append(t.out.Launches, n)
}

// Launched says that a run that a step has started is in the store.
type Launched struct{ Seq uint64 }

func (l Launched) decide(t *transition) Verdict {
	n := len(t.s.Launches)
	t.s.Launches = slices.DeleteFunc(t.s.Launches, func(x PendingLaunch) bool { return x.Seq == l.Seq })
	if len(t.s.Launches) == n {
		return Stale
	}
	t.settle(t.root())
	return Accepted
}

// Told says that the step that waits for this run knows how it ended, or does not wait any more.
type Told struct{}

func (Told) decide(t *transition) Verdict {
	if t.s.Parent == nil || t.s.Parent.Told || !t.s.Status.Ended() {
		return Stale
	}
	t.s.Parent.Told = true
	return Accepted
}
