package trigger

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// Trigger is a checked definition. It is immutable, and may be used from many goroutines.
type Trigger struct {
	def     Definition
	paused  bool
	catchUp string
	limit   int
	filter  *flow.Filter
	// next returns the first tick after a time, of a trigger made at another. nil: it is no schedule.
	next func(after, made time.Time) time.Time
}

// Definition returns what the trigger was compiled from.
func (t *Trigger) Definition() Definition { return t.def }

// Flow returns the name of the flow that it starts, or "" if it enqueues a job.
func (t *Trigger) Flow() string {
	switch {
	case t.def.Job != nil:
		return ""
	case t.def.Flow == "":
		return t.def.Name
	}
	return t.def.Flow
}

// Match reports whether the trigger fires for an event. An error says that its filter cannot be evaluated for this payload.
func (t *Trigger) Match(event string, payload json.RawMessage) (bool, error) {
	if t.filter == nil {
		return true, nil
	}
	ok, err := t.filter.Match(event, payload)
	if err != nil {
		return false, fmt.Errorf("trigger %q: %w", t.def.Name, err)
	}
	return ok, nil
}

// Input returns the input of what the trigger starts, when that is not made by a function.
func (t *Trigger) Input(f Firing) (json.RawMessage, error) {
	if t.def.Payload {
		if f.Payload == nil {
			return json.RawMessage("null"), nil
		}
		return f.Payload, nil
	}
	why, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("trigger %q: encode payload: %w", t.def.Name, err)
	}
	in := map[string]json.RawMessage{}
	if len(t.def.Input) > 0 {
		if err := json.Unmarshal(t.def.Input, &in); err != nil {
			return nil, fmt.Errorf("trigger %q: input: %w", t.def.Name, err)
		}
	}
	in[inputKey] = why
	return json.Marshal(in)
}

// inputKey is the key of an input that says what fired.
const inputKey = "trigger"

// every returns the ticks of an interval. They are exact to the millisecond, and so is made.
func every(interval time.Duration, from time.Time) func(after, made time.Time) time.Time {
	step := interval.Milliseconds()
	return func(after, made time.Time) time.Time {
		anchor := made.UnixMilli() + step
		if !from.IsZero() {
			anchor = from.UnixMilli()
		}
		if since := after.UnixMilli() - anchor; since >= 0 {
			return time.UnixMilli(anchor + (since/step+1)*step).UTC()
		}
		return time.UnixMilli(anchor).UTC()
	}
}

// once returns a single tick.
func once(at func(made time.Time) time.Time) func(after, made time.Time) time.Time {
	return func(after, made time.Time) time.Time {
		if tick := at(made); tick.After(after) {
			return tick
		}
		return time.Time{}
	}
}
