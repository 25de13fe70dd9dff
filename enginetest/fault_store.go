package enginetest

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// faultyStore is a store with faults. It embeds nothing, so that no call goes past them.
type faultyStore struct {
	s adapter.Store
	f *faults
}

func (w faultyStore) Info() adapter.Info { return w.s.Info() }

func (w faultyStore) Close() error { return w.s.Close() }

func (w faultyStore) KV() adapter.KV { return faultyKV{w.s.KV(), w.f} }

func (w faultyStore) Declare(ctx context.Context, c ...adapter.Collection) error {
	_, err := faulty(ctx, w.f, "declare", func(ctx context.Context) (struct{}, error) { return struct{}{}, w.s.Declare(ctx, c...) })
	return err
}

func (w faultyStore) Commit(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
	return faulty(ctx, w.f, "commit", func(ctx context.Context) (adapter.Committed, error) { return w.s.Commit(ctx, b) })
}

func (w faultyStore) Get(ctx context.Context, collection string, ids ...string) ([]adapter.Doc, error) {
	return faulty(ctx, w.f, "get "+collection, func(ctx context.Context) ([]adapter.Doc, error) { return w.s.Get(ctx, collection, ids...) })
}

func (w faultyStore) List(ctx context.Context, collection string, q adapter.Query) (adapter.Page[adapter.Doc], error) {
	return faulty(ctx, w.f, "list "+collection, func(ctx context.Context) (adapter.Page[adapter.Doc], error) {
		return w.s.List(ctx, collection, q)
	})
}

func (w faultyStore) Count(ctx context.Context, collection string, q adapter.Query) (n int64, exact bool, err error) {
	type count struct {
		n     int64
		exact bool
	}
	c, err := faulty(ctx, w.f, "count "+collection, func(ctx context.Context) (count, error) {
		n, exact, err := w.s.Count(ctx, collection, q)
		return count{n, exact}, err
	})
	return c.n, c.exact, err
}

func (w faultyStore) Read(ctx context.Context, subject string, r adapter.Range) ([]adapter.Record, error) {
	return faulty(ctx, w.f, "read", func(ctx context.Context) ([]adapter.Record, error) { return w.s.Read(ctx, subject, r) })
}

func (w faultyStore) Now(ctx context.Context) (time.Time, error) {
	return faulty(ctx, w.f, "now", w.s.Now)
}

func (w faultyStore) Purge(ctx context.Context, limit int) (int, error) {
	return faulty(ctx, w.f, "purge", func(ctx context.Context) (int, error) { return w.s.Purge(ctx, limit) })
}

type faultyKV struct {
	kv adapter.KV
	f  *faults
}

func (w faultyKV) Get(ctx context.Context, key string) (json.RawMessage, error) {
	return faulty(ctx, w.f, "get key", func(ctx context.Context) (json.RawMessage, error) { return w.kv.Get(ctx, key) })
}

func (w faultyKV) Set(ctx context.Context, key string, v json.RawMessage, o adapter.SetOptions) (bool, error) {
	return faulty(ctx, w.f, "set key", func(ctx context.Context) (bool, error) { return w.kv.Set(ctx, key, v, o) })
}

func (w faultyKV) Delete(ctx context.Context, key string) error {
	_, err := faulty(ctx, w.f, "delete key", func(ctx context.Context) (struct{}, error) { return struct{}{}, w.kv.Delete(ctx, key) })
	return err
}

func (w faultyKV) Clear(ctx context.Context, prefix string, limit int) (int, error) {
	return faulty(ctx, w.f, "clear keys", func(ctx context.Context) (int, error) { return w.kv.Clear(ctx, prefix, limit) })
}
