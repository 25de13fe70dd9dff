package flow

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/expr-lang/expr/vm"
)

// Definition is an analysed flow, ready to run. It is immutable, known by its hash, and safe for use by many goroutines.
type Definition struct {
	wiring  Wiring
	hash    string
	steps   []*Step // by name
	byName  map[string]*Step
	starts  []*Step
	returns *Step // nil: the flow has no result
	subs    map[string][]subscription
	timeout time.Duration // of a run; 0: none

	// What follows from how the steps are connected: see levels.go.
	collects    []*Step            // by name
	conditional map[string]bool    // events of groups some of whose connections look at the payload
	feeds       map[string][]*Step // the collect steps that get what comes of the items of a group of an event
	partial     map[string]bool    // events of groups that go on without items that fail
	awaited     map[string][]*Step // the steps that await an event
	fallible    bool               // it has expressions that may fail while the run goes on
}

// Step is a step of a [Definition].
type Step struct {
	Name          string
	Handler       string
	Queue         string
	Slots         []Slot // its connections in order: the parameters of its handler. Empty for a start step
	Emits         []string
	Attempts      int // tries in total, at least 1
	Backoff       Backoff
	Timeout       time.Duration // 0: the engine's default
	Start         bool
	Returns       bool
	External      bool
	Flow          string // of the run that it waits for; empty: it calls none
	Parallel      int    // 0: no bound of its own
	Before        *awaiting
	After         *awaiting
	Continue      bool            // its failure does not fail the run
	need          int             // how many slots must be filled: len(Slots), 1, or n
	each          bool            // an iteration per event (only with one slot)
	collect       bool            // one iteration for all events
	level         int             // how many groups it is inside of
	upstream      map[string]bool // of a collect step: the steps of its level that may lead to its event
	emitsSet      map[string]bool
	emitsAll      map[string]bool
	event         string // StepEvent(Name)
	failEvent     string // FailedEvent(Name)
	resolvedEvent string // ResolvedEvent(Name)
}

// Slot is one connection into a step.
type Slot struct {
	Event     string
	Condition string // as written
}

// subscription leads from an event to a slot of a step.
type subscription struct {
	step      *Step
	slot      int
	cond      *vm.Program // nil: always
	delay     time.Duration
	until     *vm.Program
	untilText string
}

// Name returns the name of the flow.
func (d *Definition) Name() string { return d.wiring.Name }

// Hash returns the content hash: equal for equal behaviour, whoever built it and whenever.
func (d *Definition) Hash() string { return d.hash }

// Wiring returns the document. The caller must not change it.
func (d *Definition) Wiring() Wiring { return d.wiring }

// Steps returns the steps, by name. The caller must not change them.
func (d *Definition) Steps() []*Step { return d.steps }

// Step returns the step of this name, or nil.
func (d *Definition) Step(name string) *Step { return d.byName[name] }

// Returns returns the step whose result is the flow's, or nil.
func (d *Definition) Returns() *Step { return d.returns }

// MayEmit reports whether the step declares the event.
func (s *Step) MayEmit(event string) bool { return s.emitsSet[event] || s.emitsAll[event] }

// MayEmitAll reports whether the step declares the event as one that it emits for many items at once.
func (s *Step) MayEmitAll(event string) bool { return s.emitsAll[event] }

// Collects reports whether the step runs once for all events of a group.
func (s *Step) Collects() bool { return s.collect }

// AwaitsSignal reports whether the step waits for a signal.
func (s *Step) AwaitsSignal() bool {
	return s.Before != nil && s.Before.Type == AwaitSignal || s.After != nil && s.After.Type == AwaitSignal
}

// AwaitedEvents calls f with every event that steps wait for, and the field that must match, "" if none must.
func (d *Definition) AwaitedEvents(f func(event, field string)) {
	for _, s := range d.steps {
		for _, a := range s.awaits() {
			if a.Type == AwaitEvent {
				f(a.Event, a.Field)
			}
		}
	}
}

// awaits iterates over what the step waits for before and after it runs.
func (s *Step) awaits() iter.Seq2[Phase, *awaiting] {
	return func(yield func(Phase, *awaiting) bool) {
		if s.Before != nil && !yield(PhaseBefore, s.Before) {
			return
		}
		if s.After != nil {
			yield(PhaseAfter, s.After)
		}
	}
}

// Declared lists the events that the step may emit.
func (s *Step) Declared() []string {
	if len(s.emitsAll) == 0 {
		return s.Emits
	}
	return slices.Concat(s.Emits, slices.Sorted(maps.Keys(s.emitsAll)))
}
