package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
)

// twin is the same store twice: on Redis, and in memory. Versions are each store's own.
type twin struct {
	t          *testing.T
	r          *rand.Rand
	stores     [2]adapter.Store
	partitions []string
	rests      []string
}

var twinCollections = []adapter.Collection{
	{Name: "a", Indexes: []adapter.Index{
		{Equal: []string{"s"}, Order: "n"}, {Order: "n"}, {Equal: []string{"tags"}}, {Equal: []string{"t", "s"}, Order: "w"},
	}},
	{Name: "b:{x}%"},
}

// TestSameAsMemory runs random batches on both stores and compares everything that can be asked.
func TestSameAsMemory(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			s, err := open(t.Context(), server.URL())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			tw := twin{t: t, r: rand.New(rand.NewPCG(seed, 7)), stores: [2]adapter.Store{s, memory.New(nil).Store()}}
			for i := range 6 {
				tw.partitions = append(tw.partitions, fmt.Sprintf("p%d-%d", seed, i))
			}
			tw.rests = []string{"", "/x", "/y:1", "/z/é", "/x/1"}
			prefixed := slices.Clone(twinCollections)
			for i := range prefixed {
				prefixed[i].Name = tw.name(i)
			}
			for _, s := range tw.stores {
				if err := s.Declare(t.Context(), prefixed...); err != nil {
					t.Fatal(err)
				}
			}
			for n := range 250 {
				tw.batch()
				if n%5 == 0 {
					tw.compare()
				}
				if t.Failed() {
					t.Fatalf("after %d batches", n+1)
				}
			}
		})
	}
}

func (tw *twin) name(i int) string { return fmt.Sprint(twinCollections[i].Name, "-", tw.partitions[0]) }

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func (tw *twin) body() json.RawMessage {
	b := map[string]any{}
	if tw.r.IntN(8) > 0 {
		b["s"] = pick(tw.r, []any{"on", "off", "", nil, true, 1, strings.Repeat("long", 40)})
	}
	if tw.r.IntN(8) > 0 {
		b["n"] = pick(tw.r, []any{1, 2, 2.5, -3, 1e15, json.Number("9007199254740993"), json.Number("9007199254740992"), nil})
	}
	b["t"] = pick(tw.r, []any{[]string{"x", "y"}, []string{"x", "x"}, "y", []string{}, map[string]any{"x": 1}})
	b["tags"] = pick(tw.r, []any{[]string{"x", "y", "z"}, "x", nil})
	b["w"] = pick(tw.r, []any{"a", "aa", "b", "", "é"})
	text, _ := json.Marshal(b)
	return text
}

// batch applies one random batch to both, and compares what they say.
func (tw *twin) batch() {
	partition := pick(tw.r, tw.partitions)
	var plain adapter.Batch
	plain.Partition = partition
	plan := map[int][]int{} // how to expect, by kind and position
	for i := range twinCollections {
		for _, rest := range tw.rests {
			d := adapter.Doc{Collection: tw.name(i), ID: partition + rest}
			switch tw.r.IntN(10) {
			case 0:
				plain.Checks = append(plain.Checks, d)
				plan[0] = append(plan[0], tw.r.IntN(8))
			case 1, 2, 3:
				d.Body = tw.body()
				if tw.r.IntN(5) == 0 {
					d.ExpireAt = time.Now().Add(time.Hour).Truncate(time.Millisecond)
				}
				plain.Puts = append(plain.Puts, d)
				plan[1] = append(plan[1], tw.r.IntN(8))
			case 4:
				plain.Deletes = append(plain.Deletes, d)
				plan[2] = append(plan[2], tw.r.IntN(8))
			}
		}
	}
	for _, rest := range tw.rests[:2] {
		switch tw.r.IntN(8) {
		case 0, 1, 2:
			a := adapter.Append{Subject: partition + rest}
			for range tw.r.IntN(4) {
				a.Records = append(a.Records, adapter.Record{Type: pick(tw.r, []string{"emit", "state"}), Data: tw.body()})
			}
			plain.Appends = append(plain.Appends, a)
		case 3:
			plain.Drops = append(plain.Drops, partition+rest)
		}
	}
	var outcomes [2]string
	for i, s := range tw.stores {
		b := plain
		for kind, docs := range [...]*[]adapter.Doc{&b.Checks, &b.Puts, &b.Deletes} {
			*docs = slices.Clone(*docs)
			for k := range *docs {
				(*docs)[k].Version = tw.expect(s, &(*docs)[k], plan[kind][k])
			}
		}
		c, err := s.Commit(tw.t.Context(), b)
		var conflict *adapter.Conflict
		switch {
		case errors.As(err, &conflict):
			var parts []string
			for _, d := range conflict.Current {
				parts = append(parts, fmt.Sprint(d.Collection, d.ID, d.Version > 0, string(canonical(d.Body)), d.ExpireAt.UnixMilli()))
			}
			outcomes[i] = fmt.Sprint("conflict ", parts)
		case err != nil:
			tw.t.Fatalf("commit %d: %v", i, err)
		default:
			outcomes[i] = fmt.Sprint("seqs ", c.FirstSeq)
		}
	}
	if outcomes[0] != outcomes[1] {
		tw.t.Fatalf("commit of %+v:\nredis  %s\nmemory %s", plain, outcomes[0], outcomes[1])
	}
}

// expect returns a version to expect: mostly the right one.
func (tw *twin) expect(s adapter.Store, d *adapter.Doc, how int) adapter.Version {
	switch how {
	case 0:
		return adapter.Absent
	case 1, 2:
		return adapter.AnyVersion
	}
	docs, err := s.Get(tw.t.Context(), d.Collection, d.ID)
	if err != nil {
		tw.t.Fatal(err)
	}
	if len(docs) == 0 {
		return adapter.Absent
	}
	return docs[0].Version
}

func canonical(body json.RawMessage) json.RawMessage {
	if len(body) == 0 {
		return nil
	}
	c, _ := adapter.Canonical(body)
	return c
}

// compare asks both everything.
func (tw *twin) compare() {
	ctx := tw.t.Context()
	tw.same("documents", func(s adapter.Store) any {
		var got []string
		for i := range twinCollections {
			for _, p := range tw.partitions {
				for _, rest := range tw.rests {
					docs, err := s.Get(ctx, tw.name(i), p+rest)
					got = append(got, fmt.Sprint(err, len(docs)))
					for _, d := range docs {
						got = append(got, d.ID+string(canonical(d.Body))+fmt.Sprint(d.ExpireAt.UnixMilli()))
					}
				}
			}
		}
		return got
	})
	for _, p := range tw.partitions {
		for range 4 {
			subject := p + tw.rests[tw.r.IntN(2)]
			r := adapter.Range{After: uint64(tw.r.IntN(30)), Limit: 1 + tw.r.IntN(10), Backward: tw.r.IntN(2) == 0}
			if tw.r.IntN(3) == 0 {
				r.Types = []string{"emit"}
			}
			if tw.r.IntN(4) == 0 {
				r.Seqs = []uint64{1 + uint64(tw.r.IntN(4)), 5 + uint64(tw.r.IntN(4)), 10 + uint64(tw.r.IntN(30))}
			}
			tw.same(fmt.Sprintf("read %s %+v", subject, r), func(s adapter.Store) any { return readAll(ctx, s, subject, r) })
		}
	}
	queries := []adapter.Query{{}, {Where: map[string]any{"s": "on"}, Order: "n"}, {Order: "n", From: 2, To: json.Number("9007199254740992")},
		{Where: map[string]any{"tags": "x"}}, {Where: map[string]any{"s": true}, Order: "n", From: -5}, {Order: "n", To: -3},
		{Where: map[string]any{"t": "x", "s": "on"}, Order: "w", From: "a", To: "b"}, {Where: map[string]any{"t": "y", "s": ""}, Order: "w"},
		{Where: map[string]any{"s": strings.Repeat("long", 40)}, Order: "n"}, {Where: map[string]any{"s": 1}, Order: "n", To: 2.5}}
	for _, q := range queries {
		q.Desc, q.Limit = tw.r.IntN(2) == 0, 1+tw.r.IntN(20)
		tw.same(fmt.Sprintf("list %+v", q), func(s adapter.Store) any { return listAll(ctx, s, tw.name(0), q) })
	}
}

func readAll(ctx context.Context, s adapter.Store, subject string, r adapter.Range) []string {
	var got []string
	recs, err := s.Read(ctx, subject, r)
	if trimmed, ok := errors.AsType[*adapter.Trimmed](err); ok {
		return []string{fmt.Sprint("trimmed to ", trimmed.First)}
	}
	got = append(got, fmt.Sprint(err))
	for _, rec := range recs {
		got = append(got, fmt.Sprint(rec.Seq, rec.Type, string(canonical(rec.Data))))
	}
	return got
}

func listAll(ctx context.Context, s adapter.Store, collection string, q adapter.Query) []string {
	var got []string
	for {
		page, err := s.List(ctx, collection, q)
		if err != nil {
			return append(got, err.Error())
		}
		for _, d := range page.Items {
			got = append(got, d.ID+string(canonical(d.Body)))
		}
		if page.Next == "" {
			break
		}
		got = append(got, "page")
		q.Cursor = page.Next
	}
	n, exact, err := s.Count(ctx, collection, q)
	return append(got, fmt.Sprint(n, exact, err))
}

func (tw *twin) same(what string, ask func(adapter.Store) any) {
	tw.t.Helper()
	if a, b := ask(tw.stores[0]), ask(tw.stores[1]); !reflect.DeepEqual(a, b) {
		tw.t.Errorf("%s:\nredis  %v\nmemory %v", what, a, b)
	}
}
