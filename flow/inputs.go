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
	Signals   []NewSignal // tokens that the handler has given out
	Launches  []NewLaunch // runs that the handler starts
	Start     *StartInfo  // for the step.started record, if it is not in the log yet
	Random    float64     // 0..1, for the jitter of a back-off
}

// NewLaunch is a run that a handler starts if its attempt succeeds.
type NewLaunch struct {
	Flow  string
	Input json.RawMessage
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

func (o Outcome) scopePath() string { return o.Token.Scope }

func (o Outcome) decide(t *transition) Verdict {
	p, it := t.scheduled(o.Token)
	if it == nil {
		return Stale
	}
	step := t.def.Step(o.Token.Step)
	var ways []emitted
	if o.Err == nil && step.Flow == "" { // the way of a call is that of the child's result
		var err error
		if ways, err = t.ways(step, it, &o); err != nil {
			o.Err = &AttemptError{Message: err.Error(), Final: true}
		}
	}
	base := t.stepRecord(p, step, it)
	t.started(base, it, o.Start)
	t.lines(base, o.Lines)
	if o.Err != nil {
		t.failAttempt(p, step, it, *o.Err, o.Random)
		return Accepted
	}
	for _, op := range o.Ops {
		t.stateOp(base, op)
	}
	for _, sig := range o.Signals {
		t.newSignal(p, sig)
	}
	for _, l := range o.Launches {
		t.launch(base, l)
	}
	if step.Flow != "" {
		t.startChild(p, step, it, o.Result)
		return Accepted
	}
	t.complete(p, step, it, ways, o.Result)
	return Accepted
}

// complete records that an iteration has succeeded, and delivers what it emitted. The last of ways is its completion.
func (t *transition) complete(p *place, step *Step, it *Iteration, ways []emitted, result json.RawMessage) {
	base := t.stepRecord(p, step, it)
	for i := range ways {
		w := &ways[i]
		r := base
		switch {
		case i == len(ways)-1:
			r.Type, r.Data = RecordStepCompleted, result
			w.seq = t.record(r)
			if step.Returns {
				t.s.Result = w.seq
			}
		case w.group != nil:
			t.s.NextGroup++
			w.group.N = t.s.NextGroup
			r.Type, r.Key, r.Data = RecordEmitAll, w.event, raw(groupData{w.group.N, w.group.Items})
			w.seq = t.record(r)
			w.group.Seq = w.seq
			t.storePart(w)
		default:
			r.Type, r.Key, r.Data = RecordEmit, w.event, w.payload
			w.seq = t.record(r)
		}
	}
	done := ways[len(ways)-1].seq
	if step.After != nil {
		it.Done, it.Held = done, hold(ways)
		t.await(p, step, it, PhaseAfter, result)
		return
	}
	t.succeed(p, step, it.N, ways)
}

// storePart stores the payloads of a group's items that come with the outcome. Those of a large group are there already.
func (t *transition) storePart(w *emitted) {
	if w.part == nil {
		return
	}
	w.group.Stage = stageOf(w.group.N)
	r := PartRef{w.group.Stage, 0}
	t.out.Parts = append(t.out.Parts, NewPart{r, *w.part})
	t.s.LoadPart(r, *w.part)
}

// succeed ends an iteration and delivers what it emitted.
func (t *transition) succeed(p *place, step *Step, n int, ways []emitted) {
	p.scope.step(step.Name).Done++
	t.close(p, step.Name, n)
	for i := range ways {
		t.deliver(p, &ways[i])
	}
	t.settle(p)
}

// stepRecord returns what all records of an attempt have in common.
func (t *transition) stepRecord(p *place, step *Step, it *Iteration) adapter.Record {
	causes := it.In
	if slices.Contains(causes, 0) {
		causes = slices.DeleteFunc(slices.Clone(causes), func(seq uint64) bool { return seq == 0 })
	}
	if it.Awaited != 0 {
		causes = append(slices.Clip(slices.Clone(causes)), it.Awaited)
	}
	return adapter.Record{Step: step.Name, Scope: p.path, Iteration: it.N, Attempt: it.Attempt, Causes: causes}
}

func (t *transition) started(base adapter.Record, it *Iteration, info *StartInfo) {
	if it.Started || info == nil {
		return
	}
	it.Started = true
	base.Type, base.Data = RecordStepStarted, info.encode()
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

// failAttempt tries again, or ends the iteration for good.
func (t *transition) failAttempt(p *place, step *Step, it *Iteration, e AttemptError, random float64) {
	base := t.stepRecord(p, step, it)
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
		t.redispatch(p, step, it, t.now.Add(delay))
		return
	}
	failure := Failure{Step: step.Name, Error: e.Message, Attempts: it.Attempt}
	base.Type, base.Data = RecordStepFailed, raw(failure)
	t.failed(p, step, it.N, failure, t.record(base), base.Data)
}

// failed deals with an iteration that has failed for good, which is recorded at seq: handled by whoever subscribes to the
// failure, by the step's policy, by the group that goes on without the item, or by failing the run.
func (t *transition) failed(p *place, step *Step, n int, failure Failure, seq uint64, payload json.RawMessage) {
	p.scope.step(step.Name).Failed++
	origin := ""
	if _, it := p.scope.iteration(step.Name, n); it != nil {
		origin = it.Origin
	}
	vias, err := t.vias(step.failEvent, payload)
	if err != nil {
		failure.Error += "; then: " + err.Error()
	}
	switch {
	case len(vias) > 0:
		t.close(p, step.Name, n)
		t.deliver(p, &emitted{event: step.failEvent, seq: seq, payload: payload, to: vias, by: step.Name, origin: origin})
		t.settle(p)
	case step.Continue && err == nil:
		t.close(p, step.Name, n)
		t.settle(p)
	default:
		if _, it := p.scope.iteration(step.Name, n); it != nil {
			it.Failed = true
		}
		t.failScope(p, step.Name, failure, seq)
	}
}

// failScope ends the innermost item whose group goes on without it, or the run.
func (t *transition) failScope(p *place, step string, failure Failure, seq uint64) {
	for q := p; q.up != nil; q = q.up {
		if t.def.partial[q.group.Event] {
			t.endItem(q, ItemFailed, seq)
			t.settle(q.up)
			return
		}
	}
	sum := t.summary()
	sum.Error = &failure
	sum.Failed = slices.DeleteFunc(sum.Failed, func(name string) bool { return name == step && p.up == nil })
	t.end(StatusFailed, RecordFlowFailed, step, []uint64{seq}, sum)
}

// retryData is the data of a step.retry record.
type retryData struct {
	Error    string `json:"error"`
	Attempts int    `json:"attempts"`
	DelayMS  int64  `json:"delayMs"`
}

// groupData is the data of an emit.all record.
type groupData struct {
	Group int `json:"group"`
	Items int `json:"items"`
}

// Lost says that the dispatch of a token came to nothing: its job is gone, or ended without an outcome of ours. The work is
// dispatched again while deliveries remain; then it fails.
type Lost struct {
	Token      Token
	Deliveries int // how many deliveries were lost with it, at least 1
	Max        int // deliveries in total that an attempt may use
}

func (l Lost) scopePath() string { return l.Token.Scope }

func (l Lost) decide(t *transition) Verdict {
	p, it := t.scheduled(l.Token)
	if it == nil {
		return Stale
	}
	it.Crashes += max(l.Deliveries, 1)
	step := t.def.Step(l.Token.Step)
	if it.Crashes < l.Max {
		t.redispatch(p, step, it, time.Time{})
		return Accepted
	}
	e := AttemptError{Message: fmt.Sprintf("crashed %d times without an outcome", it.Crashes), Final: true}
	t.failAttempt(p, step, it, e, 0)
	return Accepted
}

// Logged is what an attempt that still runs has to record: that it started, and log lines.
type Logged struct {
	Token Token
	Start *StartInfo
	Lines []LogLine
}

func (l Logged) scopePath() string { return l.Token.Scope }

func (l Logged) decide(t *transition) Verdict {
	p, it := t.scheduled(l.Token)
	if it == nil {
		return Stale
	}
	base := t.stepRecord(p, t.def.Step(l.Token.Step), it)
	t.started(base, it, l.Start)
	t.lines(base, l.Lines)
	return Accepted
}

// EmittedNow is an emission that a running handler does not hold back until it has succeeded. It is delivered at once, and
// again by the next attempt if this one fails.
type EmittedNow struct {
	Token    Token
	Emission Emission
	Start    *StartInfo
}

func (e EmittedNow) scopePath() string { return e.Token.Scope }

func (e EmittedNow) decide(t *transition) Verdict {
	p, it := t.scheduled(e.Token)
	if it == nil {
		return Stale
	}
	step := t.def.Step(e.Token.Step)
	vias, err := t.vias(e.Emission.Event, e.Emission.Payload)
	if err != nil {
		return Stale // the attempt reports what is wrong with a condition when it emits
	}
	base := t.stepRecord(p, step, it)
	t.started(base, it, e.Start)
	base.Type, base.Key, base.Data = RecordEmit, e.Emission.Event, e.Emission.Payload
	seq := t.record(base)
	t.deliver(p, &emitted{event: e.Emission.Event, seq: seq, payload: e.Emission.Payload, to: vias, by: step.Name,
		sights: t.sights(e.Emission.Event, e.Emission.Payload), origin: it.Origin, ordinal: int(seq)})
	return Accepted
}
