package flow

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"

	"github.com/nvent-go/nvent/adapter"
)

// emitted is an emission on its way to its subscribers.
type emitted struct {
	event   string
	seq     uint64
	payload json.RawMessage // nil: not at hand
	to      []Via
	sights  []Sight     // the awaits that it resolves
	group   *GroupState // of an EmitAll
	part    *Part       // the payloads of its items, where they are not staged
	// by, origin and ordinal say where it comes from, whatever came first.
	by, origin string
	ordinal    int
}

// from returns a name for the emission that is the same in every epoch and for every order of events.
func (e *emitted) from() string { return originOf(e.by, e.origin, e.event, e.ordinal) }

func originOf(by, origin, event string, ordinal int) string {
	h := fnv.New64a()
	for _, s := range []string{by, origin, event, strconv.Itoa(ordinal)} {
		_, _ = h.Write(append([]byte(s), 0)) // a hash never fails
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// ways finds the way of every emission and of the step's own completion, before anything is changed.
func (t *transition) ways(step *Step, it *Iteration, o *Outcome) ([]emitted, error) {
	ways := make([]emitted, 0, len(o.Emissions)+1)
	for i, e := range o.Emissions {
		if !step.MayEmit(e.Event) {
			return nil, fmt.Errorf("emit %q from step %q: %w", e.Event, step.Name, ErrUndeclared)
		}
		w := emitted{event: e.Event, payload: e.Payload, by: step.Name, origin: it.Origin, ordinal: i}
		if e.Group != nil {
			w.group = &GroupState{Event: e.Event, Items: e.Group.Count, Stage: e.Group.Stage}
			w.group.From = w.from()
			if e.Group.Stage == "" && e.Group.Count > 0 {
				w.part = &Part{Items: e.Group.Items}
			}
			ways = append(ways, w)
			continue
		}
		var err error
		if w.to, err = t.vias(e.Event, e.Payload); err != nil {
			return nil, err
		}
		w.sights = t.sights(e.Event, e.Payload)
		ways = append(ways, w)
	}
	w, err := t.completion(step, it, o.Result)
	return append(ways, w), err
}

// completion returns the implicit emission of a step that succeeds.
func (t *transition) completion(step *Step, it *Iteration, result json.RawMessage) (emitted, error) {
	w := emitted{event: step.event, payload: result, by: step.Name, origin: it.Origin, ordinal: -1}
	var err error
	w.to, err = t.vias(step.event, result)
	return w, err
}

// vias returns the subscriptions that an event with this payload reaches.
func (t *transition) vias(event string, payload json.RawMessage) ([]Via, error) {
	subs := t.def.subs[event]
	if len(subs) == 0 {
		return nil, nil
	}
	taken := make([]Via, 0, len(subs))
	for i := range subs {
		ok, err := subs[i].holds(event, payload)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		due, err := subs[i].due(t.now, event, payload)
		if err != nil {
			return nil, err
		}
		taken = append(taken, Via{i, due})
	}
	return taken, nil
}

// hold returns what an AwaitAfter holds back.
func hold(ways []emitted) []Held {
	held := make([]Held, len(ways))
	for i, w := range ways {
		held[i] = Held{Event: w.event, Seq: w.seq, To: w.to, Sights: w.sights, Group: w.group, Origin: w.from()}
	}
	return held
}

// deliver brings a recorded emission to its subscribers: joins are decided here, inside the commit.
func (t *transition) deliver(p *place, e *emitted) {
	t.sighted(p, e)
	if e.group != nil {
		t.openGroup(p, e)
		return
	}
	for _, via := range e.to {
		t.reach(p, e, t.def.subs[e.event][via.Sub], via.Due)
	}
}

// reach brings an emission to one subscriber. It reports whether the emission was of use.
func (t *transition) reach(p *place, e *emitted, sub subscription, due int64) bool {
	step := sub.step
	if step.collect {
		return t.gather(p, e, step)
	}
	st := p.scope.stepOrNew(step.Name)
	if step.each {
		if step.Parallel > 0 && len(st.Iters) >= step.Parallel {
			st.Waiting = append(st.Waiting, Waiting{e.seq, e.from(), due})
			p.scope.Open++
			return true
		}
		t.open(p, step, opening{in: []uint64{e.seq}, origin: e.from(), due: due, payload: e.payload})
		return true
	}
	if st.Opened > 0 || (len(st.Fill) > 0 && st.Fill[sub.slot] != 0) {
		t.ignore(p, e, step.Name)
		return false
	}
	if st.Fill == nil {
		st.Fill = make([]uint64, len(step.Slots))
	}
	st.Fill[sub.slot] = e.seq
	st.Due = max(st.Due, due)
	if filled(st.Fill) == step.need {
		o := opening{in: st.Fill, due: st.Due}
		if len(step.Slots) == 1 {
			o.payload = e.payload
		}
		st.Fill, st.Due = nil, 0
		t.open(p, step, o)
	}
	return true
}

func filled(fill []uint64) int {
	n := 0
	for _, seq := range fill {
		if seq != 0 {
			n++
		}
	}
	return n
}

func (t *transition) ignore(p *place, e *emitted, step string) {
	t.record(adapter.Record{Type: RecordIgnored, Step: step, Scope: p.path, Key: e.event, Causes: []uint64{e.seq}})
	t.s.IgnoredCount++
	if len(t.s.Ignored) < maxIgnored {
		ig := Ignored{Seq: e.seq, Event: e.event, Step: step}
		if p.up != nil {
			ig.Scope = p.path
		}
		t.s.Ignored = append(t.s.Ignored, ig)
	}
}
