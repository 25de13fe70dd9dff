package flow

import (
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
}

// Step is a step of a [Definition].
type Step struct {
	Name      string
	Handler   string
	Queue     string
	Slots     []Slot // its connections in order: the parameters of its handler. Empty for a start step
	Emits     []string
	Attempts  int // tries in total, at least 1
	Backoff   Backoff
	Timeout   time.Duration // 0: the engine's default
	Start     bool
	Returns   bool
	External  bool
	Continue  bool // its failure does not fail the run
	need      int  // how many slots must be filled: len(Slots), 1, or n
	each      bool // an iteration per event (only with one slot)
	emitsSet  map[string]bool
	event     string // StepEvent(Name)
	failEvent string // FailedEvent(Name)
}

// Slot is one connection into a step.
type Slot struct {
	Event     string
	Condition string // as written
}

// subscription leads from an event to a slot of a step.
type subscription struct {
	step *Step
	slot int
	cond *vm.Program // nil: always
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
func (s *Step) MayEmit(event string) bool { return s.emitsSet[event] }
