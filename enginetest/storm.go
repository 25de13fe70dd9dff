package enginetest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// Storm lets faults happen at random to every tenth call of every instance, and cuts some of them off, for two minutes. Then
// there is peace, and the run must end as undisturbed. It finds what single faults do not: two that meet.
type Storm struct {
	Scenario Scenario
	Variant  Variant // its Modes and Again do not apply
	Seed     uint64  // of what happens; how goroutines meet is chance all the same
}

// Of a storm.
const (
	stormRate  = 0.1
	stormCuts  = 3 // a step whose process died too often fails by rule
	stormLasts = 2 * time.Minute
	stormCalms = 30 * time.Minute // a run that was looked at in vain is left alone for up to 10 minutes
)

// Run plays the scenario in the storm and returns how many faults there were, and what went wrong, or nil.
func (s Storm) Run(t *testing.T, h Harness) (faults int, err error) {
	t.Helper()
	h = h.withDefaults()
	c := Crash{Scenario: s.Scenario, Variant: s.Variant}
	want, _, err := Crash{Scenario: s.Scenario}.once(t, h, nil)
	if err != nil {
		return 0, fmt.Errorf("undisturbed: %w", err)
	}
	weather := &storm{rng: rand.New(rand.NewPCG(s.Seed, 0)), cuts: stormCuts}
	c.Scenario.Takes += stormLasts + stormCalms
	got, _, err := c.once(t, h, weather)
	if err == nil {
		err = c.compare(want, got)
	}
	if err != nil {
		err = fmt.Errorf("storm %d: %w", s.Seed, err)
	}
	return weather.faults, err
}

// storm is the weather of all instances of a scene.
type storm struct {
	mu     sync.Mutex
	rng    *rand.Rand
	cuts   int // that it has left
	faults int
	over   time.Time
}

func (s *storm) of(_ int, _ Variant, hold time.Duration) *faults {
	f := newFaults(0, "", hold)
	f.storm = s
	return f
}

// next returns what happens to the next call.
func (s *storm) next() Mode {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over.IsZero() {
		s.over = time.Now().Add(stormLasts)
	}
	if s.rng.Float64() >= stormRate || time.Now().After(s.over) {
		return ""
	}
	m := Modes()[s.rng.IntN(len(Modes()))]
	if m == CutBefore || m == CutAfter {
		if s.cuts == 0 {
			return ""
		}
		s.cuts--
	}
	s.faults++
	return m
}
