package flow

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// Outcome is how an attempt ended: with a result or with an error, and with what the handler left behind. Emissions and
// state changes of a failed attempt have no effect.
type Outcome struct {
	Token     Token
	Result    json.RawMessage
	Err       *AttemptError // nil: success
	Emissions []Emission
	Ops       []StateOp
	Lines     []LogLine
	Start     *StartInfo // for the step.started record, if it is not in the log yet
	Random    float64    // 0..1, for the jitter of a back-off
}

// AttemptError is why an attempt failed.
type AttemptError struct {
	Message string
	Final   bool           // no further attempt can help
	After   *time.Duration // the handler's own wish for the delay; nil: the step's back-off decides
}

// StartInfo is the data of a step.started record.
type StartInfo struct {
	Worker   string `json:"worker,omitempty"` // the instance
	Delivery int    `json:"delivery,omitempty"`
	At       int64  `json:"at,omitempty"` // when the handler began, Unix milliseconds
}

func (o Outcome) decide(t *transition) Verdict {
	st, it := t.s.find(o.Token)
	if it == nil || it.Dispatch != o.Token.Dispatch {
		return Stale
	}
	step := t.def.Step(o.Token.Step)
	var taken [][]route
	if o.Err == nil {
		var err error
		if taken, err = t.successRoutes(step, &o); err != nil {
			o.Err = &AttemptError{Message: err.Error(), Final: true}
		}
	}
	base := t.stepRecord(step, it)
	t.started(base, it, o.Start)
	t.lines(base, o.Lines)
	if o.Err != nil {
		t.failAttempt(step, st, it, base, *o.Err, o.Random)
		return Accepted
	}
	for _, op := range o.Ops {
		t.stateOp(base, op)
	}
	seqs := make([]uint64, 0, len(o.Emissions)+1)
	for _, e := range o.Emissions {
		r := base
		r.Type, r.Key, r.Data = RecordEmit, e.Event, e.Payload
		seqs = append(seqs, t.record(r))
	}
	r := base
	r.Type, r.Data = RecordStepCompleted, o.Result
	done := t.record(r)
	seqs = append(seqs, done)
	if step.Returns {
		t.s.Result = done
	}
	st.Done++
	t.close(st, it.N)
	for i, e := range o.Emissions {
		t.deliver(e.Event, seqs[i], taken[i])
	}
	t.deliver(step.event, done, taken[len(o.Emissions)])
	t.settleRun()
	return Accepted
}

// successRoutes finds the way of every emission and of the step's own completion, before anything is changed.
func (t *transition) successRoutes(step *Step, o *Outcome) ([][]route, error) {
	taken := make([][]route, 0, len(o.Emissions)+1)
	for _, e := range o.Emissions {
		if !step.MayEmit(e.Event) {
			return nil, fmt.Errorf("emit %q from step %q: %w", e.Event, step.Name, ErrUndeclared)
		}
		r, err := t.routes(e.Event, e.Payload)
		if err != nil {
			return nil, err
		}
		taken = append(taken, r)
	}
	r, err := t.routes(step.event, o.Result)
	return append(taken, r), err
}

// stepRecord returns what all records of an attempt have in common.
func (t *transition) stepRecord(step *Step, it *Iteration) adapter.Record {
	causes := it.In
	if slices.Contains(causes, 0) {
		causes = slices.DeleteFunc(slices.Clone(causes), func(seq uint64) bool { return seq == 0 })
	}
	return adapter.Record{Step: step.Name, Iteration: it.N, Attempt: it.Attempt, Causes: causes}
}

func (t *transition) started(base adapter.Record, it *Iteration, info *StartInfo) {
	if it.Started || info == nil {
		return
	}
	it.Started = true
	base.Type, base.Data = RecordStepStarted, raw(info)
	t.record(base)
}

// logData is the data of a log record. Its level is the record's key.
type logData struct {
	At      int64           `json:"at"`
	Message string          `json:"message"`
	Attrs   json.RawMessage `json:"attrs,omitempty"`
}

func (t *transition) lines(base adapter.Record, lines []LogLine) {
	for _, l := range lines {
		r := base
		r.Type, r.Key = RecordLog, l.Level
		r.Data = raw(logData{At: l.At.UnixMilli(), Message: l.Message, Attrs: l.Attrs})
		t.record(r)
	}
}

func (t *transition) stateOp(base adapter.Record, op StateOp) {
	base.Type, base.Key, base.Data = RecordState, op.Key, raw(op)
	t.record(base)
	t.out.Ops = append(t.out.Ops, op)
	i, found := slices.BinarySearch(t.s.Data, op.Key)
	switch {
	case op.Op == OpDelete && found:
		t.s.Data = slices.Delete(t.s.Data, i, i+1)
	case op.Op != OpDelete && !found:
		t.s.Data = slices.Insert(t.s.Data, i, op.Key)
	}
}

// failAttempt tries again, or ends the iteration: handled by whoever subscribes to the failure, by the step's policy, or by
// failing the run.
func (t *transition) failAttempt(step *Step, st *StepState, it *Iteration, base adapter.Record, e AttemptError, random float64) {
	if !e.Final && it.Attempt < step.Attempts {
		delay := step.Backoff.Delay(it.Attempt, random)
		if e.After != nil {
			delay = *e.After
		}
		base.Type = RecordStepRetry
		base.Data = raw(retryData{Error: e.Message, Attempts: step.Attempts, DelayMS: delay.Milliseconds()})
		t.record(base)
		it.Attempt++
		it.Crashes = 0
		it.Started = false
		t.redispatch(step.Name, it, t.now.Add(delay))
		return
	}
	failure := Failure{Step: step.Name, Error: e.Message, Attempts: it.Attempt}
	base.Type, base.Data = RecordStepFailed, raw(failure)
	seq := t.record(base)
	st.Failed++
	t.close(st, it.N)
	taken, err := t.routes(step.failEvent, base.Data)
	if err != nil {
		failure.Error += "; then: " + err.Error()
	}
	switch {
	case len(taken) > 0:
		t.deliver(step.failEvent, seq, taken)
	case step.Continue && err == nil:
	default:
		sum := t.summary()
		sum.Error = &failure
		sum.Failed = slices.DeleteFunc(sum.Failed, func(name string) bool { return name == step.Name })
		t.end(StatusFailed, RecordFlowFailed, step.Name, []uint64{seq}, sum)
		return
	}
	t.settleRun()
}

// retryData is the data of a step.retry record.
type retryData struct {
	Error    string `json:"error"`
	Attempts int    `json:"attempts"`
	DelayMS  int64  `json:"delayMs"`
}

// Lost says that the dispatch of a token came to nothing: its job is gone, or ended without an outcome of ours. The work is
// dispatched again while deliveries remain; then it fails.
type Lost struct {
	Token      Token
	Deliveries int // how many deliveries were lost with it, at least 1
	Max        int // deliveries in total that an attempt may use
}

func (l Lost) decide(t *transition) Verdict {
	st, it := t.s.find(l.Token)
	if it == nil || it.Dispatch != l.Token.Dispatch {
		return Stale
	}
	it.Crashes += max(l.Deliveries, 1)
	step := t.def.Step(l.Token.Step)
	if it.Crashes < l.Max {
		t.redispatch(step.Name, it, time.Time{})
		return Accepted
	}
	e := AttemptError{Message: fmt.Sprintf("crashed %d times without an outcome", it.Crashes), Final: true}
	t.failAttempt(step, st, it, t.stepRecord(step, it), e, 0)
	return Accepted
}

// Logged is what an attempt that still runs has to record: that it started, and log lines.
type Logged struct {
	Token Token
	Start *StartInfo
	Lines []LogLine
}

func (l Logged) decide(t *transition) Verdict {
	it := t.s.Scheduled(l.Token)
	if it == nil {
		return Stale
	}
	base := t.stepRecord(t.def.Step(l.Token.Step), it)
	t.started(base, it, l.Start)
	t.lines(base, l.Lines)
	return Accepted
}

// Cancel fences the run: from here on no outcome of the epoch is accepted.
type Cancel struct {
	Reason string
}

func (c Cancel) decide(t *transition) Verdict {
	if t.s.Status != StatusRunning {
		return Stale
	}
	t.dropOpen()
	t.s.Epoch++
	t.s.Status = StatusCanceling
	t.s.Reason = c.Reason
	return Accepted
}

// Canceled says that the jobs of a fenced run have been removed.
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

// Restart runs the flow again from its start, with the same input and no state documents, in a new epoch. What runs is
// fenced. A run that is being cancelled is not restarted: it has to reach its end first.
type Restart struct {
	// Epoch is the one that is to be over: a restart that is decided again because nobody knows whether it was committed
	// must not happen twice. 0: whichever it is.
	Epoch int
}

func (r Restart) decide(t *transition) Verdict {
	if t.s.Status == StatusCanceling || (r.Epoch != 0 && r.Epoch != t.s.Epoch) {
		return Stale
	}
	t.dropOpen()
	s := t.s
	for _, key := range s.Data {
		t.out.Ops = append(t.out.Ops, StateOp{Op: OpDelete, Key: key})
	}
	*s = State{Format: s.Format, Flow: s.Flow, Definition: s.Definition, Status: StatusRunning, Epoch: s.Epoch + 1,
		Seq: s.Seq, Input: s.Input, Headers: s.Headers}
	t.record(adapter.Record{Type: RecordFlowStarted, Key: "restart", Causes: []uint64{s.Input}})
	t.start()
	return Accepted
}

// Looked says that the reconciler has taken the run to look at it. It is stale if the run is not due, because somebody else
// took it or something happened.
type Looked struct{}

func (Looked) decide(t *transition) Verdict {
	if t.s.WakeAt == 0 || t.s.WakeAt > t.now.UnixMilli() {
		return Stale
	}
	t.s.Quiet++
	return Accepted
}
