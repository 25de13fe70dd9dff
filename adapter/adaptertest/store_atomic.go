package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

func storeAtomicChecks() []storeCheck {
	return []storeCheck{
		{Name: "atomic/all-or-nothing", run: atomicAllOrNothing},
		{Name: "atomic/readers-see-no-half", run: atomicReaders},
		{Name: "atomic/what-was-committed-is-seen", run: atomicSeen},
	}
}

func atomicAllOrNothing(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e, adapter.Index{Equal: []string{"k"}})
	if err != nil {
		return err
	}
	v, err := p.put(ctx, p.doc("old", adapter.Absent, `{"k":"a"}`), p.doc("gone", adapter.Absent, `{"k":"a"}`))
	if err != nil {
		return err
	}
	for _, log := range []string{"log", "dropped"} {
		if _, err := p.add(ctx, log, records("r", 2)...); err != nil {
			return err
		}
	}
	wrong := p.doc("none", 9, `{}`)
	batch := adapter.Batch{
		Puts:    []adapter.Doc{p.doc("old", v[0], `{"k":"b"}`), p.doc("new", adapter.Absent, `{"k":"b"}`)},
		Deletes: []adapter.Doc{p.doc("gone", v[1], ``)},
		Appends: []adapter.Append{{Subject: p.id("log"), Records: records("x", 3)}, {Subject: p.id("fresh"), Records: records("x", 1)}},
		Drops:   []string{p.id("dropped")},
		Expire:  &adapter.Expiry{Docs: time.Unix(1, 0)},
	}
	asCheck, asPut, asDelete := batch, batch, batch
	asCheck.Checks = []adapter.Doc{wrong}
	asPut.Puts = append([]adapter.Doc{}, append(batch.Puts, wrong)...)
	asDelete.Deletes = append([]adapter.Doc{}, append(batch.Deletes, wrong)...)
	for what, b := range map[string]adapter.Batch{"check": asCheck, "put": asPut, "delete": asDelete} {
		if _, err := p.commit(ctx, b); !errors.Is(err, adapter.ErrConflict) {
			return fmt.Errorf("a batch with a %s that cannot hold: %w, want ErrConflict", what, errOr(err, "nil"))
		}
		err := errors.Join(
			p.holds(ctx, "old", v[0], `{"k":"a"}`), p.holds(ctx, "gone", v[1], `{"k":"a"}`), p.holds(ctx, "new", 0, ``),
			p.reads(ctx, "log", adapter.Range{}, 1, 2), p.reads(ctx, "dropped", adapter.Range{}, 1, 2),
			p.reads(ctx, "fresh", adapter.Range{}),
			p.finds(ctx, "the index", adapter.Query{Where: map[string]any{"k": "a"}}, "gone", "old"),
			p.finds(ctx, "the index", adapter.Query{Where: map[string]any{"k": "b"}}),
		)
		if err != nil {
			return fmt.Errorf("a refused batch (%s) was applied in part: %w", what, err)
		}
	}
	return nil
}

// atomicReaders commits two documents and a record together, while readers look for a state in between.
func atomicReaders(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	reader, err := p.through(ctx, e)
	if err != nil {
		return err
	}
	write := func(n int) error {
		body := fmt.Sprintf(`{"n":%d}`, n)
		_, err := p.commit(ctx, adapter.Batch{
			Puts:    []adapter.Doc{p.doc("a", adapter.AnyVersion, body), p.doc("b", adapter.AnyVersion, body)},
			Appends: []adapter.Append{{Subject: p.id("log"), Records: records("r", 1)}},
		})
		return err
	}
	if err := write(1); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	var done atomic.Bool
	return e.all(3, func(i int) error {
		if i == 0 {
			defer done.Store(true)
			for n := 2; n <= 200; n++ {
				if err := write(n); err != nil {
					return fmt.Errorf("commit: %w", err)
				}
				if n%10 == 0 { // also for readers on the same processor, and in a bubble
					if err := e.sleep(ctx, time.Millisecond); err != nil {
						return err
					}
				}
			}
			return nil
		}
		for !done.Load() {
			if err := e.sleep(ctx, time.Millisecond/4); err != nil {
				return err
			}
			docs, err := reader.s.Get(ctx, p.collection, p.id("a"), p.id("b"))
			if err != nil || len(docs) != 2 {
				return fmt.Errorf("get: %d documents, %w", len(docs), errOr(err, "want 2"))
			}
			if err := sameJSON(docs[0].Body, docs[1].Body); err != nil {
				return fmt.Errorf("half of a commit was seen: %w", err)
			}
			var body struct{ N uint64 }
			if err := json.Unmarshal(docs[0].Body, &body); err != nil {
				return fmt.Errorf("decode document: %w", err)
			}
			last, err := reader.read(ctx, "log", adapter.Range{Backward: true, Limit: 1})
			if err != nil || len(last) != 1 {
				return fmt.Errorf("last record: %d, %w", len(last), errOr(err, "want one"))
			}
			if last[0].Seq < body.N {
				return fmt.Errorf("half of a commit was seen: document is at %d, its record %d is not there", body.N, last[0].Seq)
			}
		}
		return nil
	})
}

func atomicSeen(ctx context.Context, e *storeEnv) error {
	index := adapter.Index{Equal: []string{"n"}}
	p, err := settleIn(ctx, e, index)
	if err != nil {
		return err
	}
	other, err := p.through(ctx, e, index)
	if err != nil {
		return err
	}
	for n := range 20 {
		name := fmt.Sprint(n)
		v, err := p.put1(ctx, p.doc(name, adapter.Absent, fmt.Sprintf(`{"n":%d}`, n)))
		if err != nil {
			return err
		}
		if err := other.holds(ctx, name, v, fmt.Sprintf(`{"n":%d}`, n)); err != nil {
			return fmt.Errorf("after the commit, on another instance: %w", err)
		}
		q := adapter.Query{Where: map[string]any{"n": n}}
		if err := other.finds(ctx, "after the commit, on another instance", q, name); err != nil {
			return err
		}
	}
	return nil
}
