package enginetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// Crash is one enumeration: a scenario in a variant, with a fault at each call of the first instance in turn.
type Crash struct {
	Scenario Scenario
	Variant  Variant
}

// Report is what an enumeration did.
type Report struct {
	Calls  int            // that the first instance made, at the least
	Faults int            // that happened
	Hit    map[string]int // how many of them to which kind of call
}

// Run runs the scenario undisturbed, and then with each fault in turn, until none is left to happen. It returns the first
// thing that went wrong, or nil.
func (c Crash) Run(t *testing.T, h Harness) (Report, error) {
	t.Helper()
	h = h.withDefaults()
	r := Report{Hit: map[string]int{}}
	want, _, err := Crash{Scenario: c.Scenario}.once(t, h, nil)
	if err != nil {
		return r, fmt.Errorf("undisturbed: %w", err)
	}
	got, _, err := c.once(t, h, nil)
	if err == nil {
		err = c.compare(want, got)
	}
	if err != nil {
		return r, fmt.Errorf("undisturbed, %s: %w", c.Variant.Name, err)
	}
	// An instance makes a call more or less from time to time, so the end is where nothing happens twice.
	for at, missed := 1, 0; missed < 2; {
		calls := max(h.AtOnce/len(c.modes()), 1)
		happened := false
		for _, o := range c.round(t, h, at, calls) {
			if o.err == nil {
				o.err = c.compare(want, o.logs)
			}
			if o.err != nil {
				return r, fmt.Errorf("%s call %d (%s): %w", o.mode, o.call, o.hit, o.err)
			}
			if o.hit != "" {
				happened = true
				r.Faults++
				r.Hit[o.hit]++
				r.Calls = max(r.Calls, o.call)
			}
		}
		at += calls
		if missed++; happened {
			missed = 0
		}
	}
	return r, nil
}

func (c Crash) modes() []Mode {
	if c.Variant.Modes == nil {
		return Modes()
	}
	return c.Variant.Modes
}

// outcome is what came of one fault.
type outcome struct {
	call int
	mode Mode
	logs []RunLog
	hit  string
	err  error
}

// round lets each fault happen to some calls, one after the other or all at once.
func (c Crash) round(t *testing.T, h Harness, first, calls int) []outcome {
	t.Helper()
	var list []outcome
	for at := first; at < first+calls; at++ {
		for _, m := range c.modes() {
			list = append(list, outcome{call: at, mode: m})
		}
	}
	play := func(o *outcome) { o.logs, o.hit, o.err = c.once(t, h, fault{o.call, o.mode}) }
	var all sync.WaitGroup
	for i := range list {
		if h.AtOnce > 1 {
			all.Go(func() { play(&list[i]) })
		} else {
			play(&list[i])
		}
	}
	all.Wait()
	return list
}

func (c Crash) compare(want, got []RunLog) error {
	diff := DiffRuns(want, got)
	if diff == "" {
		return nil
	}
	if c.Scenario.Accept == nil {
		return fmt.Errorf("the log is not that of the undisturbed run:\n%s", diff)
	}
	if err := c.Scenario.Accept(got); err != nil {
		return fmt.Errorf("the flow does not allow the log: %w; it differs from the undisturbed one:\n%s", err, diff)
	}
	return nil
}

// trouble makes the faults of instances.
type trouble interface {
	// of returns the faults of the nth instance of a scene, from 1.
	of(n int, v Variant, hold time.Duration) *faults
}

// fault happens to one call of the first instance.
type fault struct {
	call int
	mode Mode
}

func (f fault) of(n int, v Variant, hold time.Duration) *faults {
	if n == 1 || (n == 2 && v.Again) {
		return newFaults(f.call, f.mode, hold)
	}
	return newFaults(0, "", 0)
}

// once runs the scenario with some trouble and returns the logs of all runs, and what has happened to the first instance.
func (c Crash) once(t *testing.T, h Harness, tr trouble) (logs []RunLog, hit string, err error) {
	t.Helper()
	if tr == nil {
		tr = fault{}
	}
	err = bubble(t, h, func(ctx context.Context) error {
		return inWorld(ctx, h, "scenario "+c.Scenario.Name, func(ctx context.Context, w *world) (err error) {
			ctx, stop := context.WithCancel(ctx) // ends what goes on beside
			defer stop()
			s := &scene{Crash: c, w: w, trouble: tr, died: make(chan struct{}, 1)}
			logs, err = s.play(ctx)
			hit = s.first.happened()
			return err
		})
	})
	return logs, hit, err
}

// TestCrashes crashes each scenario in each of [Variants], as parallel subtests of t.
func TestCrashes(t *testing.T, h Harness, scenarios ...Scenario) {
	for _, s := range scenarios {
		variants := s.Variants
		if variants == nil {
			variants = Variants()
		}
		for _, v := range variants {
			t.Run(s.Name+"/"+v.Name, func(t *testing.T) {
				t.Parallel()
				r, err := Crash{s, v}.Run(t, h)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%d faults at %d calls: %v", r.Faults, r.Calls, r.Hit)
			})
		}
	}
}
