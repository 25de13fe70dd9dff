package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// abandonAfter is how long a handler may go on after its timeout before its attempt is recorded as failed without it.
const abandonAfter = 5 * time.Second

// stepRun is one attempt of a step in this process.
type stepRun struct {
	e        *Engine
	b        *box
	receipt  receipt
	def      *flow.Definition
	step     *flow.Step
	token    flow.Token
	it       *flow.Iteration // of a committed state, which nobody changes
	key      string          // the idempotency key
	own      handlerContext
	attempt  flow.Attempt
	began    time.Time // host clock
	start    flow.StartInfo
	nextHeld *stepRun // of the same run
	recorded bool     // by the write-behind: that it started
	claimed  claim    // who records the outcome: the handler's return, or the watchdog of its timeout

	timeout time.Duration // 0: none
	timerMu sync.Mutex
	timer   adapter.Timer
}

func (w *stepRun) run(h flow.Handler, in flow.Inputs) {
	e := w.e
	w.timeout = w.step.Timeout
	if w.timeout == 0 {
		w.timeout = e.StepTimeout
	}
	w.prepare()
	defer w.own.end(nil)
	e.held.hold(w)
	defer e.held.release(w)
	if w.timeout <= 2*behindDelay {
		w.arm() // else the write-behind does, if need be
	}
	e.behind.watch(w)
	result, err := call(w.attempt.With(&w.own), h, in)
	if !w.claimed.take() {
		return // abandoned
	}
	w.disarm()
	w.finish(result, err)
}

// prepare fills in what the handler's context carries.
func (w *stepRun) prepare() {
	e, run := w.e, w.token.Run
	w.attempt = flow.Attempt{
		AttemptInfo: flow.AttemptInfo{
			RunID: run, Flow: w.def.Name(), Step: w.step.Name, Scope: w.token.Scope, Epoch: w.token.Epoch,
			Iteration: w.it.N, Attempt: w.it.Attempt, Attempts: w.step.Attempts, Key: w.key,
		},
		MayEmit: w.step.MayEmit, MayEmitAll: w.step.MayEmitAll, Declared: w.step.Declared(), MaxPayload: e.MaxPayload,
		LogHandler: e.Logger.Handler(),
		ReadState: func(ctx context.Context, key string) (json.RawMessage, error) {
			return e.readData(ctx, run, key)
		},
		Stage: func(ctx context.Context, r flow.PartRef, items []json.RawMessage) error {
			return e.stage(ctx, run, r, items)
		},
		NewStage: func() string { return "s" + strconv.FormatUint(rand.Uint64(), 36) },
		EmitNow:  w.emitNow,
		Memo: func(ctx context.Context, name string, fn func(context.Context) (json.RawMessage, error)) (json.RawMessage, error) {
			return e.memo(ctx, run, w.key, name, fn)
		},
		Awaited: func(ctx context.Context) (json.RawMessage, bool, error) {
			if w.it.Awaited == 0 {
				return nil, false, nil
			}
			found, err := e.payloads(ctx, run, []uint64{w.it.Awaited})
			return found[w.it.Awaited], true, err
		},
		AwaitsSignal: func(step string) bool {
			s := w.def.Step(step)
			return s != nil && s.AwaitsSignal()
		},
		NewToken: newSignalToken(run),
	}
}

// emitNow records and delivers an emission while the handler runs.
func (w *stepRun) emitNow(ctx context.Context, em flow.Emission) error {
	verdict, err := w.e.submitTo(ctx, w.b, flow.EmittedNow{Token: w.token, Emission: em, Start: &w.start})
	if err == nil && verdict == flow.Stale {
		err = errFenced
	}
	return err
}

// arm sets the timer of the timeout, if there is one and the handler has not returned yet.
func (w *stepRun) arm() {
	w.timerMu.Lock()
	defer w.timerMu.Unlock()
	if w.timeout > 0 && w.timer == nil && !w.claimed.taken.Load() {
		w.timer = w.e.Clock.AfterFunc(w.began.Add(w.timeout).Sub(w.e.Clock.Now()), w.overdue)
	}
}

func (w *stepRun) disarm() {
	w.timerMu.Lock()
	defer w.timerMu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
}

// overdue ends the context of a handler whose timeout has passed, and gives it a last chance to return.
func (w *stepRun) overdue() {
	w.own.end(fmt.Errorf("%w: step %q ran longer than %v", adapter.ErrTimeout, w.step.Name, w.timeout))
	w.timerMu.Lock()
	defer w.timerMu.Unlock()
	if !w.claimed.taken.Load() {
		w.timer = w.e.Clock.AfterFunc(abandonAfter, w.abandon)
	}
}

// call runs a handler and turns its panic into an error.
func call(ctx context.Context, h flow.Handler, in flow.Inputs) (result json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return h.Call(ctx, in)
}

// finish records the outcome of a handler that returned.
func (w *stepRun) finish(result json.RawMessage, err error) {
	e := w.e
	got := w.attempt.End()
	o := flow.Outcome{Token: w.token, Lines: got.Lines, Start: &w.start}
	if err == nil {
		o.Result, o.Emissions, o.Ops, o.Signals, o.Launches = result, got.Emissions, got.Ops, got.Signals, got.Launches
	} else {
		cause := context.Cause(&w.own)
		switch {
		case errors.Is(cause, adapter.ErrClosed):
			e.settle(w.receipt, adapter.Settlement{Verdict: adapter.Release})
			return
		case errors.Is(cause, adapter.ErrLeaseLost):
			return // a lost lease may still record a success, never a failure
		case errors.Is(cause, adapter.ErrCanceled):
			e.settle(w.receipt, adapter.Settlement{Verdict: adapter.Discard})
			return
		case errors.Is(cause, adapter.ErrTimeout) && !errors.Is(err, adapter.ErrTimeout):
			err = fmt.Errorf("%w (%w)", err, cause)
		}
		o.Err = attemptError(err)
		o.Random = rand.Float64()
	}
	w.record(o)
}

func attemptError(err error) *flow.AttemptError {
	a := &flow.AttemptError{Message: err.Error(), Final: flow.IsPermanent(err)}
	if d, ok := flow.RetryDelay(err); ok {
		a.After = &d
	}
	return a
}

// record commits an outcome and settles the delivery: never before the commit is known to be applied or stale.
func (w *stepRun) record(o flow.Outcome) {
	e := w.e
	accepted := w.settlement(flow.Accepted, o)
	r := &request{in: o, settle: &accepted}
	if err := e.submitRequest(e.ctx, w.b, r); err != nil {
		// The store cannot tell, or refuses. The job is delivered again, and then the state says what is true.
		e.alarm("outcome/"+w.step.Name, "outcome is not recorded; handing the job back", "run", w.token.Run, "step", w.step.Name,
			"error", err)
		e.settle(w.receipt, adapter.Settlement{Verdict: adapter.Release, Delay: time.Second})
		return
	}
	if !r.settled {
		e.settleIn(&w.own.room, w.receipt, w.settlement(r.verdict, o))
	}
}

// settlement returns how the delivery is settled once the outcome is accepted, or stale.
func (w *stepRun) settlement(v flow.Verdict, o flow.Outcome) adapter.Settlement {
	s := adapter.Settlement{Queue: w.receipt.queue, ID: w.receipt.id, Receipt: w.receipt.receipt,
		Verdict: flow.SettleAs(v, o.Err != nil)}
	switch s.Verdict {
	case adapter.Complete:
		s.Result = o.Result
	case adapter.Fail:
		s.Err = o.Err.Message
	}
	return s
}

// abandon fails the attempt of a handler that does not return although its context has ended. What it does later has no
// effect.
func (w *stepRun) abandon() {
	if !w.claimed.take() {
		return
	}
	w.e.alarm("abandon/"+w.step.Name, "handler ignores its timeout; its attempt is given up", "run", w.token.Run,
		"step", w.step.Name, "timeout", w.timeout)
	got := w.attempt.End()
	w.record(flow.Outcome{Token: w.token, Lines: got.Lines, Start: &w.start, Random: rand.Float64(),
		Err: &flow.AttemptError{Message: fmt.Sprintf("%v: still running %v after its timeout of %v", adapter.ErrTimeout, abandonAfter, w.timeout)}})
}
