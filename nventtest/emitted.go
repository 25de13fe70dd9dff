package nventtest

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// Emitted returns the payloads of an event that the run has emitted, in the order of its log. What [flow.Event.EmitAll]
// emitted is not among them: see [WantGroup].
func Emitted[T, Out any](r *Run[Out], e *flow.Event[T]) []T {
	r.app.t.Helper()
	var list []T
	for _, rec := range r.emits(e.Name(), false) {
		var v T
		if err := json.Unmarshal(rec.Data, &v); err != nil {
			r.app.t.Fatalf("decode event %q of record %d as %T: %v\n%s", e.Name(), rec.Seq, v, err, r.describe())
		}
		list = append(list, v)
	}
	return list
}

// WantEmitted reports a run that has not emitted an event with exactly these payloads, in this order; without any, a run
// that has emitted it. Payloads are compared as JSON.
func WantEmitted[T, Out any](r *Run[Out], e *flow.Event[T], want ...T) {
	r.app.t.Helper()
	records := r.emits(e.Name(), false)
	got := make([]json.RawMessage, len(records))
	for i, rec := range records {
		got[i] = rec.Data
	}
	wanted := make([]json.RawMessage, len(want))
	for i, v := range want {
		b, err := json.Marshal(v)
		if err != nil {
			r.app.t.Fatalf("encode %T: %v", v, err)
		}
		wanted[i] = b
	}
	if !slices.EqualFunc(got, wanted, equal) {
		r.app.t.Errorf("event %q was emitted with %s, want %s\n%s", e.Name(), got, wanted, r.describe())
	}
}

// WantGroup reports a run that has not emitted an event for exactly these numbers of items ([flow.Event.EmitAll]), in this
// order: one number for each time.
func WantGroup[T, Out any](r *Run[Out], e *flow.Event[T], items ...int) {
	r.app.t.Helper()
	var got []int
	for _, rec := range r.emits(e.Name(), true) {
		g, _ := group(rec.Data)
		got = append(got, g)
	}
	if !slices.Equal(got, items) {
		r.app.t.Errorf("event %q was emitted for %v items, want %v\n%s", e.Name(), got, items, r.describe())
	}
}

// emits returns the emit records of an event: those of groups, or the others.
func (r *Run[Out]) emits(event string, groups bool) Log {
	r.app.t.Helper()
	var all map[string]bool
	var found Log
	for _, rec := range r.Log().Of(flow.RecordEmit, "") {
		if rec.Key != event {
			continue
		}
		_, isGroup := group(rec.Data)
		if isGroup { // or a payload that looks like one
			if all == nil {
				all = r.emittersOfAll(event)
			}
			isGroup = all[rec.Step]
		}
		if isGroup == groups {
			found = append(found, rec)
		}
	}
	return found
}

// group returns how many items the data of an emit record speaks of, if it is that of a group.
func group(data json.RawMessage) (items int, ok bool) {
	var fields map[string]int
	if json.Unmarshal(data, &fields) != nil || len(fields) != 2 || fields["group"] == 0 {
		return 0, false
	}
	items, ok = fields["items"]
	return items, ok
}

// emittersOfAll returns the steps that may emit an event for many items.
func (r *Run[Out]) emittersOfAll(event string) map[string]bool {
	r.app.t.Helper()
	doc, err := r.app.Store().Get(context.Background(), "flow-definitions", r.app.state(r.ID()).Definition)
	var w flow.Wiring
	if err == nil {
		err = doc.Decode(&w)
	}
	if err != nil {
		r.app.t.Fatalf("read the definition of the run's flow: %v", err)
	}
	all := map[string]bool{}
	for name, s := range w.Steps {
		all[name] = slices.Contains(s.Config.EmitsAll, event)
	}
	return all
}

// equal compares JSON values.
func equal(a, b json.RawMessage) bool {
	ca, errA := adapter.Canonical(a)
	cb, errB := adapter.Canonical(b)
	return errA == nil && errB == nil && string(ca) == string(cb)
}
