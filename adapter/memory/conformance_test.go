package memory_test

import (
	"context"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/adaptertest"
	"github.com/nvent-go/nvent/adapter/memory"
)

// over describes a backend of its own for each check, whose time is that of a bubble.
func over[A adaptertest.Driver](open func(b *memory.Backend) A) adaptertest.Harness[A] {
	return adaptertest.Harness[A]{
		Bubble: true,
		Quiet:  5 * time.Second,
		New: func(context.Context) (adaptertest.Backend[A], error) {
			b := memory.New(nil)
			return adaptertest.Backend[A]{
				Open: func(context.Context) (A, error) { return open(b), nil },
				Kill: func(a A) {
					if k, ok := any(a).(interface{ Kill() }); ok {
						k.Kill()
					}
				},
			}, nil
		},
	}
}

func queues() adaptertest.Harness[adapter.Queue] {
	return over(func(b *memory.Backend) adapter.Queue { return b.Queue() })
}

func TestQueueConformance(t *testing.T) { adaptertest.TestQueue(t, queues()) }
