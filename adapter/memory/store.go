package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// Store is an instance of the store of a [Backend]. It is an [adapter.Store] and, by its KV method, an [adapter.KV].
type Store struct {
	storage *storage
	closed  atomic.Bool
}

// Store opens an instance.
func (b *Backend) Store() *Store { return &Store{storage: b.store} }

// Info returns what the store claims.
func (s *Store) Info() adapter.Info { return info(0) }

// Close ends the use of this instance. What it wrote stays with the backend.
func (s *Store) Close() error {
	s.closed.Store(true)
	return nil
}

func (s *Store) usable(ctx context.Context, op string) error {
	if s.closed.Load() {
		return fail(op, adapter.ErrClosed, "")
	}
	return ended(ctx, op)
}

// Declare makes collections known. Indexes that were declared before stay. See [adapter.Store].
func (s *Store) Declare(ctx context.Context, collections ...adapter.Collection) error {
	if err := s.usable(ctx, "declare"); err != nil {
		return err
	}
	for _, c := range collections {
		if c.Name == "" {
			return invalid("declare", "a collection has no name", "")
		}
		for _, x := range c.Indexes {
			if len(x.Equal) == 0 && x.Order == "" {
				return invalid("declare", fmt.Sprintf("an index of %q has no fields", c.Name), "documents are listed by ID without one")
			}
		}
	}
	s.storage.lockAll()
	defer s.storage.unlockAll()
	for _, c := range collections {
		for i := range s.storage.shards {
			s.storage.shards[i].declare(c)
		}
	}
	return nil
}

// Get returns documents. See [adapter.Store].
func (s *Store) Get(ctx context.Context, collection string, ids ...string) ([]adapter.Doc, error) {
	if err := s.usable(ctx, "get"); err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, nil
	}
	// Documents of one partition are read under one lock: all of a commit or none of it.
	if len(ids) > 1 && slices.ContainsFunc(ids[1:], func(id string) bool { return adapter.Partition(id) != adapter.Partition(ids[0]) }) {
		ids = slices.Clone(ids)
		slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(adapter.Partition(a), adapter.Partition(b)) })
	}
	found := make([]adapter.Doc, 0, len(ids))
	now := s.storage.b.now()
	for from := 0; from < len(ids); {
		partition, to := adapter.Partition(ids[from]), from+1
		for to < len(ids) && within(partition, ids[to]) {
			to++
		}
		sh := s.storage.shard(partition)
		sh.mu.Lock()
		c := sh.collections[collection]
		if c == nil {
			sh.mu.Unlock()
			return nil, fail("get", undeclared(collection), "")
		}
		for _, id := range ids[from:to] {
			if e := c.find(id, now); e != nil {
				found = append(found, e.doc)
			}
		}
		sh.mu.Unlock()
		from = to
	}
	return found, nil
}

// Read returns records of a log. See [adapter.Store].
func (s *Store) Read(ctx context.Context, subject string, r adapter.Range) ([]adapter.Record, error) {
	if err := s.usable(ctx, "read"); err != nil {
		return nil, err
	}
	partition := adapter.Partition(subject)
	sh := s.storage.shard(partition)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.partition(partition, s.storage.b.now()) == nil {
		return nil, nil
	}
	l := sh.logs[subject]
	if l == nil || l.dropped {
		return nil, nil
	}
	records, err := l.read(&r)
	if err != nil {
		return nil, fail("read", err, "")
	}
	return records, nil
}

// Now returns the time of the backend's clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if err := s.usable(ctx, "now"); err != nil {
		return time.Time{}, err
	}
	return s.storage.b.now(), nil
}

// Purge removes what has expired. Commits do so too, a little at a time. See [adapter.Store].
func (s *Store) Purge(ctx context.Context, limit int) (int, error) {
	if err := s.usable(ctx, "purge"); err != nil {
		return 0, err
	}
	if limit <= 0 {
		return 0, invalid("purge", fmt.Sprintf("limit %d", limit), "it must be above 0")
	}
	now, removed := s.storage.b.now(), 0
	for i := range s.storage.shards {
		sh := &s.storage.shards[i]
		sh.mu.Lock()
		removed += sh.purge(now, limit-removed)
		sh.mu.Unlock()
		if removed >= limit {
			break
		}
	}
	return removed, nil
}
