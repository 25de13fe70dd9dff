package adaptertest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nvent-go/nvent/adapter"
)

type (
	storeEnv   = env[adapter.Store]
	storeCheck = Check[adapter.Store]
)

// place is a store with a collection and a partition of its own.
type place struct {
	s          adapter.Store
	collection string
	partition  string
}

// settleIn opens an instance and declares a collection.
func settleIn(ctx context.Context, e *storeEnv, indexes ...adapter.Index) (place, error) {
	s, err := e.open(ctx)
	if err != nil {
		return place{}, err
	}
	p := place{s: s, collection: e.name(), partition: e.name()}
	return p, p.declare(ctx, indexes...)
}

func (p place) declare(ctx context.Context, indexes ...adapter.Index) error {
	if err := p.s.Declare(ctx, adapter.Collection{Name: p.collection, Indexes: indexes}); err != nil {
		return fmt.Errorf("declare: %w", err)
	}
	return nil
}

// through returns the same place seen through another instance.
func (p place) through(ctx context.Context, e *storeEnv, indexes ...adapter.Index) (place, error) {
	var err error
	if p.s, err = e.open(ctx); err != nil {
		return p, err
	}
	return p, p.declare(ctx, indexes...)
}

// id returns a document ID or a subject in the partition.
func (p place) id(name string) string { return p.partition + "/" + name }

func (p place) doc(name string, v adapter.Version, body string) adapter.Doc {
	return adapter.Doc{Collection: p.collection, ID: p.id(name), Version: v, Body: json.RawMessage(body)}
}

// commit applies a batch to the partition.
func (p place) commit(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
	b.Partition = p.partition
	c, err := p.s.Commit(ctx, b)
	if err == nil && (len(c.Versions) != len(b.Puts) || len(c.FirstSeq) != len(b.Appends)) {
		return c, fmt.Errorf("commit of %d puts and %d appends returned %d versions and %d seqs",
			len(b.Puts), len(b.Appends), len(c.Versions), len(c.FirstSeq))
	}
	return c, err
}

// put writes documents and returns their versions.
func (p place) put(ctx context.Context, docs ...adapter.Doc) ([]adapter.Version, error) {
	c, err := p.commit(ctx, adapter.Batch{Puts: docs})
	if err != nil {
		return nil, fmt.Errorf("put: %w", err)
	}
	return c.Versions, nil
}

// put1 writes one document and returns its version.
func (p place) put1(ctx context.Context, d adapter.Doc) (adapter.Version, error) {
	versions, err := p.put(ctx, d)
	if err != nil {
		return 0, err
	}
	if versions[0] <= 0 {
		return 0, fmt.Errorf("put returned version %d", versions[0])
	}
	return versions[0], nil
}

// get returns one document; ok is false if it is not there.
func (p place) get(ctx context.Context, name string) (d adapter.Doc, ok bool, err error) {
	docs, err := p.s.Get(ctx, p.collection, p.id(name))
	switch {
	case err != nil:
		return d, false, fmt.Errorf("get: %w", err)
	case len(docs) == 0:
		return d, false, nil
	case len(docs) > 1 || docs[0].ID != p.id(name) || docs[0].Collection != p.collection:
		return d, false, fmt.Errorf("get %s/%s: got %v", p.collection, p.id(name), docs)
	}
	return docs[0], true, nil
}

// holds fails unless a document is there as told. An empty body: it must not be there.
func (p place) holds(ctx context.Context, name string, v adapter.Version, body string) error {
	d, ok, err := p.get(ctx, name)
	switch {
	case err != nil:
		return err
	case !ok && body == "":
		return nil
	case ok != (body != ""):
		return fmt.Errorf("document %s: found %v (%s)", name, ok, clip(d.Body))
	case d.Version != v:
		return fmt.Errorf("document %s is at version %d, want %d", name, d.Version, v)
	}
	if err := sameJSON(d.Body, json.RawMessage(body)); err != nil {
		return fmt.Errorf("document %s: %w", name, err)
	}
	return nil
}

// records returns n records that tell themselves apart by Step.
func records(prefix string, n int) []adapter.Record {
	all := make([]adapter.Record, n)
	for i := range all {
		all[i] = adapter.Record{Type: "emit", Step: fmt.Sprint(prefix, i)}
	}
	return all
}

// add appends records to the log of a name in the partition, and returns the first seq.
func (p place) add(ctx context.Context, name string, r ...adapter.Record) (uint64, error) {
	c, err := p.commit(ctx, adapter.Batch{Appends: []adapter.Append{{Subject: p.id(name), Records: r}}})
	if err != nil {
		return 0, fmt.Errorf("append: %w", err)
	}
	return c.FirstSeq[0], nil
}

// read returns records of a log.
func (p place) read(ctx context.Context, name string, r adapter.Range) ([]adapter.Record, error) {
	recs, err := p.s.Read(ctx, p.id(name), r)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return recs, nil
}

// reads fails unless a range has records of these seqs, in this order.
func (p place) reads(ctx context.Context, name string, r adapter.Range, want ...uint64) error {
	recs, err := p.read(ctx, name, r)
	if err != nil {
		return err
	}
	if got := seqs(recs); !slices.Equal(got, want) {
		return fmt.Errorf("read %+v: got seqs %v, want %v", r, got, want)
	}
	return nil
}

func seqs(recs []adapter.Record) []uint64 {
	var all []uint64
	for _, r := range recs {
		all = append(all, r.Seq)
	}
	return all
}

// found returns the names of the documents that a query finds, over all pages.
func (p place) found(ctx context.Context, q adapter.Query) ([]string, error) {
	var names []string
	for range 1000 {
		page, err := p.s.List(ctx, p.collection, q)
		if err != nil {
			return nil, fmt.Errorf("list: %w", err)
		}
		if q.Limit > 0 && len(page.Items) > q.Limit {
			return nil, fmt.Errorf("list with limit %d returned %d documents", q.Limit, len(page.Items))
		}
		for _, d := range page.Items {
			if d.Version <= 0 || d.Collection != p.collection || len(d.Body) == 0 {
				return nil, fmt.Errorf("list returned an incomplete document: %+v", d)
			}
			names = append(names, d.ID[len(adapter.Partition(d.ID))+1:])
		}
		if page.Next == "" {
			return names, nil
		}
		q.Cursor = page.Next
	}
	return nil, fmt.Errorf("list does not end: %d documents after 1000 pages", len(names))
}

// finds fails unless a query finds exactly these, in this order, and counts them.
func (p place) finds(ctx context.Context, what string, q adapter.Query, want ...string) error {
	names, err := p.found(ctx, q)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := sameIDs(what, names, want); err != nil {
		return err
	}
	n, exact, err := p.s.Count(ctx, p.collection, q)
	if err != nil {
		return fmt.Errorf("%s: count: %w", what, err)
	}
	if exact && n != int64(len(want)) || n < 0 {
		return fmt.Errorf("%s: count is %d (exact: %v), want %d", what, n, exact, len(want))
	}
	return nil
}
