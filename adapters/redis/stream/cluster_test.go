package stream_test

import (
	"context"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/adaptertest"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
	"github.com/nvent-go/nvent/adapters/redis/stream"
)

func TestClusterConformance(t *testing.T) {
	c := redistest.StartCluster(t, 3)
	o := stream.Options{Lease: 900 * time.Millisecond}
	adaptertest.TestStream(t, adaptertest.Harness[adapter.Stream]{
		Lease: o.Lease,
		New: func(context.Context) (adaptertest.Backend[adapter.Stream], error) {
			return adaptertest.Backend[adapter.Stream]{
				Open: func(ctx context.Context) (adapter.Stream, error) { return open(ctx, c.URL(), o) },
				Kill: func(a adapter.Stream) { a.(*own).link.cut() },
			}, nil
		},
	})
}
