package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/nvent-go/nvent/adapter"
)

func storeRaceChecks() []storeCheck {
	return []storeCheck{
		{Name: "race/each-increment-once", run: raceIncrement},
		{Name: "race/one-creates", run: raceCreate},
		{Name: "race/no-write-skew", run: raceSkew},
		{Name: "race/seqs-without-gaps", run: raceSeqs},
	}
}

// raceIncrement counts up one document from many goroutines, each starting over from the conflict's document.
func raceIncrement(ctx context.Context, e *storeEnv) error {
	a, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	b, err := a.through(ctx, e)
	if err != nil {
		return err
	}
	const writers, times = 6, 15
	if _, err := a.put1(ctx, a.doc("n", adapter.Absent, `{"n":0}`)); err != nil {
		return err
	}
	err = e.all(writers, func(i int) error {
		p := []place{a, b}[i%2]
		for range times {
			d, _, err := p.get(ctx, "n")
			if err != nil {
				return err
			}
			for {
				var body struct{ N int }
				if err := json.Unmarshal(d.Body, &body); err != nil {
					return fmt.Errorf("decode document: %w", err)
				}
				_, err := p.put(ctx, p.doc("n", d.Version, fmt.Sprintf(`{"n":%d}`, body.N+1)))
				if err == nil {
					break
				}
				var conflict *adapter.Conflict
				if !errors.As(err, &conflict) || len(conflict.Current) != 1 {
					return fmt.Errorf("want a conflict with the current document: %w", err)
				}
				d = conflict.Current[0]
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	d, _, err := a.get(ctx, "n")
	if err != nil {
		return err
	}
	return sameJSON(d.Body, json.RawMessage(fmt.Sprintf(`{"n":%d}`, writers*times)))
}

func raceCreate(ctx context.Context, e *storeEnv) error {
	a, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	b, err := a.through(ctx, e)
	if err != nil {
		return err
	}
	for round := range 10 {
		var created atomic.Int64
		err := e.all(6, func(i int) error {
			p := []place{a, b}[i%2]
			_, err := p.put(ctx, p.doc(fmt.Sprint(round), adapter.Absent, `{}`))
			if err == nil {
				created.Add(1)
			} else if !errors.Is(err, adapter.ErrConflict) {
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
		if n := created.Load(); n != 1 {
			return fmt.Errorf("%d of 6 commits created one document", n)
		}
	}
	return nil
}

// raceSkew lets two commits each check what the other writes: not both can succeed.
func raceSkew(ctx context.Context, e *storeEnv) error {
	a, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	b, err := a.through(ctx, e)
	if err != nil {
		return err
	}
	for round := range 25 {
		x, y := fmt.Sprint("x", round), fmt.Sprint("y", round)
		v, err := a.put(ctx, a.doc(x, adapter.Absent, `{}`), a.doc(y, adapter.Absent, `{}`))
		if err != nil {
			return err
		}
		var won atomic.Int64
		err = e.all(2, func(i int) error {
			p, batch := a, adapter.Batch{Checks: []adapter.Doc{a.doc(x, v[0], ``)}, Puts: []adapter.Doc{a.doc(y, v[1], `{}`)}}
			if i == 1 {
				p, batch = b, adapter.Batch{Checks: []adapter.Doc{a.doc(y, v[1], ``)}, Puts: []adapter.Doc{a.doc(x, v[0], `{}`)}}
			}
			_, err := p.commit(ctx, batch)
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, adapter.ErrConflict) {
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
		if n := won.Load(); n != 1 {
			return fmt.Errorf("%d of 2 commits succeeded that check what the other writes", n)
		}
	}
	return nil
}

// raceSeqs appends from many goroutines, between commits that fail, and looks for gaps.
func raceSeqs(ctx context.Context, e *storeEnv) error {
	a, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	b, err := a.through(ctx, e)
	if err != nil {
		return err
	}
	const writers, times, each = 6, 10, 3
	var first tally[uint64]
	err = e.all(writers, func(i int) error {
		p := []place{a, b}[i%2]
		for n := range times {
			seq, err := p.add(ctx, "log", records(fmt.Sprintf("%d-%d-", i, n), each)...)
			if err != nil {
				return err
			}
			first.add(seq)
			_, err = p.commit(ctx, adapter.Batch{
				Checks:  []adapter.Doc{p.doc("none", 5, ``)},
				Appends: []adapter.Append{{Subject: p.id("log"), Records: records("never", 2)}},
			})
			if !errors.Is(err, adapter.ErrConflict) {
				return fmt.Errorf("commit with a wrong check: %w, want ErrConflict", errOr(err, "nil"))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	recs, err := a.read(ctx, "log", adapter.Range{})
	if err != nil {
		return err
	}
	if len(recs) != writers*times*each {
		return fmt.Errorf("%d records were appended, %d are there", writers*times*each, len(recs))
	}
	for i, r := range recs {
		if r.Seq != uint64(i+1) {
			return fmt.Errorf("seq %d follows %d", r.Seq, i)
		}
	}
	starts := first.list()
	slices.Sort(starts)
	for i, seq := range starts {
		if seq != uint64(i*each+1) {
			return fmt.Errorf("commit %d of %d records says that they begin at seq %d", i, each, seq)
		}
		for n := range uint64(each) { // what was committed together stays together
			step := recs[seq-1].Step
			if want := step[:len(step)-1] + fmt.Sprint(n); recs[seq-1+n].Step != want {
				return fmt.Errorf("record %d is %q, want %q", seq+n, recs[seq-1+n].Step, want)
			}
		}
	}
	return nil
}
