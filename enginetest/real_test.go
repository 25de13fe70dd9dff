package enginetest_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter/memory"
	"github.com/nvent-go/nvent/enginetest"
)

// realClock describes memory as if it were a server: with a Kill of its own, and in real time.
func realClock() enginetest.Harness {
	return enginetest.Harness{
		Lease: 300 * time.Millisecond,
		New: func(context.Context) (enginetest.Backend, error) {
			b := memory.New(&memory.Options{DefaultLease: 300 * time.Millisecond})
			return enginetest.Backend{
				Open: func(context.Context) (enginetest.Trio, error) {
					return enginetest.Trio{Queue: b.Queue(), Stream: b.Stream(), Store: b.Store()}, nil
				},
				Kill: func(t enginetest.Trio) {
					t.Queue.(*memory.Queue).Kill()
					t.Stream.(*memory.Stream).Kill()
				},
			}, nil
		},
	}
}

// TestWholeFlowsOnTheRealClock runs the checks as a driver of a server does. They mostly wait, so all of them run at once.
func TestWholeFlowsOnTheRealClock(t *testing.T) {
	t.Parallel()
	h := realClock()
	var wg sync.WaitGroup
	for _, c := range enginetest.Checks() {
		wg.Go(func() {
			if err := c.Run(t.Context(), h); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
		})
	}
	wg.Wait()
}

// TestCrashesOnTheRealClock crashes one scenario as a driver of a server does.
func TestCrashesOnTheRealClock(t *testing.T) {
	t.Parallel()
	h := realClock()
	h.AtOnce = 100
	c := enginetest.Crash{Scenario: scenario(t, "fan-in"), Variant: enginetest.Variant{
		Name: "forgetful", Forgets: true, Modes: []enginetest.Mode{enginetest.CutBefore, enginetest.CutAfter},
	}}
	if _, err := c.Run(t, h); err != nil {
		t.Error(err)
	}
}
