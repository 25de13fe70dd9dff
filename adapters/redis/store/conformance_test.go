package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/adaptertest"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
	"github.com/nvent-go/nvent/adapters/redis/store"
)

// own is a store with a client of its own, as a process has it.
type own struct {
	*store.Store
	client rueidis.Client
}

func (o *own) Close() error {
	defer o.client.Close()
	return o.Store.Close()
}

func open(ctx context.Context, url string) (*own, error) {
	o, err := rueidis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	o.DisableCache, o.DisableRetry = true, true
	client, err := rueidis.NewClient(o)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, client, store.Options{Prefix: "test"})
	if err != nil {
		client.Close()
		return nil, err
	}
	return &own{s, client}, nil
}

// stores describes a server that keeps every write, so that it can be asked whether it did.
func stores(t testing.TB) adaptertest.Harness[adapter.Store] {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	t.Cleanup(func() { redistest.CheckCommands(t, redistest.Client(t, s.URL()), "6.2") })
	return adaptertest.Harness[adapter.Store]{
		New: func(context.Context) (adaptertest.Backend[adapter.Store], error) {
			return adaptertest.Backend[adapter.Store]{
				Open: func(ctx context.Context) (adapter.Store, error) { return open(ctx, s.URL()) },
				Restart: func(context.Context) error {
					s.Stop()
					s.Run()
					return nil
				},
			}, nil
		},
		Lease: 500 * time.Millisecond,
	}
}

func TestConformance(t *testing.T) { adaptertest.TestStore(t, stores(t)) }

func BenchmarkConformance(b *testing.B) { adaptertest.BenchmarkStore(b, stores(b)) }
