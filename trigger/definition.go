package trigger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/document"
)

// The types of triggers.
const (
	Schedule = "schedule" // fires at times
	Event    = "event"    // fires for events of the bus or of a topic
	Manual   = "manual"   // fires when somebody says so
)

// What becomes of ticks that nobody was there to fire.
const (
	CatchUpNone = "none" // a tick that is more than a minute late is left out
	CatchUpLast = "last" // the last of them fires, however late: the default
	CatchUpAll  = "all"  // each of them fires, or the last Limit of them
)

// Definition is a trigger as a document: the specification's TriggerDefinition, and what it starts.
type Definition struct {
	Name   string `json:"name,omitempty"` // its ID among the triggers
	Type   string `json:"type"`           // Schedule, Event or Manual
	Config Config `json:"config,omitzero"`

	// Flow names the flow that it starts. If that and Job are left out, it is the one that is named like the trigger.
	Flow string `json:"flow,omitempty"`
	// Job is the job that it enqueues, instead of starting a flow.
	Job *Job `json:"job,omitempty"`
	// Input is a JSON object: the input of the flow, or the data of the job. What fired is added to it under "trigger": see
	// [Firing].
	Input json.RawMessage `json:"input,omitempty"`
	// Payload makes the payload of the event the input, as it is. There is no Input then.
	Payload bool `json:"payload,omitempty"`

	// Paused triggers do not fire, and what they miss meanwhile is not caught up.
	Paused bool `json:"paused,omitempty"`

	// What follows belongs to the stored document, and is set by the engine.

	// Function says that the input is made by a function of the program that declares the trigger.
	Function bool `json:"function,omitempty"`
	// Declared is the hash of the declaration in Go that the document comes from.
	Declared string `json:"declared,omitempty"`
	// Edited says that the document was changed after it was declared.
	Edited bool `json:"edited,omitempty"`
	// Deleted marks what is left of a trigger that was deleted, so that every instance learns of it.
	Deleted   bool  `json:"deleted,omitempty"`
	UpdatedAt int64 `json:"updatedAt,omitempty"` // Unix milliseconds, store clock
	Version   int64 `json:"_version,omitempty"`
}

// Config says what a trigger of type schedule or event fires at or for.
type Config struct {
	// Cron is an expression of five fields (minute, hour, day of month, month, day of week), or of six with the second in
	// front, or @yearly, @monthly, @weekly, @daily or @hourly. Days may be written with L, W and #.
	Cron string `json:"cron,omitempty"`
	// Zone is the time zone of Cron, as in "Europe/Oslo". Empty: UTC.
	Zone string `json:"zone,omitempty"`
	// Interval is the time between ticks, 1s or more. They are counted from From, or else from when the trigger was made.
	Interval flow.Duration `json:"interval,omitempty"`
	From     string        `json:"from,omitempty"` // of Interval: a time in RFC 3339
	// At is the time of a single tick, in RFC 3339.
	At string `json:"at,omitempty"`
	// Delay is the time until a single tick, from when the trigger was made.
	Delay flow.Duration `json:"delay,omitempty"`
	// CatchUp says what becomes of ticks that nobody was there to fire: CatchUpLast (default), CatchUpNone or CatchUpAll.
	CatchUp string `json:"catchUp,omitempty"`
	Limit   int    `json:"limit,omitempty"` // of CatchUpAll: how many, the latest ones. 0 = 100

	// Event is the name of events on the bus.
	Event string `json:"event,omitempty"`
	// Topic is a topic of the stream.
	Topic string `json:"topic,omitempty"`
	// Filter is an expression over the payload (as `payload`) and the name of the event or the topic (as `event`). The trigger
	// fires if it is true.
	Filter string `json:"filter,omitempty"`
}

// Job is what a trigger enqueues.
type Job struct {
	Queue string `json:"queue"`
	Name  string `json:"name"`
	// Retry is how often it is tried. Absent: as configured for jobs.
	Retry   *flow.Retry   `json:"retry,omitempty"`
	Timeout flow.Duration `json:"timeout,omitempty"` // of each attempt. 0 = none
}

// Firing is what an input is told about why it is there, under "trigger".
type Firing struct {
	Name string `json:"name"` // of the trigger
	Type string `json:"type"` // Schedule, Event, or Manual if somebody fired it by hand, whatever its type
	// At is the tick, or when the event was published or the trigger fired by hand: RFC 3339, UTC.
	At      string          `json:"at"`
	Event   string          `json:"event,omitempty"`   // name of the event, or topic
	ID      string          `json:"id,omitempty"`      // of the topic's message
	Payload json.RawMessage `json:"payload,omitempty"` // of the event, or what came with firing by hand
}

// Parse reads a trigger's document: JSON if file ends in .json or if data is valid JSON, YAML otherwise. It is strict: an unknown
// key, a value of the wrong type or a key that is there twice is an error, and the error lists all of them with line and
// column. What the document means is checked by [Compile].
func Parse(data []byte, file string) (Definition, error) {
	var d Definition
	if err := document.Read(data, file, &d); err != nil {
		return Definition{}, err
	}
	return d, nil
}

// Hash returns the hash of what the trigger does and when: of all that a person writes. Pausing is not part of it.
func (d Definition) Hash() string {
	d = d.written()
	d.Paused = false
	return hashOf(d)
}

// ScheduleHash returns the hash of what decides the ticks. When it changes, the trigger begins anew: what would have been due
// before the change is not.
func (d Definition) ScheduleHash() string {
	c := d.Config
	c.CatchUp, c.Limit = "", 0
	return hashOf(struct {
		Type   string
		Config Config
	}{d.Type, c})
}

// written returns what a person writes of the document.
func (d Definition) written() Definition {
	d.Function = false
	d.Declared, d.Edited, d.Deleted, d.UpdatedAt, d.Version = "", false, false, 0, 0
	return d
}

func hashOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("trigger: encode %T: %v", v, err)) // inputs are valid JSON by then
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
