package adaptertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

// editSet changes the options of KV.Set.
func editSet(edit func(o *adapter.SetOptions)) func(*memory.Backend) adapter.Store {
	return editKV(func(k *kv) {
		k.set = func(ctx context.Context, key string, v json.RawMessage, o adapter.SetOptions) (bool, error) {
			edit(&o)
			return k.KV.Set(ctx, key, v, o)
		}
	})
}

func brokenKeys() []broken[adapter.Store] {
	return []broken[adapter.Store]{
		{"ignores the time to live", "kv/time-to-live", editSet(func(o *adapter.SetOptions) { o.TTL = 0 })},
		{"keeps an earlier time to live", "kv/time-to-live", editKV(func(k *kv) {
			was := map[string]time.Duration{}
			k.set = func(ctx context.Context, key string, v json.RawMessage, o adapter.SetOptions) (bool, error) {
				if o.TTL == 0 {
					o.TTL = was[key]
				}
				was[key] = o.TTL
				return k.KV.Set(ctx, key, v, o)
			}
		})},
		{"overwrites with IfAbsent", "kv/only-if-absent", editSet(func(o *adapter.SetOptions) { o.IfAbsent = false })},
		{"overwrites with IfEquals", "kv/only-if-equal", editSet(func(o *adapter.SetOptions) { o.IfEquals = nil })},
		{"compares and sets in two steps", "kv/one-wins-a-race", editKV(func(k *kv) {
			k.set = func(ctx context.Context, key string, v json.RawMessage, o adapter.SetOptions) (bool, error) {
				now, err := k.Get(ctx, key)
				if o.IfAbsent && !errors.Is(err, adapter.ErrNotFound) || o.IfEquals != nil && string(now) != string(o.IfEquals) {
					return false, nil
				}
				aMoment()
				return k.KV.Set(ctx, key, v, adapter.SetOptions{TTL: o.TTL})
			}
		})},
		{"clears all at once", "kv/clear-by-prefix", editKV(func(k *kv) {
			k.clear = func(ctx context.Context, prefix string, _ int) (int, error) { return k.KV.Clear(ctx, prefix, 1000) }
		})},
		{"clears by pattern", "kv/clear-by-prefix", editKV(func(k *kv) {
			k.clear = func(ctx context.Context, prefix string, limit int) (int, error) {
				prefix, _, _ = strings.Cut(prefix, "*")
				return k.KV.Clear(ctx, prefix, limit)
			}
		})},
	}
}

func brokenExpiry() []broken[adapter.Store] {
	return []broken[adapter.Store]{
		{"ignores the expiry of documents", "expiry/document-is-invisible", editBatch(func(b *adapter.Batch) {
			for i := range b.Puts {
				if !b.Puts[i].ExpireAt.IsZero() {
					b.Puts[i].ExpireAt = b.Puts[i].ExpireAt.AddDate(100, 0, 0)
				}
			}
		})},
		{"ignores the expiry of partitions", "expiry/of-a-partition", editBatch(func(b *adapter.Batch) { b.Expire = nil })},
		{"lifts the expiry with every commit", "expiry/of-a-partition", editBatch(func(b *adapter.Batch) {
			if b.Expire == nil {
				b.Expire = &adapter.Expiry{}
			}
		})},
		{"cannot lift an expiry", "expiry/of-a-partition-lifted", editBatch(func(b *adapter.Batch) {
			if b.Expire != nil && b.Expire.Docs.IsZero() {
				b.Expire = nil
			}
		})},
		{"hides that a log was trimmed", "trim/says-what-is-first", robbing(func(s *store) {
			s.read = func(ctx context.Context, subject string, r adapter.Range) ([]adapter.Record, error) {
				recs, err := s.Store.Read(ctx, subject, r)
				if errors.Is(err, adapter.ErrTrimmed) {
					return nil, nil
				}
				return recs, err
			}
		})},
		{"does not say what is first", "trim/says-what-is-first", robbing(func(s *store) {
			s.read = func(ctx context.Context, subject string, r adapter.Range) ([]adapter.Record, error) {
				recs, err := s.Store.Read(ctx, subject, r)
				if errors.Is(err, adapter.ErrTrimmed) {
					err = &adapter.Trimmed{Subject: subject}
				}
				return recs, err
			}
		})},
		{"purges more than it is told", "expiry/purge-in-portions", robbing(func(s *store) {
			s.purge = func(ctx context.Context, _ int) (int, error) { return s.Store.Purge(ctx, 1000) }
		})},
	}
}

func brokenStoreLives() []broken[adapter.Store] {
	return []broken[adapter.Store]{
		{"has a clock that goes back", "clock/never-goes-back", robbing(func(s *store) {
			ahead := time.Hour
			s.now = func(ctx context.Context) (time.Time, error) {
				now, err := s.Store.Now(ctx)
				ahead -= time.Minute
				return now.Add(ahead), err
			}
		})},
		{"ignores cancellation", "cancel/every-call-returns-the-cause", robbing(func(s *store) {
			s.commit = func(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
				return s.Store.Commit(context.WithoutCancel(ctx), b)
			}
		})},
		{"leaks a goroutine", "close/leaks-nothing", robbing(func(*store) {
			go func() { select {} }()
		})},
		{"is never closed", "close/every-call-returns-closed", robbing(func(s *store) { s.close = func() error { return nil } })},
	}
}
