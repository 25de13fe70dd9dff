package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
)

// until waits for a condition.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after 30 s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func mustOpen(t *testing.T, url string) *own {
	t.Helper()
	s, err := open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func declare(t *testing.T, s adapter.Store, name string, x ...adapter.Index) {
	t.Helper()
	if err := s.Declare(t.Context(), adapter.Collection{Name: name, Indexes: x}); err != nil {
		t.Fatal(err)
	}
}

var byN = adapter.Index{Equal: []string{"s"}, Order: "n"}

func body(n int) json.RawMessage { return json.RawMessage(fmt.Sprintf(`{"s":"x","n":%d}`, n)) }

// ids returns the IDs that a query finds, over all pages.
func ids(t *testing.T, s adapter.Store, collection string, q adapter.Query) []string {
	t.Helper()
	var all []string
	for {
		page, err := s.List(t.Context(), collection, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Items {
			all = append(all, d.ID)
		}
		if page.Next == "" {
			return all
		}
		q.Cursor = page.Next
	}
}

// TestScriptsAreLoadedAgain forgets the server's scripts, as a restart or a failover does.
func TestScriptsAreLoadedAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, c := mustOpen(t, server.URL()), redistest.Client(t, server.URL())
	for n := range 2 {
		if err := c.Do(t.Context(), c.B().ScriptFlush().Build()).Error(); err != nil {
			t.Fatal(err)
		}
		declare(t, s, fmt.Sprint("c", n), byN)
		if _, err := s.Commit(t.Context(), adapter.Batch{Partition: "p", Puts: []adapter.Doc{
			{Collection: fmt.Sprint("c", n), ID: "p", Body: body(1)}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Purge(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
	}
}

// TestContextsWhileTheServerIsPaused looks whether calls return when their context ends.
func TestContextsWhileTheServerIsPaused(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := mustOpen(t, server.URL())
	declare(t, s, "c")
	server.Signal(syscall.SIGSTOP)
	defer server.Signal(syscall.SIGCONT)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for name, call := range map[string]func() error{
		"commit": func() error {
			_, err := s.Commit(ctx, adapter.Batch{Partition: "p", Puts: []adapter.Doc{{Collection: "c", ID: "p", Body: body(1)}}})
			return err
		},
		"get":   func() error { _, err := s.Get(ctx, "c", "p"); return err },
		"list":  func() error { _, err := s.List(ctx, "c", adapter.Query{}); return err },
		"read":  func() error { _, err := s.Read(ctx, "p", adapter.Range{}); return err },
		"now":   func() error { _, err := s.Now(ctx); return err },
		"purge": func() error { _, err := s.Purge(ctx, 1); return err },
		"key":   func() error { _, err := s.KV().Get(ctx, "k"); return err },
	} {
		began := time.Now()
		if err := call(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s returned %v, want the cause of its context", name, err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s returned after %v, its context lasted 50 ms", name, took)
		}
	}
}

// TestEveryIncrementOnce counts in a document while the server's connections are killed and the server is restarted. A commit
// whose outcome is unknown is looked up, as the contract wants it.
func TestEveryIncrementOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	declare(t, mustOpen(t, server.URL()), "c", byN)
	const writers, times = 4, 150
	var done atomic.Int32
	var wg sync.WaitGroup
	for w := range writers {
		s := mustOpen(t, server.URL())
		wg.Go(func() {
			defer done.Add(1)
			for n := range times {
				increment(t, s, fmt.Sprintf("%d-%d", w, n))
			}
		})
	}
	c := redistest.Client(t, server.URL())
	for round := 0; done.Load() < writers; round++ {
		if round%8 == 7 {
			server.Stop()
			server.Run()
		} else {
			_ = c.Do(t.Context(), c.B().Arbitrary("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no").Build()).Error() // it kills this one too
		}
		<-time.After(15 * time.Millisecond)
	}
	wg.Wait()
	s := mustOpen(t, server.URL())
	docs, err := s.Get(t.Context(), "c", "p")
	if err != nil || len(docs) != 1 {
		t.Fatalf("get: %v, %v", docs, err)
	}
	var got struct{ N int }
	if err := json.Unmarshal(docs[0].Body, &got); err != nil || got.N != writers*times {
		t.Errorf("the document says %s after %d increments", docs[0].Body, writers*times)
	}
	recs, err := s.Read(t.Context(), "p/log", adapter.Range{Limit: 2 * writers * times})
	if err != nil || len(recs) != writers*times {
		t.Fatalf("the log has %d records, want %d: %v", len(recs), writers*times, err)
	}
	for i, r := range recs {
		if r.Seq != uint64(i+1) {
			t.Fatalf("record %d has seq %d", i, r.Seq)
		}
	}
}

// increment adds 1 and appends a record of this name, exactly once.
func increment(t *testing.T, s adapter.Store, name string) {
	for {
		docs, err := s.Get(t.Context(), "c", "p")
		if errors.Is(err, adapter.ErrUnavailable) {
			continue
		}
		if err != nil {
			t.Errorf("get: %v", err)
			return
		}
		d, n := adapter.Doc{Collection: "c", ID: "p"}, struct{ N int }{}
		if len(docs) == 1 {
			d = docs[0]
			_ = json.Unmarshal(d.Body, &n) // the test wrote it
		}
		d.Body = body(n.N + 1)
		_, err = s.Commit(t.Context(), adapter.Batch{Partition: "p", Puts: []adapter.Doc{d}, Appends: []adapter.Append{
			{Subject: "p/log", Records: []adapter.Record{{Type: "n", Step: name}}}}})
		switch {
		case err == nil:
			return
		case errors.Is(err, adapter.ErrConflict):
			continue
		case !errors.Is(err, adapter.ErrUnavailable):
			t.Errorf("commit: %v", err)
			return
		}
		for { // was it applied?
			recs, err := s.Read(t.Context(), "p/log", adapter.Range{Backward: true, Limit: 200})
			if err != nil {
				continue
			}
			if slices.ContainsFunc(recs, func(r adapter.Record) bool { return r.Step == name }) {
				return
			}
			break
		}
	}
}

// TestIndexBuiltWhileOthersWrite declares an index on one instance while another one, which does not know of it, writes.
func TestIndexBuiltWhileOthersWrite(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := mustOpen(t, server.URL()), mustOpen(t, server.URL())
	declare(t, a, "c")
	write := func(n int) {
		id := fmt.Sprint("p", n%300)
		_, err := a.Commit(t.Context(), adapter.Batch{Partition: id, Puts: []adapter.Doc{{Collection: "c", ID: id, Version: adapter.AnyVersion,
			Body: body(n)}}})
		if err != nil {
			t.Errorf("commit: %v", err)
		}
	}
	for n := range 300 {
		write(n)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 300; !stop.Load(); n++ {
			write(n)
		}
	})
	for _, x := range []adapter.Index{byN, {Order: "n"}, {Equal: []string{"s"}}} {
		declare(t, b, "c", x)
	}
	stop.Store(true)
	wg.Wait()
	want := ids(t, b, "c", adapter.Query{})
	for _, q := range []adapter.Query{{Where: map[string]any{"s": "x"}, Order: "n"}, {Order: "n"}, {Where: map[string]any{"s": "x"}}} {
		for _, s := range []adapter.Store{a, b} {
			got := ids(t, s, "c", q)
			slices.Sort(got)
			if !slices.Equal(got, want) || len(got) != 300 {
				t.Errorf("query %+v finds %d of %d documents", q, len(got), len(want))
			}
			if n, exact, err := s.Count(t.Context(), "c", q); n != 300 || !exact || err != nil {
				t.Errorf("query %+v counts %d, %v, %v", q, n, exact, err)
			}
		}
	}
}

// TestBigBatch commits more than a script can put on Lua's stack at once, and lets it expire in portions.
func TestBigBatch(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := mustOpen(t, server.URL())
	declare(t, s, "c", byN)
	const n = 12_000
	b := adapter.Batch{Partition: "p", Appends: []adapter.Append{{Subject: "p/log", Records: make([]adapter.Record, n)}}}
	for i := range n {
		b.Puts = append(b.Puts, adapter.Doc{Collection: "c", ID: fmt.Sprintf("p/%05d", i), Body: body(i)})
		b.Appends[0].Records[i] = adapter.Record{Type: "emit", Step: fmt.Sprint(i)}
	}
	c, err := s.Commit(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Versions) != n || c.Versions[n-1] != c.Versions[0]+n-1 {
		t.Errorf("versions %d to %d of %d", c.Versions[0], c.Versions[len(c.Versions)-1], len(c.Versions))
	}
	if got, exact, err := s.Count(t.Context(), "c", adapter.Query{}); got != n || !exact || err != nil {
		t.Errorf("count: %d, %v, %v", got, exact, err)
	}
	recs, err := s.Read(t.Context(), "p/log", adapter.Range{After: n / 2, Limit: n})
	if err != nil || len(recs) != n/2 || recs[0].Step != fmt.Sprint(n/2) {
		t.Errorf("read: %d records, %v", len(recs), err)
	}
	if _, err := s.Commit(t.Context(), adapter.Batch{Partition: "p", Expire: &adapter.Expiry{Docs: time.Unix(1, 0)}}); err != nil {
		t.Fatal(err)
	}
	until(t, "the partition has expired", func() bool {
		docs, err := s.Get(t.Context(), "c", "p/00001")
		return err == nil && len(docs) == 0
	})
	removed := 0
	for {
		k, err := s.Purge(t.Context(), 700)
		if err != nil || k > 700 {
			t.Fatalf("purge: %d, %v", k, err)
		}
		if k == 0 {
			break
		}
		removed += k
	}
	if removed != n+1 {
		t.Errorf("purge removed %d documents and logs, want %d", removed, n+1)
	}
	client := redistest.Client(t, server.URL())
	keys, err := client.Do(t.Context(), client.B().Keys().Pattern("*").Build()).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	keys = slices.DeleteFunc(keys, func(k string) bool { return strings.HasSuffix(k, "}:s") || strings.HasSuffix(k, "catalog}") })
	if len(keys) != 0 {
		t.Errorf("keys are left: %v", keys)
	}
}

// TestListFindsWhatOneShardHolds lists many documents of one partition, whose shard is asked for more and more.
func TestListFindsWhatOneShardHolds(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, redistest.URL(t))
	name := fmt.Sprint("one-shard-", time.Now().UnixNano())
	declare(t, s, name, byN)
	b := adapter.Batch{Partition: name}
	var want []string
	for i := range 1000 {
		id := fmt.Sprintf("%s/%04d", name, i)
		want = append(want, id)
		b.Puts = append(b.Puts, adapter.Doc{Collection: name, ID: id, Version: adapter.AnyVersion, Body: body(i)})
	}
	if _, err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{0, 7, 600, 1000, 5000} {
		for _, q := range []adapter.Query{{Limit: limit}, {Where: map[string]any{"s": "x"}, Order: "n", Limit: limit}} {
			if got := ids(t, s, name, q); !slices.Equal(got, want) {
				t.Errorf("limit %d: got %d documents, or in another order, want %d", limit, len(got), len(want))
			}
		}
	}
}

// TestTooBigBatch: a command that the server would answer by closing the connection is not sent.
func TestTooBigBatch(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, redistest.Start(t).URL())
	b := adapter.Batch{Partition: "p", Appends: []adapter.Append{{Subject: "p", Records: make([]adapter.Record, 1<<20)}}}
	if _, err := s.Commit(t.Context(), b); !errors.Is(err, adapter.ErrTooLarge) {
		t.Errorf("commit of 2^20 records: %v, want ErrTooLarge", err)
	}
}
