package adaptertest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/adaptertest"
	"github.com/nvent-go/nvent/adapter/memory"
)

// A driver's test describes its backend once and runs the whole suite on it.
func ExampleTestQueue() {
	_ = func(t *testing.T) { // func TestConformance(t *testing.T)
		adaptertest.TestQueue(t, adaptertest.Harness[adapter.Queue]{
			Bubble: true, // in memory, on the time of package time
			New: func(context.Context) (adaptertest.Backend[adapter.Queue], error) {
				b := memory.New(nil)
				return adaptertest.Backend[adapter.Queue]{
					Open: func(context.Context) (adapter.Queue, error) { return b.Queue(), nil },
					Kill: func(q adapter.Queue) { q.(*memory.Queue).Kill() },
				}, nil
			},
		})
	}
}

// A check is a value: it can be run by itself, and returns what is wrong.
func ExampleCheck_Run() {
	h := adaptertest.Harness[adapter.Store]{
		New: func(context.Context) (adaptertest.Backend[adapter.Store], error) {
			b := memory.New(nil)
			return adaptertest.Backend[adapter.Store]{
				Open: func(context.Context) (adapter.Store, error) { return b.Store(), nil },
			}, nil
		},
	}
	for _, c := range adaptertest.StoreChecks() {
		if c.Name == "commit/put-and-get" {
			fmt.Println(c.Name, c.Run(context.Background(), h))
		}
	}
	// Output: commit/put-and-get <nil>
}
