package enginetest

import (
	"context"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
)

// Scenario is flows and what is done to them, to be crashed at every call: see [Crash]. Handlers must come to the same result
// every time that they run with the same input and attempt.
type Scenario struct {
	Name string

	// Flows returns what an instance is given to run. It is called for each instance.
	Flows func() []any

	// Start starts the run. It is called again, maybe on another instance, until it succeeds: it must use [nvent.WithKey]
	// or find out otherwise that it has done its work.
	Start func(ctx context.Context, app *nvent.App) (run string, err error)

	// Act does something to the run while it goes, such as cancelling it. It is called after Start, on an instance that
	// lives, and again after an error. nil: nothing.
	Act func(ctx context.Context, app *nvent.App, run string) error

	// Foreign is a worker that knows nothing of nvent: it blocks until ctx ends. It is never crashed. nil: there is none.
	Foreign func(ctx context.Context, q adapter.Queue) error

	// Accept looks at the logs of a flow that itself races (any, n of, a timeout), where they are not as undisturbed, and
	// returns an error if the flow does not allow them. nil: it allows one log only.
	Accept func(runs []RunLog) error

	// Takes is how long the run waits by itself, for its timers, or the longest delay of its jobs.
	Takes time.Duration

	// Variants are what [TestCrashes] goes through with it. nil: [Variants].
	Variants []Variant
}

// Variant is circumstances of a crash. The zero value is a trio that all instances share, of which one lives at a time.
type Variant struct {
	Name string
	// Modes are what happens to calls; nil: all of [Modes].
	Modes []Mode
	// Forgets lets the queue forget all jobs, running ones too, while the process is down. It is for modes that cut.
	Forgets bool
	// Local gives each instance a queue in its own memory, beside a store that all share.
	Local bool
	// Both lets the second instance live from the beginning.
	Both bool
	// Again lets the fault happen to the second instance too, at the same call.
	Again bool
	// Skewed sets the clock of the first instance 5 minutes ahead of the store's, and of the second 5 minutes back.
	Skewed bool
}

// Variants returns the variants that [TestCrashes] goes through with a scenario that names none.
func Variants() []Variant {
	cuts := []Mode{CutBefore, CutAfter}
	return []Variant{
		{Name: "shared"},
		{Name: "forgetful", Modes: cuts, Forgets: true},
		{Name: "local-queue", Modes: []Mode{Late, CutBefore, CutAfter}, Local: true},
		{Name: "both-alive", Modes: []Mode{FailAfter, Late, CutBefore, CutAfter}, Both: true},
		{Name: "both-alive-local-queue", Modes: cuts, Both: true, Local: true},
		{Name: "twice-skewed", Modes: cuts, Again: true, Skewed: true},
	}
}

// someVariants are for scenarios of many calls, each of which costs.
func someVariants() []Variant {
	cuts := []Mode{CutBefore, CutAfter}
	return []Variant{
		{Name: "shared", Modes: []Mode{FailAfter, Late, CutBefore, CutAfter}},
		{Name: "forgetful-skewed", Modes: cuts, Forgets: true, Skewed: true},
		{Name: "both-alive-local-queue", Modes: cuts, Both: true, Local: true},
	}
}
