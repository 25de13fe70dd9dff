package nvent

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/firing"
	"github.com/nvent-go/nvent/trigger"
)

// TriggerDefinition is a trigger as a document: the specification's TriggerDefinition. [App.Add] takes one, and so does
// [Triggers.Save].
type TriggerDefinition = trigger.Definition

// Source is what a trigger fires for: times, or events whose payload is an E.
type Source[E any] struct {
	typ    string
	config trigger.Config
	event  func(at time.Time, payload json.RawMessage) (E, error)
}

// Cron fires at the times of a cron expression in a time zone, such as "Europe/Oslo"; an empty zone is UTC. The expression has
// five fields (minute, hour, day of month, month, day of week), or six with the second in front. What happens when the clocks
// of the zone jump is in the comment of package trigger.
func Cron(expression, zone string) Source[time.Time] {
	return ticks(trigger.Config{Cron: expression, Zone: zone})
}

// Every fires again and again, d after the trigger was made for the first time, and then every d: 1s or more. Restarts of
// instances do not disturb it.
func Every(d time.Duration) Source[time.Time] {
	return ticks(trigger.Config{Interval: flow.Duration(d)})
}

// Once fires at one time. If that is over when the trigger is made, it never does.
func Once(at time.Time) Source[time.Time] {
	return ticks(trigger.Config{At: at.UTC().Format(time.RFC3339Nano)})
}

func ticks(c trigger.Config) Source[time.Time] {
	return Source[time.Time]{trigger.Schedule, c, func(at time.Time, _ json.RawMessage) (time.Time, error) { return at, nil }}
}

// OnEvent fires for the events of the bus of this process. When Publish returns, the run is in the store, or its failure in the
// log: the bus keeps nothing.
func OnEvent[P any](e BusEvent[P]) Source[P] {
	return Source[P]{trigger.Event, trigger.Config{Event: e.Name()}, decodePayload[P]}
}

// OnTopic fires for the events of a topic of the stream: once for each, on whichever instance. The trigger keeps its place in the
// topic while no instance runs. An event that its filter or its function cannot deal with moves to the topic with ".dead" behind it.
func OnTopic[P any](topic string) Source[P] {
	return Source[P]{trigger.Event, trigger.Config{Topic: topic}, decodePayload[P]}
}

func decodePayload[P any](_ time.Time, payload json.RawMessage) (P, error) {
	var p P
	if err := json.Unmarshal(payload, &p); err != nil {
		return p, fmt.Errorf("decode payload as %T: %w", p, err)
	}
	return p, nil
}

// Trigger starts runs or enqueues jobs by itself: what [App.Add] takes. Make one with [StartsFlow] or [Enqueues].
type Trigger struct {
	def      trigger.Definition
	function firing.Function
	err      error
}

// TriggerOption is an option of a trigger.
type TriggerOption struct{ set func(*trigger.Definition) }

// CatchUpNone leaves a tick out if it is more than a minute late, because no instance ran. Without an option the last tick that
// was missed fires, however late.
func CatchUpNone() TriggerOption {
	return TriggerOption{func(d *trigger.Definition) { d.Config.CatchUp, d.Config.Limit = trigger.CatchUpNone, 0 }}
}

// CatchUpAll fires every tick that was missed, or the last limit of them: up to 10,000. 0 = 100.
func CatchUpAll(limit int) TriggerOption {
	return TriggerOption{func(d *trigger.Definition) { d.Config.CatchUp, d.Config.Limit = trigger.CatchUpAll, limit }}
}

// Where fires only for events for which an expression is true, over the payload (as `payload`) and the name of the event or the
// topic (as `event`): "payload.cents > 1000".
func Where(condition string) TriggerOption {
	return TriggerOption{func(d *trigger.Definition) { d.Config.Filter = condition }}
}

// StartPaused makes the trigger paused. It fires once somebody resumes it: see [Triggers.Resume].
func StartPaused() TriggerOption {
	return TriggerOption{func(d *trigger.Definition) { d.Paused = true }}
}

// StartsFlow makes a trigger that starts runs of a flow: for each tick or event of s one run, with what in makes of it as its
// input. in may be called more than once for one of them, so it should do nothing else; if it panics, that tick or event is given
// up.
//
// The name identifies the trigger among all instances. Its definition is kept in the store, where it may be edited, paused and
// deleted: see [App.Triggers].
func StartsFlow[E, In, Out any](name string, s Source[E], f *flow.Flow[In, Out], in func(E) In, o ...TriggerOption) Trigger {
	def := trigger.Definition{Name: name, Type: s.typ, Config: s.config}
	if f == nil {
		return Trigger{err: fmt.Errorf("trigger %q: %w: the flow is nil", name, ErrInvalid)}
	}
	def.Flow = f.Name()
	return newTrigger(def, s, in, o)
}

// Enqueues makes a trigger that enqueues jobs: for each tick or event of s one, with what in makes of it as its data. It is
// otherwise like [StartsFlow].
func Enqueues[E, T any](name string, s Source[E], j *JobType[T], in func(E) T, o ...TriggerOption) Trigger {
	def := trigger.Definition{Name: name, Type: s.typ, Config: s.config}
	switch {
	case j == nil:
		return Trigger{err: fmt.Errorf("trigger %q: %w: the job is nil", name, ErrInvalid)}
	case j.err != nil:
		return Trigger{err: fmt.Errorf("trigger %q: %w", name, j.err)}
	}
	def.Job = &trigger.Job{Queue: j.queue, Name: j.name, Timeout: flow.Duration(j.timeout)}
	if j.template.Attempts != 0 {
		def.Job.Retry = &flow.Retry{Attempts: j.template.Attempts, Backoff: j.template.Backoff}
	}
	return newTrigger(def, s, in, o)
}

func newTrigger[E, In any](def trigger.Definition, s Source[E], in func(E) In, o []TriggerOption) Trigger {
	if in == nil || s.event == nil {
		return Trigger{err: fmt.Errorf("trigger %q: %w: it needs a source (Cron, Every, Once, OnEvent, OnTopic) and a function for its input",
			def.Name, ErrInvalid)}
	}
	for _, opt := range o {
		opt.set(&def)
	}
	_, err := trigger.Compile(def)
	return Trigger{def: def, err: err, function: func(at time.Time, payload json.RawMessage) (json.RawMessage, error) {
		e, err := s.event(at, payload)
		if err != nil {
			return nil, err
		}
		return json.Marshal(in(e))
	}}
}
