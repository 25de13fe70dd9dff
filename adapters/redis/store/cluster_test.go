package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/adaptertest"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
)

func TestClusterConformance(t *testing.T) {
	c := redistest.StartCluster(t, 3)
	adaptertest.TestStore(t, adaptertest.Harness[adapter.Store]{
		Lease: 500 * time.Millisecond,
		New: func(context.Context) (adaptertest.Backend[adapter.Store], error) {
			return adaptertest.Backend[adapter.Store]{
				Open: func(ctx context.Context) (adapter.Store, error) { return open(ctx, c.URL()) },
			}, nil
		},
	})
}
