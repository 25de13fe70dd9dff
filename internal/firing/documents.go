package firing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/trigger"
)

// The collections of triggers. What is in them under one name shares a partition.
const (
	CollectionTriggers = "triggers"      // {name}: trigger.Definition
	CollectionState    = "flow-triggers" // {name}: State
)

var collections = []adapter.Collection{
	{Name: CollectionTriggers, Indexes: []adapter.Index{{Order: "updatedAt"}}},
	{Name: CollectionState},
}

// State is what has become of a trigger. It is kept apart from the definition, so that firing and editing do not get in each
// other's way. Times are Unix milliseconds of the store's clock.
type State struct {
	Schedule string `json:"schedule"`         // hash of the schedule that this is about
	Made     int64  `json:"made"`             // when the schedule was made
	Last     int64  `json:"last"`             // everything up to this tick has been decided about
	Paused   bool   `json:"paused,omitempty"` // as the definition was then

	// Pending are starts that have been decided on, and may not have been carried out.
	Pending    []Start `json:"pending,omitempty"`
	Claim      string  `json:"claim,omitempty"` // the instance that carries them out
	ClaimUntil int64   `json:"claimUntil,omitempty"`

	Fired   int64    `json:"fired,omitempty"`   // how many ticks were
	Skipped int64    `json:"skipped,omitempty"` // how many were left out
	Started *Started `json:"started,omitempty"` // the latest
	Failure *Failure `json:"failure,omitempty"` // the latest
}

// Started says what a trigger has started.
type Started struct {
	ID string `json:"id"` // of the run or the job
	At int64  `json:"at"`
}

// Failure says why a trigger could not start something that it had to.
type Failure struct {
	Key   string `json:"key"`
	Error string `json:"error"`
	At    int64  `json:"at"`
}

// record is what the store has about a trigger.
type record struct {
	def     trigger.Definition
	version adapter.Version // of def; Absent
	state   *State
	stateV  adapter.Version // of state; Absent
}

// read returns what the store has about a trigger.
func (s *Service) read(ctx context.Context, name string) (record, error) {
	var r record
	docs, err := s.Store.Get(ctx, CollectionTriggers, name)
	if err == nil && len(docs) > 0 {
		r.def, err = decode(docs[0])
		r.version = docs[0].Version
	}
	if err != nil {
		return r, fmt.Errorf("get trigger %q: %w", name, err)
	}
	docs, err = s.Store.Get(ctx, CollectionState, name)
	if err == nil && len(docs) > 0 {
		r.stateV = docs[0].Version
		r.state, err = decodeState(docs[0])
	}
	if err != nil {
		return r, fmt.Errorf("get state of trigger %q: %w", name, err)
	}
	return r, nil
}

func decodeState(d adapter.Doc) (*State, error) {
	st := &State{}
	if err := json.Unmarshal(d.Body, st); err != nil {
		return nil, fmt.Errorf("decode state of trigger %q: %w", d.ID, err)
	}
	return st, nil
}

// there reports whether the trigger exists.
func (r *record) there() bool { return r.version != adapter.Absent && !r.def.Deleted }

// decode reads a document of CollectionTriggers.
func decode(d adapter.Doc) (trigger.Definition, error) {
	var def trigger.Definition
	if err := json.Unmarshal(d.Body, &def); err != nil {
		return def, fmt.Errorf("decode trigger %q: %w", d.ID, err)
	}
	if def.Name == "" {
		def.Name = d.ID
	}
	def.Version = int64(d.Version)
	return def, nil
}

// write returns a put of a definition.
func write(def trigger.Definition, expect adapter.Version) (adapter.Doc, error) {
	def.Version = 0
	body, err := json.Marshal(def)
	if err != nil {
		return adapter.Doc{}, fmt.Errorf("encode trigger %q: %w: %w", def.Name, adapter.ErrInvalid, err)
	}
	return adapter.Doc{Collection: CollectionTriggers, ID: def.Name, Version: expect, Body: body}, nil
}

// writeState returns a put of a state.
func writeState(name string, st *State, expect adapter.Version) (adapter.Doc, error) {
	body, err := json.Marshal(st)
	if err != nil {
		return adapter.Doc{}, fmt.Errorf("encode state of trigger %q: %w", name, err)
	}
	return adapter.Doc{Collection: CollectionState, ID: name, Version: expect, Body: body}, nil
}

// follow returns the state that belongs to a definition: a new schedule begins now, and what was missed while the trigger was
// paused is not due. changed reports whether it is another one than st, which may be nil.
func follow(st *State, def *trigger.Definition, now time.Time) (next State, changed bool) {
	if st != nil {
		next = *st
	}
	if hash := def.ScheduleHash(); next.Schedule != hash {
		next.Schedule, next.Made, next.Last, changed = hash, now.UnixMilli(), now.UnixMilli(), true
	}
	if next.Paused != def.Paused {
		next.Paused, next.Last, changed = def.Paused, max(next.Last, now.UnixMilli()), true
	}
	return next, changed
}
