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

func streams() adaptertest.Harness[adapter.Stream] {
	return over(func(b *memory.Backend) adapter.Stream { return b.Stream() })
}

func TestStreamConformance(t *testing.T) { adaptertest.TestStream(t, streams()) }

func stores() adaptertest.Harness[adapter.Store] {
	return over(func(b *memory.Backend) adapter.Store { return b.Store() })
}

func TestStoreConformance(t *testing.T) { adaptertest.TestStore(t, stores()) }

func BenchmarkQueueConformance(b *testing.B)  { adaptertest.BenchmarkQueue(b, queues()) }
func BenchmarkStreamConformance(b *testing.B) { adaptertest.BenchmarkStream(b, streams()) }
func BenchmarkStoreConformance(b *testing.B)  { adaptertest.BenchmarkStore(b, stores()) }
