package nvent

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/internal/engine"
)

// Store keeps what a program wants to remember: logs of events, versioned documents, and keys. It is the same on every
// adapter.
//
// Its methods may be called from many goroutines, block until the backend has answered or ctx ends, and return errors of
// type [*Error]. Programs and the engine live side by side in the backend: what a program writes is stored under names of
// its own, so it never touches what belongs to runs, and never vanishes with one.
type Store struct {
	// KV holds keys with small values.
	KV *KV

	driver adapter.Store
	name   string // of the adapter
	o      storeOptions
	subs   subscriptions

	mu       sync.Mutex
	declared map[string]bool // collections that this Store has declared
}

type storeOptions struct {
	maxPayload int            // bytes; 0 = defaultMaxPayload
	stream     adapter.Stream // carries hints to followers of logs; nil: they poll
	clock      adapter.Clock
	log        *slog.Logger
}

func newStore(driver adapter.Store, o storeOptions) *Store {
	if o.maxPayload == 0 {
		o.maxPayload = defaultMaxPayload
	}
	s := &Store{driver: driver, name: driver.Info().Name, o: o, declared: map[string]bool{}}
	s.KV = &KV{store: s}
	s.subs.init()
	return s
}

// close ends the subscriptions and waits for their functions. It does not close the adapter.
func (s *Store) close() { s.subs.close() }

// ownPrefix begins the IDs, subjects and keys of programs in the backend, which keeps their partitions apart from those of
// runs.
const ownPrefix = "user:"

// engineCollections are the collections that only the engine writes. Programs may read them.
var engineCollections = []string{
	engine.CollectionState, engine.CollectionRuns, engine.CollectionData, engine.CollectionDefinitions, engine.CollectionFlows,
}

// isReserved reports whether a collection is the engine's, now or in a later version.
func isReserved(collection string) bool {
	return slices.Contains(engineCollections, collection) || strings.HasPrefix(collection, "flow-") || collection == "triggers"
}

// Collection is a named set of documents, with the indexes that [Store.List] needs for sorting and selecting.
type Collection = adapter.Collection

// Index finds documents by the equality of some top-level keys, in the order of another.
type Index = adapter.Index

// Declare makes collections and their indexes known. Call it at start, before documents are listed by them; it may be
// repeated, by every instance. A collection without indexes need not be declared.
func (s *Store) Declare(ctx context.Context, collections ...Collection) error {
	const op = "declare"
	for _, c := range collections {
		if err := checkOwnCollection(c.Name); err != nil {
			return wrap(s.name, op, err)
		}
		for i, index := range c.Indexes {
			if len(index.Equal) == 0 && index.Order == "" || slices.Contains(index.Equal, "") {
				return wrap(s.name, op, fmt.Errorf("%w: index %d of collection %q names no keys", ErrInvalid, i+1, c.Name))
			}
		}
	}
	if err := s.driver.Declare(ctx, collections...); err != nil {
		return wrap(s.name, op, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range collections {
		s.declared[c.Name] = true
	}
	return nil
}

// ensureDeclared declares a collection without indexes that nobody has declared here.
func (s *Store) ensureDeclared(ctx context.Context, collection string) error {
	s.mu.Lock()
	known := s.declared[collection]
	s.mu.Unlock()
	if known {
		return nil
	}
	if err := s.driver.Declare(ctx, Collection{Name: collection}); err != nil {
		return fmt.Errorf("declare collection %q: %w", collection, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.declared[collection] = true
	return nil
}

func checkOwnCollection(name string) error {
	if isReserved(name) {
		return hinted(fmt.Errorf("%w: only the engine writes collection %q", ErrInvalid, name),
			"choose another name; names beginning with \"flow-\", and flows and triggers, are reserved (App.Triggers saves triggers)")
	}
	return checkName("collection", name)
}
