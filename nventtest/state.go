package nventtest

import (
	"context"
	"encoding/json"
	"errors"
	"testing/synctest"

	"github.com/nvent-go/nvent"
)

// State returns a state document of the run as it is now ([flow.Set], [flow.Add]), and whether there is one. Without a
// clean-up strategy in the configuration the documents outlive the run.
func State[T, Out any](r *Run[Out], key string) (v T, ok bool) {
	r.app.t.Helper()
	b, ok := r.document(key)
	if !ok {
		return v, false
	}
	if err := json.Unmarshal(b, &v); err != nil {
		r.app.t.Fatalf("decode state %q as %T: %v", key, v, err)
	}
	return v, true
}

// WantState reports a state document of the run that is not there or does not equal want, as JSON.
func WantState[T, Out any](r *Run[Out], key string, want T) {
	r.app.t.Helper()
	b, err := json.Marshal(want)
	if err != nil {
		r.app.t.Fatalf("encode %T: %v", want, err)
	}
	if got, ok := r.document(key); !ok {
		r.app.t.Errorf("there is no state %q, want %s\n%s", key, b, r.describe())
	} else if !equal(got, b) {
		r.app.t.Errorf("state %q is %s, want %s\n%s", key, got, b, r.describe())
	}
}

// WantNoState reports a state document that is there.
func (r *Run[Out]) WantNoState(key string) {
	r.app.t.Helper()
	if got, ok := r.document(key); ok {
		r.app.t.Errorf("state %q is %s, want none\n%s", key, got, r.describe())
	}
}

// document reads a state document.
func (r *Run[Out]) document(key string) (json.RawMessage, bool) {
	r.app.t.Helper()
	synctest.Wait()
	doc, err := r.app.Store().Get(context.Background(), "flow-data", r.ID()+"/"+key)
	if errors.Is(err, nvent.ErrNotFound) {
		return nil, false
	}
	var body struct {
		Value json.RawMessage `json:"value"`
	}
	if err == nil {
		err = doc.Decode(&body)
	}
	if err != nil {
		r.app.t.Fatalf("read state %q: %v", key, err)
	}
	return body.Value, true
}
