package house_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/adaptertest"
)

// What the skeleton leaves to its reader.

func open(_ context.Context, url, namespace string) (adapter.Store, error) {
	return nil, fmt.Errorf("open %s for %s: %w", url, namespace, adapter.ErrUnavailable)
}

var (
	_ = Factory
	_ = conformance
	_ = (*Store).Commit
	_ = (*Store).Info
)

// Skeleton begins.
// Options configures the driver. The core fills it from the configuration: connections.shelf.*, store.shelf.*.
type Options struct {
	URL string `json:"url"`
}

// Store keeps its data on a shelf. What a crash of the shelf loses: nothing, once Commit has returned.
type Store struct{ done chan struct{} }

// Info claims what the driver keeps, and no more.
func (s *Store) Info() adapter.Info {
	return adapter.Info{Name: "shelf", Scope: adapter.ScopeShared, Durability: adapter.DurableSync}
}

// begin is the first line of every method: a closed driver and a context that has ended do nothing.
func (s *Store) begin(ctx context.Context, op string) error {
	select {
	case <-s.done:
		return &adapter.Error{Op: op, Adapter: "shelf", Err: adapter.ErrClosed}
	default:
	}
	if ctx.Err() != nil {
		return &adapter.Error{Op: op, Adapter: "shelf", Err: context.Cause(ctx)}
	}
	return nil
}

// Commit applies a batch.
func (s *Store) Commit(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
	if err := s.begin(ctx, "commit"); err != nil {
		return adapter.Committed{}, err
	}
	for _, d := range b.Puts {
		if adapter.Partition(d.ID) != b.Partition {
			return adapter.Committed{}, &adapter.Error{Op: "commit", Adapter: "shelf", Err: adapter.ErrCrossPartition}
		}
	}
	// Begin; read the documents of Checks, Puts and Deletes; if a version differs return a *adapter.Conflict with them;
	// write; append to logs under the next seqs; commit. What the backend refuses for a passing reason is ErrUnavailable.
	return adapter.Committed{}, &adapter.Error{Op: "commit", Adapter: "shelf", Err: adapter.ErrUnavailable, Hint: "is the shelf up?"}
}

// Factory returns the factory "shelf", with Options.
func Factory() adapter.Factory {
	return adapter.Factory{
		Name: "shelf", Kinds: adapter.KindStore,
		Options: func() any { return &Options{URL: "shelf://localhost"} },
		Open: func(ctx context.Context, s adapter.Settings) (adapter.Opened, error) {
			o := s.Options.(*Options)
			store, err := open(ctx, o.URL, s.Namespace)
			return adapter.Opened{Store: store}, err
		},
	}
}

// conformance holds the driver to the contract. In your package it is TestStoreConformance.
func conformance(t *testing.T) {
	adaptertest.TestStore(t, adaptertest.Harness[adapter.Store]{
		New: func(context.Context) (adaptertest.Backend[adapter.Store], error) {
			return adaptertest.Backend[adapter.Store]{
				Open: func(ctx context.Context) (adapter.Store, error) { return open(ctx, "shelf://localhost", "test") },
			}, nil
		},
		Lease: time.Second,
	})
}

// Skeleton ends.
