package nventtest

import (
	"encoding/json"
	"slices"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// Emitted returns the payloads of an event that the run has emitted, in the order of its log. What [flow.Event.EmitAll]
// emitted is not among them: see [WantGroup].
func Emitted[T, Out any](r *Run[Out], e *flow.Event[T]) []T {
	r.app.t.Helper()
	var list []T
	for _, rec := range r.emits(e.Name(), flow.RecordEmit) {
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
	records := r.emits(e.Name(), flow.RecordEmit)
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
	for _, rec := range r.emits(e.Name(), flow.RecordEmitAll) {
		var g struct {
			Items int `json:"items"`
		}
		if err := json.Unmarshal(rec.Data, &g); err != nil {
			r.app.t.Fatalf("decode record %d: %v\n%s", rec.Seq, err, r.describe())
		}
		got = append(got, g.Items)
	}
	if !slices.Equal(got, items) {
		r.app.t.Errorf("event %q was emitted for %v items, want %v\n%s", e.Name(), got, items, r.describe())
	}
}

// emits returns the records of a type that are about an event.
func (r *Run[Out]) emits(event, typ string) Log {
	r.app.t.Helper()
	return slices.DeleteFunc(r.Log().Of(typ, ""), func(rec nvent.Record) bool { return rec.Key != event })
}

// equal compares JSON values.
func equal(a, b json.RawMessage) bool {
	ca, errA := adapter.Canonical(a)
	cb, errB := adapter.Canonical(b)
	return errA == nil && errB == nil && string(ca) == string(cb)
}
