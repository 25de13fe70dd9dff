package memory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

func declared(t *testing.T) (*memory.Backend, *memory.Store) {
	t.Helper()
	b := memory.New(nil)
	s := b.Store()
	err := s.Declare(context.Background(), adapter.Collection{Name: "c", Indexes: []adapter.Index{{Equal: []string{"tags"}, Order: "n"}}})
	if err != nil {
		t.Fatal(err)
	}
	return b, s
}

func commit(t *testing.T, s *memory.Store, b adapter.Batch) adapter.Committed {
	t.Helper()
	done, err := s.Commit(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func put(id, body string) adapter.Batch {
	return adapter.Batch{Partition: adapter.Partition(id), Puts: []adapter.Doc{
		{Collection: "c", ID: id, Version: adapter.AnyVersion, Body: []byte(body)},
	}}
}

// TestExpiredPartitionsFreeTheirMemory has many runs vanish, with their documents, logs and versions.
func TestExpiredPartitionsFreeTheirMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s := declared(t)
		ctx := context.Background()
		const runs = 200
		for i := range runs {
			b := put(fmt.Sprint("run", i), `{"tags":["x"],"n":1}`)
			b.Appends = []adapter.Append{{Subject: b.Partition, Records: make([]adapter.Record, 3)}}
			b.Expire = &adapter.Expiry{Docs: time.Now().Add(time.Hour)}
			commit(t, s, b)
		}
		if n, err := s.Purge(ctx, 10); n != 0 || err != nil {
			t.Errorf("purged before the time: %d, %v", n, err)
		}
		time.Sleep(time.Hour)
		if n, exact, err := s.Count(ctx, "c", adapter.Query{}); n != 0 || !exact || err != nil {
			t.Errorf("documents after the time: %d, %v, %v", n, exact, err)
		}
		total := 0
		for {
			n, err := s.Purge(ctx, 30)
			if err != nil || n > 30 {
				t.Fatalf("purged %d of 30, %v", n, err)
			}
			if n == 0 {
				break
			}
			total += n
		}
		if total != 2*runs {
			t.Errorf("purged %d documents and logs, want %d", total, 2*runs)
		}
		if _, err := s.Purge(ctx, 0); !errors.Is(err, adapter.ErrInvalid) {
			t.Errorf("purge of nothing: %v", err)
		}
	})
}

// TestCommitsPurgeOnTheirWay has documents expire and only ever writes others.
func TestCommitsPurgeOnTheirWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s := declared(t)
		ctx := context.Background()
		for i := range 2000 {
			b := put(fmt.Sprint("p", i), `{"tags":"x","n":1}`)
			b.Puts[0].ExpireAt = time.Now().Add(time.Minute)
			commit(t, s, b)
			if _, err := s.KV().Set(ctx, fmt.Sprint("k", i), []byte("1"), adapter.SetOptions{TTL: time.Minute}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		n, err := s.Purge(ctx, 1e6)
		if err != nil || n > 500 {
			t.Errorf("%d expired things were left to Purge (%v), of 4000 with about 120 alive at a time", n, err)
		}
	})
}

func TestVersionsAreNotUsedAgain(t *testing.T) {
	t.Parallel()
	_, s := declared(t)
	var last adapter.Version
	for range 5 {
		done := commit(t, s, put("a", `{}`))
		if done.Versions[0] <= last {
			t.Fatalf("version %d after %d", done.Versions[0], last)
		}
		last = done.Versions[0]
		commit(t, s, adapter.Batch{Partition: "a", Deletes: []adapter.Doc{{Collection: "c", ID: "a", Version: last}}})
	}
}

func TestPagesStayInPlaceWhileDocumentsMove(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, desc := range []bool{false, true} {
		_, s := declared(t)
		for i := range 100 {
			commit(t, s, put(fmt.Sprintf("d%02d", i), fmt.Sprintf(`{"tags":["a","b","a"],"n":%d}`, i/3)))
		}
		seen := map[string]bool{}
		q := adapter.Query{Where: map[string]any{"tags": "b"}, Order: "n", From: 2, To: json30, Desc: desc, Limit: 7}
		for {
			page, err := s.List(ctx, "c", q)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range page.Items {
				if seen[d.ID] {
					t.Errorf("desc %v: %s comes twice", desc, d.ID)
				}
				seen[d.ID] = true
				if d.ID == "d50" { // it is where the cursor points to at some time
					commit(t, s, adapter.Batch{Partition: d.ID, Deletes: []adapter.Doc{{Collection: "c", ID: d.ID, Version: d.Version}}})
				} else {
					commit(t, s, put(d.ID, `{"tags":["b"],"n":-5}`)) // out of the bounds
				}
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if len(seen) != 93-6 { // n from 2 to 30 are d06 to d92
			t.Errorf("desc %v: %d documents were seen, want %d", desc, len(seen), 93-6)
		}
	}
}

// json30 is a number of another Go type than the other bound.
const json30 = 30.0

func TestUndeclaredAndMalformedAreRefused(t *testing.T) {
	t.Parallel()
	_, s := declared(t)
	ctx := context.Background()
	other := put("a", `{}`)
	other.Puts[0].Collection = "other"
	for name, b := range map[string]adapter.Batch{
		"collection": other, "body": put("a", `[]`), "no partition": {}, "slash": {Partition: "a/b"},
	} {
		if _, err := s.Commit(ctx, b); !errors.Is(err, adapter.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, q := range map[string]adapter.Query{
		"cursor": {Cursor: "?"}, "bounds": {From: 1},
		"value": {Where: map[string]any{"tags": nil}, Order: "n"},
	} {
		if _, err := s.List(ctx, "c", q); !errors.Is(err, adapter.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.List(ctx, "c", adapter.Query{Order: "n"}); !errors.Is(err, adapter.ErrUnsupported) {
		t.Errorf("no such index: %v", err)
	}
}

func TestLogOfADroppedSubjectGoesOn(t *testing.T) {
	t.Parallel()
	_, s := declared(t)
	ctx := context.Background()
	add := func(n int) adapter.Committed {
		return commit(t, s, adapter.Batch{Partition: "p", Appends: []adapter.Append{{Subject: "p/l", Records: make([]adapter.Record, n)}}})
	}
	add(3)
	commit(t, s, adapter.Batch{Partition: "p", Drops: []string{"p/l"}})
	if r, err := s.Read(ctx, "p/l", adapter.Range{}); len(r) != 0 || err != nil {
		t.Errorf("a dropped log: %v, %v", r, err)
	}
	if first := add(2).FirstSeq[0]; first != 4 {
		t.Errorf("it goes on with %d, want 4", first)
	}
	var trimmed *adapter.Trimmed
	if _, err := s.Read(ctx, "p/l", adapter.Range{}); !errors.As(err, &trimmed) || trimmed.First != 4 {
		t.Errorf("reading what was dropped: %v", err)
	}
	if r, err := s.Read(ctx, "p/l", adapter.Range{After: 3}); err != nil || len(r) != 2 || r[1].Seq != 5 {
		t.Errorf("reading what was written since: %v, %v", r, err)
	}
}
