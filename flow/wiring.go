package flow

import "encoding/json"

// Wiring is a flow as a document: the specification's FlowWiring. It holds everything that decides how the flow runs, except
// the code of its handlers, which it names. A flow built in Go is one too: see [Flow.Wiring].
//
// Where a connection comes from is an event's name, or the end of a step: "step:charge" (it succeeded, with its result as
// payload) or "step:charge:failed" (it failed for good, with a [Failure] as payload).
type Wiring struct {
	Name        string                    `json:"name"`
	Steps       map[string]StepDefinition `json:"steps"`
	Connections []Connection              `json:"connections"`
	// Version and UpdatedAt (Unix milliseconds) belong to the stored document, not to what the flow does: they are not part
	// of its hash.
	Version   int64 `json:"_version,omitempty"`
	UpdatedAt int64 `json:"updatedAt,omitempty"`
}

// StepDefinition is a step of a [Wiring].
type StepDefinition struct {
	Name    string     `json:"name"`
	Handler string     `json:"handler,omitempty"` // the name that a handler is registered under
	Config  StepConfig `json:"config,omitzero"`
	Retry   *Retry     `json:"retry,omitempty"` // nil: one attempt
}

// StepConfig is the rest of a step.
type StepConfig struct {
	Start   bool     `json:"start,omitempty"`   // runs when the flow starts, with the flow's input
	Returns bool     `json:"returns,omitempty"` // its result is the flow's result
	Emits   []string `json:"emits,omitempty"`   // the events that it may emit
	// Join says how many of the step's connections must bring an event before it runs. Nil: all of them.
	Join  *Join  `json:"join,omitempty"`
	Queue string `json:"queue,omitempty"` // empty: the queue named like the flow
	// Timeout bounds one attempt. Zero: the engine's default.
	Timeout   Duration `json:"timeout,omitempty"`
	OnFailure string   `json:"onFailure,omitempty"` // OnFailureFail (default) or OnFailureContinue
	// External steps are run by foreign workers of the queue; what the queue says of the job is their outcome.
	External bool `json:"external,omitempty"`
}

// What the final failure of a step does to its run, when no step subscribes to it.
const (
	OnFailureFail     = "fail"     // the run fails, and what is open is dropped
	OnFailureContinue = "continue" // the run goes on without it
)

// Join is the mode of a step with several connections.
type Join struct {
	Mode string `json:"mode"`        // JoinModeAll, JoinModeAny or JoinModeN
	N    int    `json:"n,omitempty"` // of JoinModeN
}

// The join modes.
const (
	JoinModeAll = "all"
	JoinModeAny = "any"
	JoinModeN   = "n"
)

// Connection leads from an event, or from the end of a step, to a step. The connections of a step, in their order, are the
// parameters of its handler.
type Connection struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Condition is an expression over the payload (as `payload`) and the event's name (as `event`); the connection is taken
	// if it is true. Empty: always.
	Condition string `json:"condition,omitempty"`
	// Repeat says what a second event of this name means to the step: RepeatFirst (default) or RepeatEach.
	Repeat string `json:"repeat,omitempty"`
}

// What a repeated event means to a subscriber.
const (
	RepeatFirst = "first" // the first one counts, later ones are recorded as ignored
	RepeatEach  = "each"  // the step runs once for each
)

// Retry is how often a step is tried, and how long it waits in between.
type Retry struct {
	Attempts int     `json:"attempts"` // tries in total
	Backoff  Backoff `json:"backoff,omitzero"`
}

// Backoff is the delay between attempts. As JSON it is a number (milliseconds, every time the same) or an object.
type Backoff struct {
	Kind   string   `json:"kind,omitempty"` // BackoffFixed or BackoffExponential; empty: no delay
	Base   Duration `json:"base,omitempty"`
	Max    Duration `json:"max,omitempty"`    // no delay is longer; 0: no limit
	Jitter float64  `json:"jitter,omitempty"` // 0..1: the part of the delay that is random
}

// The kinds of back-off.
const (
	BackoffFixed       = "fixed"       // Base every time
	BackoffExponential = "exponential" // Base, 2 Base, 4 Base, ... up to Max
)

// StepEvent returns the name of the implicit event "this step succeeded".
func StepEvent(step string) string { return "step:" + step }

// FailedEvent returns the name of the implicit event "this step failed for good".
func FailedEvent(step string) string { return "step:" + step + ":failed" }

// Failure is the payload of a step's failed event.
type Failure struct {
	Step     string `json:"step"`
	Error    string `json:"error"`
	Attempts int    `json:"attempts"`
}

// raw encodes what always encodes.
func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("flow: encode " + err.Error()) // only for types of this package that hold no foreign values
	}
	return b
}
