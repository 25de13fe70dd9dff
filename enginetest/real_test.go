package enginetest_test

import (
	"context"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter/memory"
	"github.com/nvent-go/nvent/enginetest"
)

// TestWholeFlowsOnTheRealClock runs the checks as a driver of a server does: with a Kill of its own, and in real time.
func TestWholeFlowsOnTheRealClock(t *testing.T) {
	enginetest.Test(t, enginetest.Harness{
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
	})
}
