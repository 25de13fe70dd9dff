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
	Config      FlowConfig                `json:"config,omitzero"`
	// Version and UpdatedAt (Unix milliseconds) belong to the stored document, not to what the flow does: they are not part
	// of its hash.
	Version   int64 `json:"_version,omitempty"`
	UpdatedAt int64 `json:"updatedAt,omitempty"`
}

// FlowConfig is what concerns the runs of a flow as a whole.
type FlowConfig struct {
	// Timeout bounds a run, from its start or restart. When it has passed the run fails. Zero: no bound.
	Timeout Duration `json:"timeout,omitempty"`
	// Limits bound how many runs there are, and how often they begin. Nil: nothing does.
	Limits *Limits `json:"limits,omitempty"`
}

// Limits bound the runs of a flow, over all instances. A start that has to wait is a run that is held: it is in the store, and
// begins by itself when it may. Runs that a step calls do not count, nor do restarts.
type Limits struct {
	MaxRuns int   `json:"maxRuns,omitempty"` // of the flow, at once. Zero: any number
	Rate    *Rate `json:"rate,omitempty"`    // of the flow's starts. Nil: any
	// Key is an expression over the run's input, as input: what the limits that follow count by. Text, a number, true or false.
	Key           string `json:"key,omitempty"`
	MaxRunsPerKey int    `json:"maxRunsPerKey,omitempty"` // at once. Zero: any number
	RatePerKey    *Rate  `json:"ratePerKey,omitempty"`
	// WhenBusy says what becomes of a start that finds its key taken (or the flow, if there is no key): BusyWait (default), or,
	// where only one run is allowed at once, BusySkip or BusyReplace.
	WhenBusy string `json:"whenBusy,omitempty"`
	// Debounce holds every start until no other of its key (or of the flow) has come for that long. Each cancels the one before.
	Debounce Duration `json:"debounce,omitempty"`
}

// What becomes of a start that finds its place taken.
const (
	BusyWait    = "wait"    // it waits for its turn
	BusySkip    = "skip"    // nothing is started: the start returns the run that is in progress
	BusyReplace = "replace" // the run that is in progress is cancelled
)

// Rate bounds how often something happens. So many may come at once; the others are spread over the time.
type Rate struct {
	Starts int      `json:"starts"`
	Per    Duration `json:"per"`
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
	// EmitsAll are the events that it may emit for many items at once: each item is a branch of its own, and a step that
	// collects gets what the branches emit.
	EmitsAll []string `json:"emitsAll,omitempty"`
	// Flow is the name of a flow that the step calls: it ends when a run of that flow has ended, with its result. Its input is
	// the result of the step's handler, or the step's own input if it has none.
	Flow string `json:"flow,omitempty"`
	// Parallel bounds how many items of a group, or how many iterations of a step that runs for each event, are in progress
	// at once. Zero: 256 items, any number of iterations.
	Parallel int `json:"parallel,omitempty"`
	// Partial lets groups that lead to this step, which collects, go on without items that fail.
	Partial bool `json:"partial,omitempty"`
	// AwaitBefore is what the step waits for before it runs.
	AwaitBefore *Await `json:"awaitBefore,omitempty"`
	// AwaitAfter is what the step waits for after it has succeeded, before what it emitted is delivered.
	AwaitAfter *Await `json:"awaitAfter,omitempty"`
	// Join says how many of the step's connections must bring an event before it runs. Nil: all of them.
	Join  *Join  `json:"join,omitempty"`
	Queue string `json:"queue,omitempty"` // empty: the queue named like the flow
	// Timeout bounds one attempt; of a step that calls a flow, the run of that flow. Zero: the engine's default; for external
	// steps and called flows none.
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
	// Repeat says what a second event of this name means to the step: RepeatFirst (default), RepeatEach or RepeatCollect.
	Repeat string `json:"repeat,omitempty"`
	// Delay is how long after the event the step begins.
	Delay Duration `json:"delay,omitempty"`
	// Until is an expression, like Condition, for when the step begins: an RFC 3339 time, or Unix milliseconds.
	Until string `json:"until,omitempty"`
}

// What a repeated event means to a subscriber.
const (
	RepeatFirst = "first" // the first one counts, later ones are recorded as ignored
	RepeatEach  = "each"  // the step runs once for each
	// RepeatCollect: the step runs once for all of them, when no more can come.
	RepeatCollect = "collect"
)

// Await is something that a step waits for without holding a worker.
type Await struct {
	Type string `json:"type"` // AwaitTime, AwaitEvent, AwaitSignal or AwaitSchedule
	// For is how long to wait.
	For Duration `json:"for,omitempty"`
	// Until is an expression for when to go on, over the payload of the event that opened the step (before) or the step's
	// result (after): an RFC 3339 time, or Unix milliseconds.
	Until string `json:"until,omitempty"`
	// Event is the event that is waited for: one that the same branch of the run emits, or one that comes from outside.
	Event string `json:"event,omitempty"`
	// Field is a top-level field of the event's payload that must equal Key.
	Field string `json:"field,omitempty"`
	// Key is an expression over the run's input, as input.
	Key string `json:"key,omitempty"`
	// LookBack is how long before the await an event may have come to count. Zero: one hour.
	LookBack Duration `json:"lookBack,omitempty"`
	// Cron and Zone say, for AwaitSchedule, when to go on: at the next tick.
	Cron string `json:"cron,omitempty"`
	Zone string `json:"zone,omitempty"`
	// Timeout bounds the wait for an event or a signal. Zero: no bound.
	Timeout Duration `json:"timeout,omitempty"`
	// OnTimeout is TimeoutFail (default), TimeoutContinue or TimeoutRetry.
	OnTimeout string `json:"onTimeout,omitempty"`
	// Default is what TimeoutContinue goes on with. Nothing: null.
	Default json.RawMessage `json:"default,omitempty"`
}

// What a step can wait for.
const (
	AwaitTime     = "time"
	AwaitEvent    = "event"
	AwaitSignal   = "signal"
	AwaitSchedule = "schedule"
)

// What happens when the time of an await is over.
const (
	TimeoutFail     = "fail"     // the step fails
	TimeoutContinue = "continue" // the step goes on with a default
	TimeoutRetry    = "retry"    // the wait begins again, as often as the step has attempts; then the step fails
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

// ResolvedEvent returns the name of the implicit event "what this step awaited has come", after it has succeeded.
func ResolvedEvent(step string) string { return "step:" + step + ":resolved" }

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
