package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/adaptertest"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
)

// harness reaches a server at a URL. Each instance has a client of its own, like a process.
func harness(t testing.TB, url string) adaptertest.Harness[adapter.Queue] {
	t.Helper()
	return adaptertest.Harness[adapter.Queue]{
		Lease: time.Second,
		New: func(context.Context) (adaptertest.Backend[adapter.Queue], error) {
			clients := &clients{url: url, of: map[adapter.Queue]rueidis.Client{}}
			return adaptertest.Backend[adapter.Queue]{Open: clients.open, Kill: clients.kill, Close: clients.close}, nil
		},
	}
}

func TestQueueConformance(t *testing.T) { adaptertest.TestQueue(t, harness(t, redistest.URL(t))) }

func BenchmarkQueueConformance(b *testing.B) {
	adaptertest.BenchmarkQueue(b, harness(b, redistest.URL(b)))
}
