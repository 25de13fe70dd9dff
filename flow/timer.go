package flow

import (
	"fmt"
	"slices"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// TimerKind is what happens when a timer fires.
type TimerKind string

// The kinds of timers.
const (
	TimerStart TimerKind = "start" // a delayed iteration begins
	TimerAwait TimerKind = "await" // an await resolves, or times out
	TimerStep  TimerKind = "step"  // a child flow or a foreign worker has taken too long
	TimerRun   TimerKind = "run"   // the run has taken too long
)

// Timer is something that happens to a run at a time of the store's clock. Closing what it is about removes it.
type Timer struct {
	At    int64     `json:"at"` // Unix milliseconds
	Kind  TimerKind `json:"kind"`
	Scope string    `json:"scope,omitempty"`
	Step  string    `json:"step,omitempty"`
	N     int       `json:"n,omitempty"` // iteration
}

// noEarlier returns a time in Unix milliseconds, rounded up: nothing begins before its time.
func noEarlier(at time.Time) int64 { return at.Add(time.Millisecond - 1).UnixMilli() }

func (t *transition) timer(tm Timer) {
	i, _ := slices.BinarySearchFunc(t.s.Timers, tm.At, func(a Timer, at int64) int {
		if a.At <= at {
			return -1
		}
		return 1
	})
	t.s.Timers = slices.Insert(t.s.Timers, i, tm)
}

func (t *transition) dropTimers(which func(*Timer) bool) {
	t.s.Timers = slices.DeleteFunc(t.s.Timers, func(tm Timer) bool { return which(&tm) })
}

// Fire says that timers of the run may be due. It is stale if none is, or while the run is paused.
type Fire struct{}

func (Fire) decide(t *transition) Verdict {
	if t.s.Status != StatusRunning || t.s.Held() {
		return Stale
	}
	fired := false
	for len(t.s.Timers) > 0 && t.s.Timers[0].At <= t.now.UnixMilli() && t.s.Status == StatusRunning {
		tm := t.s.Timers[0]
		t.s.Timers = slices.Clone(t.s.Timers[1:])
		fired = true
		t.fire(tm)
	}
	if !fired {
		return Stale
	}
	return Accepted
}

func (t *transition) fire(tm Timer) {
	if tm.Kind == TimerRun {
		failure := Failure{Error: fmt.Sprintf("run timed out after %v", t.def.timeout)}
		sum := t.summary()
		sum.Error = &failure
		t.end(StatusFailed, RecordFlowFailed, "", nil, sum)
		return
	}
	p := t.place(tm.Scope)
	if p == nil {
		return
	}
	_, it := p.scope.iteration(tm.Step, tm.N)
	if it == nil {
		return
	}
	step := t.def.Step(tm.Step)
	switch {
	case tm.Kind == TimerStart && it.Phase == PhaseDelay:
		it.RunAt = 0
		t.begin(p, step, it, nil)
	case tm.Kind == TimerAwait && it.Phase == PhaseBefore:
		t.awaitDue(p, step, it, step.Before)
	case tm.Kind == TimerAwait && it.Phase == PhaseAfter:
		t.awaitDue(p, step, it, step.After)
	case tm.Kind == TimerStep && (it.Phase == PhaseChild || it.Phase == PhaseRun):
		tok := t.token(p, step.Name, it)
		if it.Phase == PhaseChild {
			t.out.Orphans = append(t.out.Orphans, tok)
		} else {
			t.out.Remove = append(t.out.Remove, tok)
		}
		t.failAttempt(p, step, it, AttemptError{Message: fmt.Sprintf("%v after %v", adapter.ErrTimeout, step.Timeout)}, 0)
	}
}

// NextWake returns when something happens to the run by itself: its first timer, or the reconciler's look. Zero: never.
func (s *State) NextWake(now time.Time) (wake, look time.Time) {
	look = s.NextLook(now)
	wake = look
	if s.Status == StatusRunning && !s.Held() && len(s.Timers) > 0 {
		if at := time.UnixMilli(s.Timers[0].At); wake.IsZero() || at.Before(wake) {
			wake = at
		}
	}
	return wake, look
}
