package enginetest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/enginetest"
)

// store breaks the store of a trio.
func store(breaks func(adapter.Store) adapter.Store) broken {
	return func(t enginetest.Trio) enginetest.Trio {
		t.Store = breaks(t.Store)
		return t
	}
}

// committing is a store with a Commit of its own.
type committing struct {
	adapter.Store
	commit func(ctx context.Context, b adapter.Batch) (adapter.Committed, error)
}

func (c *committing) Commit(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
	return c.commit(ctx, b)
}

// editing changes batches before they are committed.
func editing(edit func(b *adapter.Batch)) func(adapter.Store) adapter.Store {
	return func(s adapter.Store) adapter.Store {
		return &committing{s, func(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
			b.Puts, b.Appends = slices.Clone(b.Puts), slices.Clone(b.Appends)
			edit(&b)
			return s.Commit(ctx, b)
		}}
	}
}

// pretended is the answer to a commit that was not made.
func pretended(b adapter.Batch) adapter.Committed {
	done := adapter.Committed{Versions: make([]adapter.Version, len(b.Puts)), FirstSeq: make([]uint64, len(b.Appends)), Now: time.Now()}
	for i, p := range b.Puts {
		done.Versions[i] = p.Version + 1
	}
	return done
}

func losesCommits(s adapter.Store) adapter.Store {
	var n atomic.Int64
	return &committing{s, func(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
		if len(b.Appends) > 0 && n.Add(1)%7 == 0 {
			return pretended(b), nil
		}
		return s.Commit(ctx, b)
	}}
}

var losesRecords = editing(func(b *adapter.Batch) { b.Appends = nil })

var losesLastRecord = editing(func(b *adapter.Batch) {
	for i := range b.Appends {
		if r := b.Appends[i].Records; len(r) > 1 {
			b.Appends[i].Records = r[:len(r)-1]
		}
	}
})

var writesTwice = editing(func(b *adapter.Batch) {
	for i := range b.Appends {
		b.Appends[i].Records = append(slices.Clone(b.Appends[i].Records), b.Appends[i].Records...)
	}
})

var ignoresVersions = editing(func(b *adapter.Batch) {
	for i := range b.Puts {
		b.Puts[i].Version = adapter.AnyVersion
	}
})

func swallowsConflicts(s adapter.Store) adapter.Store {
	return &committing{s, func(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
		done, err := s.Commit(ctx, b)
		if errors.Is(err, adapter.ErrConflict) {
			return pretended(b), nil
		}
		return done, err
	}}
}

func inventsConflicts(s adapter.Store) adapter.Store {
	return &committing{s, func(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
		done, err := s.Commit(ctx, b)
		if err == nil && len(b.Appends) > 0 {
			current, err := s.Get(ctx, b.Puts[0].Collection, b.Puts[0].ID)
			return adapter.Committed{}, errors.Join(&adapter.Conflict{Current: current}, err)
		}
		return done, err
	}}
}

// commitsHalf leaves out the documents that handlers write.
var commitsHalf = editing(func(b *adapter.Batch) {
	b.Puts = append(b.Puts[:1:1], slices.DeleteFunc(b.Puts[1:], func(d adapter.Doc) bool { return d.Collection == "flow-data" })...)
})

var neverExpires = editing(func(b *adapter.Batch) {
	for i := range b.Puts {
		b.Puts[i].ExpireAt = time.Time{}
	}
})

var deletesNothing = editing(func(b *adapter.Batch) { b.Deletes = nil })

var roundsNumbers = editing(func(b *adapter.Batch) {
	for i := range b.Appends {
		records := slices.Clone(b.Appends[i].Records)
		for j := range records {
			var v any
			if json.Unmarshal(records[j].Data, &v) == nil {
				records[j].Data, _ = json.Marshal(v)
			}
		}
		b.Appends[i].Records = records
	}
	for i := range b.Puts {
		var v any
		if b.Puts[i].Collection == "flow-data" && json.Unmarshal(b.Puts[i].Body, &v) == nil {
			b.Puts[i].Body, _ = json.Marshal(v)
		}
	}
})

// listing is a store with a List of its own.
type listing struct {
	adapter.Store
	list func(ctx context.Context, collection string, q adapter.Query) (adapter.Page[adapter.Doc], error)
}

func (l *listing) List(ctx context.Context, collection string, q adapter.Query) (adapter.Page[adapter.Doc], error) {
	return l.list(ctx, collection, q)
}

func findsNothingDue(s adapter.Store) adapter.Store {
	return &listing{s, func(ctx context.Context, collection string, q adapter.Query) (adapter.Page[adapter.Doc], error) {
		if q.Order == "wakeAt" {
			return adapter.Page[adapter.Doc]{}, nil
		}
		return s.List(ctx, collection, q)
	}}
}

func ignoresWhere(s adapter.Store) adapter.Store {
	return &listing{s, func(ctx context.Context, collection string, q adapter.Query) (adapter.Page[adapter.Doc], error) {
		q.Where = nil
		return s.List(ctx, collection, q)
	}}
}

type fromStart struct{ adapter.Store }

func readsFromStart(s adapter.Store) adapter.Store { return &fromStart{s} }

func (s *fromStart) Read(ctx context.Context, subject string, r adapter.Range) ([]adapter.Record, error) {
	r.After = 0
	return s.Store.Read(ctx, subject, r)
}

type keeping struct{ adapter.Store }

func keepsKeys(s adapter.Store) adapter.Store { return &keeping{s} }

func (s *keeping) KV() adapter.KV { return keptKV{s.Store.KV()} }

type keptKV struct{ adapter.KV }

func (k keptKV) Set(ctx context.Context, key string, v json.RawMessage, o adapter.SetOptions) (bool, error) {
	o.TTL = 0
	return k.KV.Set(ctx, key, bytes.Clone(v), o)
}
