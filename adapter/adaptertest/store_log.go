package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

func storeLogChecks() []storeCheck {
	return []storeCheck{
		{Name: "log/seqs-count-from-one", run: logSeqs},
		{Name: "log/keeps-every-field", run: logKeepsFields},
		{Name: "log/keeps-json-values", run: logKeepsValues},
		{Name: "log/absent-is-empty", run: logAbsent},
	}
}

func logSeqs(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	for _, want := range []uint64{1, 4, 7} {
		recs := records("r", 3)
		recs[0].Seq, recs[0].At = 99, time.Unix(1, 0) // ignored
		first, err := p.add(ctx, "log", recs...)
		if err != nil {
			return err
		}
		if first != want {
			return fmt.Errorf("first seq of an append is %d, want %d", first, want)
		}
	}
	c, err := p.commit(ctx, adapter.Batch{Appends: []adapter.Append{
		{Subject: p.id("other"), Records: records("r", 2)}, {Subject: p.id("log"), Records: records("r", 2)},
		{Subject: p.partition, Records: records("r", 1)},
	}})
	if err != nil {
		return fmt.Errorf("append to three logs: %w", err)
	}
	if c.FirstSeq[0] != 1 || c.FirstSeq[1] != 10 || c.FirstSeq[2] != 1 {
		return fmt.Errorf("append to three logs: first seqs %v, want [1 10 1]", c.FirstSeq)
	}
	return errors.Join(
		p.reads(ctx, "log", adapter.Range{}, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), p.reads(ctx, "other", adapter.Range{}, 1, 2))
}

func logKeepsFields(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	want := []adapter.Record{
		{Type: "flow.started"},
		{
			Causes: []uint64{1}, Epoch: 2, Scope: "/g7:3", Iteration: 4, Attempt: 5, Type: "emit", Flow: "order", Step: "charge",
			Key: "key/é", Data: json.RawMessage(`{"amount":12.50}`),
		},
		{Causes: []uint64{1, 2, 9007199254740993}, Type: "step.completed", Scope: "/", Data: json.RawMessage(`"text"`)},
	}
	c, err := p.commit(ctx, adapter.Batch{Appends: []adapter.Append{{Subject: p.id("log"), Records: want}}})
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	if c.Now.IsZero() {
		return errors.New("commit returned no time")
	}
	seen, err := p.through(ctx, e)
	if err != nil {
		return err
	}
	got, err := seen.read(ctx, "log", adapter.Range{})
	if err != nil || len(got) != len(want) {
		return fmt.Errorf("read: %d records, %w", len(got), errOr(err, "want 3"))
	}
	for i := range got {
		g, w := got[i], want[i]
		if g.At.Sub(c.Now).Abs() > time.Millisecond {
			return fmt.Errorf("record %d is of %v, its commit of %v", i+1, g.At, c.Now)
		}
		if err := sameJSON(g.Data, w.Data); err != nil {
			return fmt.Errorf("record %d: data: %w", i+1, err)
		}
		if len(g.Causes) == 0 {
			g.Causes = nil
		}
		g.At, g.Data, w.Data, w.Seq, w.At = time.Time{}, nil, nil, uint64(i+1), time.Time{}
		if !reflect.DeepEqual(g, w) {
			return fmt.Errorf("record %d: got %+v, want %+v", i+1, g, w)
		}
	}
	return nil
}

func logKeepsValues(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	var recs []adapter.Record
	for _, f := range fidelity {
		recs = append(recs, adapter.Record{Type: "emit", Data: json.RawMessage(f.json)})
	}
	if _, err := p.add(ctx, "log", recs...); err != nil {
		return err
	}
	got, err := p.read(ctx, "log", adapter.Range{})
	if err != nil || len(got) != len(recs) {
		return fmt.Errorf("read: %d records, %w", len(got), errOr(err, "want all"))
	}
	for i, f := range fidelity {
		if err := sameJSON(got[i].Data, json.RawMessage(f.json)); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

func logAbsent(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	return errors.Join(p.reads(ctx, "none", adapter.Range{}), p.reads(ctx, "none", adapter.Range{After: 5}),
		p.reads(ctx, "none", adapter.Range{Backward: true}), p.reads(ctx, "none", adapter.Range{Types: []string{"emit"}}))
}

func storeReadChecks() []storeCheck {
	return []storeCheck{
		{Name: "read/ranges", run: readRanges},
		{Name: "read/default-limit-is-1000", run: readDefault},
	}
}

func readRanges(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	recs := records("r", 10)
	for i := range recs {
		recs[i].Type = []string{"emit", "state", "log"}[i%3] // emit 1 4 7 10, state 2 5 8, log 3 6 9
	}
	if _, err := p.add(ctx, "log", recs...); err != nil {
		return err
	}
	for _, c := range []struct {
		r    adapter.Range
		want []uint64
	}{
		{adapter.Range{}, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{adapter.Range{After: 7}, []uint64{8, 9, 10}},
		{adapter.Range{After: 10}, nil},
		{adapter.Range{After: 99}, nil},
		{adapter.Range{Limit: 3}, []uint64{1, 2, 3}},
		{adapter.Range{After: 4, Limit: 2}, []uint64{5, 6}},
		{adapter.Range{Types: []string{"state"}}, []uint64{2, 5, 8}},
		{adapter.Range{Types: []string{"emit", "log"}, After: 3, Limit: 3}, []uint64{4, 6, 7}},
		{adapter.Range{Types: []string{"none"}}, nil},
		{adapter.Range{Backward: true}, []uint64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
		{adapter.Range{Backward: true, Limit: 2}, []uint64{10, 9}},
		{adapter.Range{Backward: true, After: 4}, []uint64{3, 2, 1}},
		{adapter.Range{Backward: true, After: 9, Types: []string{"state"}, Limit: 2}, []uint64{8, 5}},
		{adapter.Range{Seqs: []uint64{2, 3, 9}}, []uint64{2, 3, 9}},
		{adapter.Range{Seqs: []uint64{2, 3, 9}, After: 5, Types: []string{"emit"}, Limit: 1}, []uint64{2, 3, 9}},
	} {
		if err := p.reads(ctx, "log", c.r, c.want...); err != nil {
			return err
		}
	}
	return nil
}

func readDefault(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	for range 3 {
		if _, err := p.add(ctx, "log", records("r", 350)...); err != nil {
			return err
		}
	}
	for limit, want := range map[int]int{0: 1000, 1040: 1040, 2000: 1050} {
		recs, err := p.read(ctx, "log", adapter.Range{Limit: limit})
		if err != nil {
			return err
		}
		if len(recs) != want {
			return fmt.Errorf("read of 1050 records with limit %d returned %d, want %d", limit, len(recs), want)
		}
	}
	return nil
}

func storeDropChecks() []storeCheck {
	return []storeCheck{{Name: "drop/seqs-are-not-used-again", run: dropSeqs}}
}

func dropSeqs(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	for _, log := range []string{"log", "other"} {
		if _, err := p.add(ctx, log, records("old", 5)...); err != nil {
			return err
		}
	}
	if _, err := p.commit(ctx, adapter.Batch{Drops: []string{p.id("log"), p.id("none")}}); err != nil {
		return fmt.Errorf("drop: %w", err)
	}
	// Whether a reader from the start is told that it missed something is not settled; that it sees nothing old is.
	if recs, err := p.s.Read(ctx, p.id("log"), adapter.Range{}); len(recs) != 0 || err != nil && !errors.Is(err, adapter.ErrTrimmed) {
		return fmt.Errorf("a dropped log has %d records, %w", len(recs), errOr(err, "want none"))
	}
	if err := purge(ctx, p.s); err != nil {
		return err
	}
	first, err := p.add(ctx, "log", records("new", 2)...)
	if err != nil {
		return err
	}
	if first <= 5 {
		return fmt.Errorf("a log was dropped after seq 5, its next record has seq %d", first)
	}
	return errors.Join(p.reads(ctx, "log", adapter.Range{After: first - 1}, first, first+1),
		p.reads(ctx, "other", adapter.Range{}, 1, 2, 3, 4, 5))
}
