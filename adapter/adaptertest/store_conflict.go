package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
)

func storeConflictChecks() []storeCheck {
	return []storeCheck{
		{Name: "conflict/refused", run: conflictRefused},
		{Name: "conflict/carries-the-current-documents", run: conflictCurrent},
	}
}

func conflictRefused(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	v, err := p.put1(ctx, p.doc("d", adapter.Absent, `{"n":1}`))
	if err != nil {
		return err
	}
	for _, d := range []adapter.Doc{
		p.doc("d", adapter.Absent, `{"n":2}`), p.doc("d", v+1, `{"n":2}`), p.doc("none", 1, `{"n":2}`), p.doc("none", v, `{"n":2}`),
	} {
		if _, err := p.put(ctx, d); !errors.Is(err, adapter.ErrConflict) {
			return fmt.Errorf("put %s at version %d, it is at %d: %w, want ErrConflict", d.ID, d.Version, v, errOr(err, "nil"))
		}
	}
	old := v
	if v, err = p.put1(ctx, p.doc("d", v, `{"n":3}`)); err != nil {
		return err
	}
	if _, err := p.put(ctx, p.doc("d", old, `{"n":4}`)); !errors.Is(err, adapter.ErrConflict) {
		return fmt.Errorf("put at a version of before: %w, want ErrConflict", errOr(err, "nil"))
	}
	return errors.Join(p.holds(ctx, "d", v, `{"n":3}`), p.holds(ctx, "none", 0, ``))
}

func conflictCurrent(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	v, err := p.put(ctx, p.doc("right", adapter.Absent, `{}`), p.doc("put", adapter.Absent, `{"n":1.50}`),
		p.doc("check", adapter.Absent, `{"n":2}`), p.doc("delete", adapter.Absent, `{"n":3}`))
	if err != nil {
		return err
	}
	_, err = p.commit(ctx, adapter.Batch{
		Puts:    []adapter.Doc{p.doc("right", v[0], `{}`), p.doc("put", v[1]+1000, `{}`), p.doc("none", 7, `{}`)},
		Checks:  []adapter.Doc{p.doc("check", adapter.Absent, ``)},
		Deletes: []adapter.Doc{p.doc("delete", v[3]+1000, ``)},
	})
	var conflict *adapter.Conflict
	if !errors.As(err, &conflict) {
		return fmt.Errorf("the error of a failed expectation is no *Conflict: %w", errOr(err, "nil"))
	}
	want := map[string]adapter.Doc{
		p.id("put"):    p.doc("put", v[1], `{"n":1.50}`),
		p.id("check"):  p.doc("check", v[2], `{"n":2}`),
		p.id("delete"): p.doc("delete", v[3], `{"n":3}`),
		p.id("none"):   p.doc("none", adapter.Absent, ``),
	}
	var got, names []string
	for _, d := range conflict.Current {
		got = append(got, d.ID)
		w, ok := want[d.ID]
		if !ok {
			continue // reported below
		}
		if d.Collection != w.Collection || d.Version != w.Version {
			return fmt.Errorf("conflict: %s/%s at version %d, want %s at version %d", d.Collection, d.ID, d.Version, w.Collection, w.Version)
		}
		if w.Version == adapter.Absent {
			continue
		}
		if err := sameJSON(d.Body, w.Body); err != nil {
			return fmt.Errorf("conflict: body of %s: %w", d.ID, err)
		}
	}
	for id := range want {
		names = append(names, id)
	}
	return sameSet("documents in the conflict", got, names)
}

func storePartitionChecks() []storeCheck {
	return []storeCheck{{Name: "partition/not-crossed", run: partitionKept}}
}

func partitionKept(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	inside := p.doc("in", adapter.Absent, `{}`)
	// Longer names that begin alike are other partitions.
	for _, out := range []string{e.name(), p.partition + "x", p.partition + "x/y", "/" + p.partition} {
		d := adapter.Doc{Collection: p.collection, ID: out, Body: json.RawMessage(`{}`)}
		anyDoc := adapter.Doc{Collection: p.collection, ID: out, Version: adapter.AnyVersion}
		for what, b := range map[string]adapter.Batch{
			"put":    {Puts: []adapter.Doc{inside, d}},
			"check":  {Puts: []adapter.Doc{inside}, Checks: []adapter.Doc{d}},
			"delete": {Puts: []adapter.Doc{inside}, Deletes: []adapter.Doc{anyDoc}},
			"append": {Puts: []adapter.Doc{inside}, Appends: []adapter.Append{{Subject: out, Records: records("r", 1)}}},
			"drop":   {Puts: []adapter.Doc{inside}, Drops: []string{out}},
		} {
			if _, err := p.commit(ctx, b); !errors.Is(err, adapter.ErrCrossPartition) {
				return fmt.Errorf("%s of %s in a batch of partition %s: %w, want ErrCrossPartition", what, out, p.partition, errOr(err, "nil"))
			}
			if err := p.holds(ctx, "in", 0, ``); err != nil {
				return fmt.Errorf("a refused batch (%s) was applied in part: %w", what, err)
			}
		}
		if docs, err := p.s.Get(ctx, p.collection, out); err != nil || len(docs) != 0 {
			return fmt.Errorf("a document outside the partition was written: %d, %w", len(docs), errOr(err, "want none"))
		}
	}
	return nil
}
