package flow

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// defaultLookBack is how long before an await an event may have come to count, where the await does not say.
const defaultLookBack = time.Hour

// awaiting is a compiled [Await].
type awaiting struct {
	Await
	until program // over payload and event
	key   program // over input
	next  func(time.Time) time.Time
}

func (a *awaiting) lookBack() time.Duration {
	if a.LookBack == 0 {
		return defaultLookBack
	}
	return time.Duration(a.LookBack)
}

// registered is the data of an await.registered record.
type registered struct {
	Position string `json:"position"` // "before" or "after"
	Type     string `json:"type"`
	Event    string `json:"event,omitempty"`
	Field    string `json:"field,omitempty"`
	Value    string `json:"value,omitempty"`
	At       int64  `json:"at,omitempty"` // when it resolves, or times out
}

// await lets an iteration wait. payload is what the expression of a time is about.
func (t *transition) await(p *place, step *Step, it *Iteration, phase Phase, payload json.RawMessage) {
	a := step.Before
	if phase == PhaseAfter {
		a = step.After
	}
	r := t.stepRecord(p, step, it)
	if it.Done != 0 {
		r.Causes = []uint64{it.Done}
	}
	reg := registered{Position: string(phase), Type: a.Type, Event: a.Event, Field: a.Field}
	var at time.Time
	var err error
	switch a.Type {
	case AwaitTime:
		at, err = a.due(t.now, payload)
	case AwaitSchedule:
		at = a.next(t.now)
	default:
		reg.Value = t.s.Keys[awaitKey(step.Name, phase)]
		if a.Timeout > 0 {
			at = t.now.Add(time.Duration(a.Timeout))
		}
	}
	if !at.IsZero() {
		reg.At = noEarlier(at)
	}
	it.Phase, it.RunAt = phase, 0
	r.Type, r.Key, r.Data = RecordAwaitRegistered, a.Type, raw(reg)
	it.Await = t.record(r)
	if err != nil {
		tok, seq := t.token(p, step.Name, it), it.Await
		t.later = append(t.later, func() {
			if p, it := t.find(tok); it != nil && it.Await == seq {
				t.awaitFailed(p, step, it, err.Error())
			}
		})
		return
	}
	if !at.IsZero() {
		t.timer(Timer{At: reg.At, Kind: TimerAwait, Scope: p.path, Step: step.Name, N: it.N})
	}
	switch a.Type {
	case AwaitEvent:
		if s, ok := p.scope.Seen[awaitKey(step.Name, phase)]; ok && !time.UnixMilli(s.At).Before(t.now.Add(-a.lookBack())) {
			t.resolve(p, step, it, nil, s.Seq, s.To)
			return
		}
		t.out.Awaits = append(t.out.Awaits, AwaitChange{Seq: it.Await, Wait: OpenAwait{Token: t.token(p, step.Name, it),
			Seq: it.Await, Event: a.Event, Field: a.Field, Value: reg.Value, LookBack: a.lookBack()}})
	case AwaitSignal:
		t.earlySignal(p, step, it)
	}
}

// due returns when an await of a time resolves.
func (a *awaiting) due(now time.Time, payload json.RawMessage) (time.Time, error) {
	if a.until == nil {
		return now.Add(time.Duration(a.For)), nil
	}
	return evalTime(a.until, a.Until, "", payload)
}

// awaitKey names an await of a flow.
func awaitKey(step string, phase Phase) string { return step + "/" + string(phase) }

// closeAwait ends the wait of an iteration.
func (t *transition) closeAwait(step *Step, it *Iteration) {
	t.unregister(step, it)
	it.Await = 0
}

// unregister says that an iteration does not wait for an event any more, if it does.
func (t *transition) unregister(step *Step, it *Iteration) {
	if it.Await == 0 {
		return
	}
	a := step.Before
	if it.Phase == PhaseAfter {
		a = step.After
	}
	if a != nil && a.Type == AwaitEvent {
		t.out.Awaits = append(t.out.Awaits, AwaitChange{Seq: it.Await, Closed: true})
	}
}

// awaitDue resolves an await of a time, or ends one whose time is over.
func (t *transition) awaitDue(p *place, step *Step, it *Iteration, a *awaiting) {
	if a.Type == AwaitTime || a.Type == AwaitSchedule {
		t.resolve(p, step, it, json.RawMessage("null"), 0, nil)
		return
	}
	what := fmt.Sprintf("no %s came in %v", a.what(), time.Duration(a.Timeout))
	switch a.OnTimeout {
	case TimeoutContinue:
		t.timeoutRecord(p, step, it, what)
		payload := a.Default
		if payload == nil {
			payload = json.RawMessage("null")
		}
		t.resolve(p, step, it, payload, 0, nil)
	case TimeoutRetry:
		if it.Tries++; it.Tries < step.Attempts {
			t.timeoutRecord(p, step, it, what)
			t.closeAwait(step, it)
			t.await(p, step, it, it.Phase, nil)
			return
		}
		t.awaitFailed(p, step, it, fmt.Sprintf("%s, %d times", what, it.Tries))
	default:
		t.awaitFailed(p, step, it, what)
	}
}

func (a *awaiting) what() string {
	if a.Type == AwaitEvent {
		return fmt.Sprintf("event %q", a.Event)
	}
	return "signal"
}

func (t *transition) timeoutRecord(p *place, step *Step, it *Iteration, what string) {
	r := t.stepRecord(p, step, it)
	r.Type, r.Causes, r.Data = RecordAwaitTimeout, []uint64{it.Await}, raw(Failure{Step: step.Name, Error: what, Attempts: it.Attempt})
	t.record(r)
}

// awaitFailed ends an iteration whose await has failed. One that has succeeded before keeps its outcome; what it emitted is
// not delivered.
func (t *transition) awaitFailed(p *place, step *Step, it *Iteration, what string) {
	failure := Failure{Step: step.Name, Error: fmt.Sprintf("await %s: %s", it.Phase, what), Attempts: it.Attempt}
	r := t.stepRecord(p, step, it)
	r.Type, r.Causes, r.Data = RecordAwaitTimeout, []uint64{it.Await}, raw(failure)
	seq := t.record(r)
	if it.Done == 0 {
		r.Type, r.Causes = RecordStepFailed, []uint64{seq}
		seq = t.record(r)
	}
	t.closeAwait(step, it)
	t.failed(p, step, it.N, failure, seq, r.Data)
}

// resolve ends an await with what came: a payload; or the record cause, whose payload is not recorded again, and which
// reaches the subscriptions to.
func (t *transition) resolve(p *place, step *Step, it *Iteration, payload json.RawMessage, cause uint64, to []Via) {
	r := t.stepRecord(p, step, it)
	r.Type, r.Causes, r.Data = RecordAwaitResolved, []uint64{it.Await}, payload
	if cause != 0 {
		r.Causes = append(r.Causes, cause)
		slices.Sort(r.Causes)
	}
	seq := t.record(r)
	if cause != 0 {
		seq = cause
	}
	t.closeAwait(step, it)
	t.dropTimers(func(tm *Timer) bool {
		return tm.Kind == TimerAwait && tm.Scope == p.path && tm.Step == step.Name && tm.N == it.N
	})
	if it.Phase == PhaseBefore {
		it.Awaited = seq
		t.proceed(p, step, it)
		return
	}
	ways := make([]emitted, 0, len(it.Held)+1)
	for _, h := range it.Held {
		e := emitted{event: h.Event, seq: h.Seq, to: h.To, sights: h.Sights, by: h.Origin, origin: "held"}
		if h.Group != nil {
			e.group = h.Group.clone()
		}
		ways = append(ways, e)
	}
	resolved := emitted{event: step.resolvedEvent, seq: seq, payload: payload, to: to, by: step.Name, origin: it.Origin, ordinal: -2}
	if cause == 0 {
		var err error
		if resolved.to, err = t.vias(step.resolvedEvent, payload); err != nil {
			failure := Failure{Step: step.Name, Error: err.Error(), Attempts: it.Attempt}
			t.failed(p, step, it.N, failure, seq, raw(failure))
			return
		}
	}
	t.succeed(p, step, it.N, append(ways, resolved))
}

// sights returns the awaits that an event with this payload resolves, wherever they are in its scope.
func (t *transition) sights(event string, payload json.RawMessage) (list []Sight) {
	for _, step := range t.def.awaited[event] {
		for phase, a := range step.awaits() {
			if a.Type != AwaitEvent || a.Event != event || !a.matches(payload, t.s.Keys[awaitKey(step.Name, phase)]) {
				continue
			}
			sight := Sight{Step: step.Name, Phase: phase}
			if phase == PhaseAfter {
				var err error
				if sight.To, err = t.vias(step.resolvedEvent, payload); err != nil {
					continue // the await goes on: this is not an event that it can use
				}
			}
			list = append(list, sight)
		}
	}
	return list
}

// sighted tells awaits of the same scope that an event they wait for has been emitted.
func (t *transition) sighted(p *place, e *emitted) {
	for _, sight := range e.sights {
		step := t.def.Step(sight.Step)
		if p.scope.Seen == nil {
			p.scope.Seen = map[string]Sighting{}
		}
		p.scope.Seen[awaitKey(step.Name, sight.Phase)] = Sighting{e.seq, t.now.UnixMilli(), sight.To}
		seq, path := e.seq, p.path
		t.later = append(t.later, func() {
			if p := t.place(path); p != nil {
				t.wake(p, step, sight.Phase, seq, sight.To)
			}
		})
	}
}

// wake resolves the awaits of a step in a scope.
func (t *transition) wake(p *place, step *Step, phase Phase, seq uint64, to []Via) {
	for {
		st := p.scope.step(step.Name)
		if st == nil || t.s.Status != StatusRunning {
			return
		}
		i := slices.IndexFunc(st.Iters, func(it Iteration) bool {
			return it.Await != 0 && it.Phase == phase
		})
		if i < 0 {
			return
		}
		t.resolve(p, step, &st.Iters[i], nil, seq, to)
	}
}

// matches reports whether an event of this payload is the one that is waited for.
func (a *awaiting) matches(payload json.RawMessage, want string) bool {
	if a.Field == "" {
		return true
	}
	got, ok := FieldText(payload, a.Field)
	return ok && got == want
}

// FieldText returns a top-level field of a JSON object as text: how awaits compare an event with their run. Numbers are in
// canonical form. ok is false if there is no such field, or if it is an array or an object.
func FieldText(payload json.RawMessage, field string) (text string, ok bool) {
	values, err := adapter.Fields(payload, field)
	if err != nil {
		return "", false
	}
	switch v := values[0].(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return fmt.Sprint(v), true
	}
	return "", false
}

// Arrived says that an event from outside has come for an await.
type Arrived struct {
	Token   Token
	Await   uint64 // seq of its registration
	Payload json.RawMessage
}

func (a Arrived) scopePath() string { return a.Token.Scope }

func (a Arrived) decide(t *transition) Verdict {
	p, it := t.find(a.Token)
	if it == nil || it.Await == 0 || it.Await != a.Await {
		return Stale
	}
	t.resolve(p, t.def.Step(a.Token.Step), it, a.Payload, 0, nil)
	return Accepted
}
