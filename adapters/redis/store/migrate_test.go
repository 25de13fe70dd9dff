package store_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
)

// TestCommitsWhileASlotMoves moves the slot of a partition key by key, and commits in between. A commit is applied as a whole,
// or not at all and says that it may be repeated.
func TestCommitsWhileASlotMoves(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3)
	s := mustOpen(t, c.URL())
	declare(t, s, "c", byN, adapter.Index{Equal: []string{"s"}})
	for _, first := range []string{"s", "p:", "l:", "z:"} {
		m := moving{t: t, s: s, partition: "moving-" + strings.TrimSuffix(first, ":")}
		shard := fmt.Sprintf("{nv:%d}", adapter.Shard(m.partition))
		slot, err := strconv.Atoi(c.Nodes[0].Command(t, "CLUSTER", "KEYSLOT", shard))
		if err != nil {
			t.Fatal(err)
		}
		from, to := c.Owner(slot)
		moves := mover{t: t, from: from, to: to, slot: strconv.Itoa(slot)}
		for range 3 {
			m.commit()
		}
		moves.begin()
		keys := moves.keys()
		slices.SortFunc(keys, func(a, b string) int {
			early := func(key string) int {
				if strings.HasPrefix(key, "test:"+shard+":"+first) {
					return 0
				}
				return 1
			}
			return cmp.Or(early(a)-early(b), strings.Compare(a, b))
		})
		for _, key := range keys {
			m.commit()
			moves.key(key)
			m.commit()
		}
		moves.end(c)
		if m.refused == 0 {
			t.Error("no commit met the slot on the move: the test shows nothing")
		}
		before := m.applied
		until(t, "commits go through on the new node", func() bool {
			m.commit()
			return m.applied > before
		})
	}
}

// moving is a partition whose slot moves.
type moving struct {
	t                *testing.T
	s                adapter.Store
	partition        string
	applied, refused int
}

// commit writes three documents and a record, and looks whether all of it was done or nothing.
func (m *moving) commit() {
	m.t.Helper()
	b := adapter.Batch{Partition: m.partition, Appends: []adapter.Append{{Subject: m.partition, Records: []adapter.Record{{Type: "n"}}}}}
	for _, name := range []string{"", "/a", "/b"} {
		b.Puts = append(b.Puts, adapter.Doc{Collection: "c", ID: m.partition + name, Version: adapter.AnyVersion,
			Body: json.RawMessage(fmt.Sprintf(`{"s":"%s%d","n":%d}`, m.partition, m.applied%3, m.applied+1))})
	}
	if m.applied > 0 { // a slot on the move must not make it look absent
		b.Deletes = []adapter.Doc{{Collection: "c", ID: m.partition + "/none", Version: adapter.AnyVersion}}
		docs, err := m.s.Get(m.t.Context(), "c", m.partition)
		if err != nil || len(docs) != 1 {
			m.t.Fatalf("get while the slot moves: %d documents, %v", len(docs), err)
		}
		b.Puts[0].Version = docs[0].Version
	}
	switch _, err := m.s.Commit(m.t.Context(), b); {
	case err == nil:
		m.applied++
	case errors.Is(err, adapter.ErrUnavailable):
		m.refused++
	default:
		m.t.Fatalf("commit while the slot moves: %v", err)
	}
	m.check()
}

func (m *moving) check() {
	m.t.Helper()
	until(m.t, "the log can be read", func() bool {
		recs, err := m.s.Read(m.t.Context(), m.partition, adapter.Range{Limit: 1000})
		if err == nil && len(recs) != m.applied {
			m.t.Fatalf("the log has %d records after %d commits", len(recs), m.applied)
		}
		return err == nil
	})
	for _, name := range []string{"", "/a", "/b"} {
		docs, err := m.s.Get(m.t.Context(), "c", m.partition+name)
		if err != nil || len(docs) != 1 || !strings.Contains(string(docs[0].Body), fmt.Sprintf(`"n":%d}`, m.applied)) {
			m.t.Fatalf("document %q after %d commits: %v, %v", name, m.applied, docs, err)
		}
	}
	for i := range 3 {
		q := adapter.Query{Where: map[string]any{"s": fmt.Sprint(m.partition, i)}}
		want := int64(0)
		if i == (m.applied-1)%3 {
			want = 3
		}
		if n, _, err := m.s.Count(m.t.Context(), "c", q); err != nil || n != want {
			m.t.Fatalf("after %d commits %d documents are in list %d, want %d: %v", m.applied, n, i, want, err)
		}
	}
}

// mover moves a slot from one node to another.
type mover struct {
	t        *testing.T
	from, to *redistest.Server
	slot     string
}

func (m *mover) begin() {
	m.to.Command(m.t, "CLUSTER", "SETSLOT", m.slot, "IMPORTING", m.from.Command(m.t, "CLUSTER", "MYID"))
	m.from.Command(m.t, "CLUSTER", "SETSLOT", m.slot, "MIGRATING", m.to.Command(m.t, "CLUSTER", "MYID"))
}

// keys returns the keys that are there now.
func (m *mover) keys() []string {
	return strings.Fields(strings.Trim(m.from.Command(m.t, "CLUSTER", "GETKEYSINSLOT", m.slot, "1000"), "[]"))
}

func (m *mover) key(key string) {
	m.from.Command(m.t, "MIGRATE", "127.0.0.1", strconv.Itoa(m.to.Port), key, "0", "5000")
}

// end moves what has come meanwhile, and gives the slot to its new owner.
func (m *mover) end(c *redistest.Cluster) {
	for _, key := range m.keys() {
		m.key(key)
	}
	id := m.to.Command(m.t, "CLUSTER", "MYID")
	for _, node := range append([]*redistest.Server{m.to, m.from}, c.Nodes...) {
		node.Command(m.t, "CLUSTER", "SETSLOT", m.slot, "NODE", id)
	}
}
