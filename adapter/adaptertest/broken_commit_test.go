package adaptertest_test

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

// onConflict lets a store do something else where a commit conflicts.
func onConflict(
	do func(ctx context.Context, s *store, b adapter.Batch, c adapter.Committed, err error) (adapter.Committed, error),
) func(*memory.Backend) adapter.Store {
	return robbing(func(s *store) {
		s.commit = func(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
			c, err := s.Store.Commit(ctx, b)
			if errors.Is(err, adapter.ErrConflict) {
				return do(ctx, s, b, c, err)
			}
			return c, err
		}
	})
}

// blindly looks at the versions first and writes without looking again.
func blindly(s *store) {
	s.commit = func(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
		look := adapter.Batch{Partition: b.Partition}
		puts := append([]adapter.Doc{}, b.Puts...)
		for i, d := range puts {
			look.Checks = append(look.Checks, adapter.Doc{Collection: d.Collection, ID: d.ID, Version: d.Version})
			puts[i].Version = adapter.AnyVersion
		}
		if c, err := s.Store.Commit(ctx, look); err != nil {
			return c, err
		}
		aMoment()
		b.Puts = puts
		return s.Store.Commit(ctx, b)
	}
}

// brokenCommits break the heart of the store.
func brokenCommits() []broken[adapter.Store] {
	return []broken[adapter.Store]{
		{"commits half", "atomic/all-or-nothing", onConflict(
			func(ctx context.Context, s *store, b adapter.Batch, c adapter.Committed, err error) (adapter.Committed, error) {
				_, _ = s.Store.Commit(ctx, adapter.Batch{Partition: b.Partition, Appends: b.Appends})
				return c, err
			})},
		{"swallows a conflict", "conflict/refused", onConflict(
			func(_ context.Context, _ *store, b adapter.Batch, _ adapter.Committed, _ error) (adapter.Committed, error) {
				return adapter.Committed{Versions: make([]adapter.Version, len(b.Puts)), FirstSeq: make([]uint64, len(b.Appends))}, nil
			})},
		{"conflicts without current documents", "conflict/carries-the-current-documents", onConflict(
			func(_ context.Context, _ *store, _ adapter.Batch, c adapter.Committed, _ error) (adapter.Committed, error) {
				return c, &adapter.Conflict{}
			})},
		{"conflicts with the first document only", "conflict/carries-the-current-documents", onConflict(
			func(_ context.Context, _ *store, _ adapter.Batch, c adapter.Committed, err error) (adapter.Committed, error) {
				var conflict *adapter.Conflict
				errors.As(err, &conflict)
				return c, &adapter.Conflict{Current: conflict.Current[:1]}
			})},
		{"leaves gaps in seqs", "race/seqs-without-gaps", onConflict(
			func(ctx context.Context, s *store, b adapter.Batch, c adapter.Committed, err error) (adapter.Committed, error) {
				if len(b.Appends) > 0 { // as a sequence does that is not rolled back
					_, _ = s.Store.Commit(ctx, adapter.Batch{Partition: b.Partition, Appends: b.Appends[:1]})
				}
				return c, err
			})},
		{"crosses partitions", "partition/not-crossed", robbing(func(s *store) {
			s.commit = func(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
				c, err := s.Store.Commit(ctx, b)
				if errors.Is(err, adapter.ErrCrossPartition) {
					return c, nil
				}
				return c, err
			}
		})},
		{"applies what is inside before it refuses", "partition/not-crossed", robbing(func(s *store) {
			s.commit = func(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
				c, err := s.Store.Commit(ctx, b)
				if errors.Is(err, adapter.ErrCrossPartition) {
					_, _ = s.Store.Commit(ctx, adapter.Batch{Partition: b.Partition, Puts: b.Puts[:1]})
				}
				return c, err
			}
		})},
		{"ignores checks", "commit/checks-write-nothing", editBatch(func(b *adapter.Batch) { b.Checks = nil })},
		{"does not lock what it checks", "race/no-write-skew", robbing(func(s *store) {
			s.commit = func(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
				if c, err := s.Store.Commit(ctx, adapter.Batch{Partition: b.Partition, Checks: b.Checks}); err != nil {
					return c, err
				}
				aMoment()
				b.Checks = nil
				return s.Store.Commit(ctx, b)
			}
		})},
		{"loses an update", "race/each-increment-once", robbing(blindly)},
		{"creates twice", "race/one-creates", robbing(blindly)},
		{"deletes at any version", "commit/deletes", editBatch(func(b *adapter.Batch) {
			for i := range b.Deletes {
				b.Deletes[i].Version = adapter.AnyVersion
			}
		})},
		{"reuses versions", "commit/version-is-never-reused", robbing(func(s *store) {
			s.commit = func(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
				fresh := len(b.Puts) == 1 && b.Puts[0].Version == adapter.Absent
				for _, docs := range [][]adapter.Doc{b.Puts, b.Deletes} {
					for i := range docs {
						if docs[i].Version > 0 {
							docs[i].Version = adapter.AnyVersion
						}
					}
				}
				c, err := s.Store.Commit(ctx, b)
				if fresh && err == nil {
					c.Versions[0] = 1
				}
				return c, err
			}
		})},
		{"puts numbers through floats", "commit/keeps-json-values", editBatch(func(b *adapter.Batch) {
			for i := range b.Puts {
				var v any
				if json.Unmarshal(b.Puts[i].Body, &v) == nil {
					b.Puts[i].Body, _ = json.Marshal(v)
				}
			}
		})},
		{"reads documents one by one", "atomic/readers-see-no-half", robbing(func(s *store) {
			s.get = func(ctx context.Context, collection string, ids []string) ([]adapter.Doc, error) {
				var docs []adapter.Doc
				for _, id := range ids {
					found, err := s.Store.Get(ctx, collection, id)
					if err != nil {
						return nil, err
					}
					docs = append(docs, found...)
					aMoment()
				}
				return docs, nil
			}
		})},
		{"answers from a cache", "atomic/what-was-committed-is-seen", robbing(func(s *store) {
			var seen bool
			s.get = func(ctx context.Context, collection string, ids []string) ([]adapter.Doc, error) {
				if seen {
					return nil, nil
				}
				seen = true
				return s.Store.Get(ctx, collection, ids...)
			}
		})},
	}
}
