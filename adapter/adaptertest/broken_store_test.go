package adaptertest_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/adaptertest"
	"github.com/nvent-go/nvent/adapter/memory"
)

// store is the memory store with some of its methods replaced. A nil field leaves the method as it is.
type store struct {
	adapter.Store
	commit func(ctx context.Context, b adapter.Batch) (adapter.Committed, error)
	get    func(ctx context.Context, collection string, ids []string) ([]adapter.Doc, error)
	list   func(ctx context.Context, collection string, q adapter.Query) (adapter.Page[adapter.Doc], error)
	count  func(ctx context.Context, collection string, q adapter.Query) (int64, bool, error)
	read   func(ctx context.Context, subject string, r adapter.Range) ([]adapter.Record, error)
	now    func(ctx context.Context) (time.Time, error)
	purge  func(ctx context.Context, limit int) (int, error)
	close  func() error
	kv     *kv
}

func (s *store) Commit(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
	if s.commit != nil {
		return s.commit(ctx, b)
	}
	return s.Store.Commit(ctx, b)
}

func (s *store) Get(ctx context.Context, collection string, ids ...string) ([]adapter.Doc, error) {
	if s.get != nil {
		return s.get(ctx, collection, ids)
	}
	return s.Store.Get(ctx, collection, ids...)
}

func (s *store) List(ctx context.Context, collection string, q adapter.Query) (adapter.Page[adapter.Doc], error) {
	if s.list != nil {
		return s.list(ctx, collection, q)
	}
	return s.Store.List(ctx, collection, q)
}

func (s *store) Count(ctx context.Context, collection string, q adapter.Query) (int64, bool, error) {
	if s.count != nil {
		return s.count(ctx, collection, q)
	}
	return s.Store.Count(ctx, collection, q)
}

func (s *store) Read(ctx context.Context, subject string, r adapter.Range) ([]adapter.Record, error) {
	if s.read != nil {
		return s.read(ctx, subject, r)
	}
	return s.Store.Read(ctx, subject, r)
}

func (s *store) Now(ctx context.Context) (time.Time, error) {
	if s.now != nil {
		return s.now(ctx)
	}
	return s.Store.Now(ctx)
}

func (s *store) Purge(ctx context.Context, limit int) (int, error) {
	if s.purge != nil {
		return s.purge(ctx, limit)
	}
	return s.Store.Purge(ctx, limit)
}

func (s *store) Close() error {
	if s.close != nil {
		return s.close()
	}
	return s.Store.Close()
}

func (s *store) KV() adapter.KV {
	if s.kv != nil {
		return s.kv
	}
	return s.Store.KV()
}

// kv is the memory store's keys with some methods replaced.
type kv struct {
	adapter.KV
	set   func(ctx context.Context, key string, v json.RawMessage, o adapter.SetOptions) (bool, error)
	clear func(ctx context.Context, prefix string, limit int) (int, error)
}

func (k *kv) Set(ctx context.Context, key string, v json.RawMessage, o adapter.SetOptions) (bool, error) {
	if k.set != nil {
		return k.set(ctx, key, v, o)
	}
	return k.KV.Set(ctx, key, v, o)
}

func (k *kv) Clear(ctx context.Context, prefix string, limit int) (int, error) {
	if k.clear != nil {
		return k.clear(ctx, prefix, limit)
	}
	return k.KV.Clear(ctx, prefix, limit)
}

// robbing returns an opener of memory stores that edit has broken.
func robbing(edit func(s *store)) func(*memory.Backend) adapter.Store {
	return func(b *memory.Backend) adapter.Store {
		s := &store{Store: b.Store()}
		edit(s)
		return s
	}
}

// editBatch changes batches on their way in.
func editBatch(edit func(b *adapter.Batch)) func(*memory.Backend) adapter.Store {
	return robbing(func(s *store) {
		s.commit = func(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
			b.Puts, b.Deletes = slices.Clone(b.Puts), slices.Clone(b.Deletes)
			edit(&b)
			return s.Store.Commit(ctx, b)
		}
	})
}

// editList changes queries and pages.
func editList(before func(q *adapter.Query), after func(p *adapter.Page[adapter.Doc])) func(*memory.Backend) adapter.Store {
	return robbing(func(s *store) {
		s.list = func(ctx context.Context, collection string, q adapter.Query) (adapter.Page[adapter.Doc], error) {
			if before != nil {
				before(&q)
			}
			page, err := s.Store.List(ctx, collection, q)
			if after != nil {
				after(&page)
			}
			return page, err
		}
	})
}

// editRead changes ranges and records.
func editRead(before func(r *adapter.Range), after func(recs []adapter.Record) []adapter.Record) func(*memory.Backend) adapter.Store {
	return robbing(func(s *store) {
		s.read = func(ctx context.Context, subject string, r adapter.Range) ([]adapter.Record, error) {
			if before != nil {
				before(&r)
			}
			recs, err := s.Store.Read(ctx, subject, r)
			if after != nil {
				recs = after(slices.Clone(recs))
			}
			return recs, err
		}
	})
}

// editKV replaces methods of the keys.
func editKV(edit func(k *kv)) func(*memory.Backend) adapter.Store {
	return robbing(func(s *store) {
		s.kv = &kv{KV: s.Store.KV()}
		edit(s.kv)
	})
}

func TestBrokenStores(t *testing.T) {
	t.Parallel()
	sound := func(b *memory.Backend) adapter.Store { return b.Store() }
	catch(t, adaptertest.StoreChecks(), sound,
		slices.Concat(brokenCommits(), brokenLogs(), brokenIndexes(), brokenKeys(), brokenExpiry(), brokenStoreLives()))
}
