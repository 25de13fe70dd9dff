package store_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
)

// TestFailover kills the primary while commits run. The replica may lack the last of them, which are counted; what it has is whole:
// of a commit both the document and the record, or neither.
func TestFailover(t *testing.T) {
	t.Parallel()
	group := redistest.StartSentinel(t)
	s := mustOpen(t, group.URL())
	declare(t, s, "c", byN)
	confirmed := 0
	commit := func() error {
		docs, err := s.Get(t.Context(), "c", "p")
		if err != nil {
			return err
		}
		d, n := adapter.Doc{Collection: "c", ID: "p"}, 0
		if len(docs) == 1 {
			d = docs[0]
			if _, err := fmt.Sscanf(string(d.Body), `{"s":"x","n":%d}`, &n); err != nil {
				t.Fatal(err)
			}
		}
		d.Body = body(n + 1)
		_, err = s.Commit(t.Context(), adapter.Batch{Partition: "p", Puts: []adapter.Doc{d}, Appends: []adapter.Append{
			{Subject: "p", Records: []adapter.Record{{Type: "n"}}}}})
		return err
	}
	for range 300 {
		if err := commit(); err != nil {
			t.Fatal(err)
		}
		confirmed++
	}
	group.Primary.Stop()
	until(t, "commits go through again", func() bool {
		err := commit()
		if err != nil && !errors.Is(err, adapter.ErrUnavailable) && !errors.Is(err, adapter.ErrConflict) {
			t.Fatalf("commit during the failover: %v", err)
		}
		return err == nil && group.Promoted()
	})
	docs, err := s.Get(t.Context(), "c", "p")
	if err != nil || len(docs) != 1 {
		t.Fatalf("get: %v, %v", docs, err)
	}
	recs, err := s.Read(t.Context(), "p", adapter.Range{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if want := string(body(len(recs))); string(docs[0].Body) != want {
		t.Errorf("the document says %s, the log has %d records", docs[0].Body, len(recs))
	}
	t.Logf("%d of %d confirmed commits were lost", max(0, confirmed-len(recs)+1), confirmed)
}
