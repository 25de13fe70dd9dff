package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

func storeInfoChecks() []storeCheck {
	return []storeCheck{
		{Name: "info/is-honest", run: infoIsHonest[adapter.Store]},
		{Name: "clock/never-goes-back", run: clockForward},
		{Name: "commit/survives-a-restart", run: commitSurvives, alone: true},
	}
}

func storeCommitChecks() []storeCheck {
	return []storeCheck{
		{Name: "commit/put-and-get", run: commitPutGet},
		{Name: "commit/keeps-json-values", run: commitKeepsValues},
		{Name: "commit/takes-the-biggest-body", run: commitBig},
		{Name: "commit/versions-grow", run: commitVersions},
		{Name: "commit/version-is-never-reused", run: commitNoReuse},
		{Name: "commit/deletes", run: commitDeletes},
		{Name: "commit/checks-write-nothing", run: commitChecks},
	}
}

// clockForward checks that the clock does not go back, over calls, instances and commits.
func clockForward(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	other, err := e.open(ctx)
	if err != nil {
		return err
	}
	var last time.Time
	for i := range 30 {
		now, err := []adapter.Store{p.s, other}[i%2].Now(ctx)
		if err != nil {
			return fmt.Errorf("now: %w", err)
		}
		if i%5 == 4 {
			c, err := p.commit(ctx, adapter.Batch{Puts: []adapter.Doc{p.doc("d", adapter.AnyVersion, `{}`)}})
			if err != nil {
				return err
			}
			if c.Now.Before(now.Add(-time.Millisecond)) {
				return fmt.Errorf("commit's time %v is before now %v", c.Now, now)
			}
		}
		if now.IsZero() || now.Before(last) {
			return fmt.Errorf("the store's clock went from %v to %v", last, now)
		}
		last = now
	}
	return nil
}

func commitSurvives(ctx context.Context, e *storeEnv) error {
	if e.backend.Restart == nil {
		return nil // this backend cannot be restarted
	}
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	if p.s.Info().Durability != adapter.DurableSync {
		return nil // nothing is promised
	}
	v, err := p.put1(ctx, p.doc("d", adapter.Absent, `{"a":1}`))
	if err != nil {
		return err
	}
	if _, err := p.add(ctx, "log", records("r", 3)...); err != nil {
		return err
	}
	if err := e.backend.Restart(ctx); err != nil {
		return fmt.Errorf("restart the backend: %w", err)
	}
	if p, err = p.through(ctx, e); err != nil {
		return err
	}
	if err := p.holds(ctx, "d", v, `{"a":1}`); err != nil {
		return err
	}
	return p.reads(ctx, "log", adapter.Range{}, 1, 2, 3)
}

func commitPutGet(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	if docs, err := p.s.Get(ctx, p.collection); err != nil || len(docs) != 0 {
		return fmt.Errorf("get of no IDs: %v, %w", docs, errOr(err, "want none"))
	}
	second := p
	second.collection = e.name()
	if err := second.declare(ctx); err != nil {
		return err
	}
	whole := adapter.Doc{Collection: p.collection, ID: p.partition, Body: []byte(`{"whole":true}`)}
	v, err := p.put(ctx, p.doc("a", adapter.Absent, `{"n":1}`), p.doc("a/b/c", adapter.Absent, `{"n":2}`),
		second.doc("a", adapter.Absent, `{"n":3}`), whole)
	if err != nil {
		return err
	}
	seen, err := p.through(ctx, e)
	if err != nil {
		return err
	}
	if err := errors.Join(seen.holds(ctx, "a", v[0], `{"n":1}`), seen.holds(ctx, "a/b/c", v[1], `{"n":2}`),
		seen.holds(ctx, "b", 0, ``), second.holds(ctx, "a", v[2], `{"n":3}`)); err != nil {
		return err
	}
	docs, err := seen.s.Get(ctx, p.collection, p.partition, p.id("a"), p.id("none"))
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	var ids []string
	for _, d := range docs {
		ids = append(ids, d.ID)
	}
	return sameSet("documents", ids, []string{p.partition, p.id("a")})
}

func commitKeepsValues(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	for i, f := range fidelity {
		name, body := fmt.Sprint(i), fmt.Sprintf(`{"v":%s}`, f.json)
		v, err := p.put1(ctx, p.doc(name, adapter.Absent, body))
		if err != nil {
			return err
		}
		if err := p.holds(ctx, name, v, body); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

func commitBig(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	body := string(bulk(e.h.MaxPayload))
	v, err := p.put1(ctx, p.doc("big", adapter.Absent, body))
	if err != nil {
		return err
	}
	if err := p.holds(ctx, "big", v, body); err != nil {
		return err
	}
	if _, err := p.add(ctx, "log", adapter.Record{Type: "emit", Data: bulk(e.h.MaxPayload)}); err != nil {
		return err
	}
	recs, err := p.read(ctx, "log", adapter.Range{})
	if err != nil || len(recs) != 1 {
		return fmt.Errorf("a big record: %d, %w", len(recs), errOr(err, "want one"))
	}
	return sameJSON(recs[0].Data, bulk(e.h.MaxPayload))
}

func commitVersions(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	last, err := p.put1(ctx, p.doc("d", adapter.Absent, `{"n":0}`))
	if err != nil {
		return err
	}
	for n := 1; n <= 4; n++ {
		expect, body := last, fmt.Sprintf(`{"n":%d}`, n)
		if n%2 == 0 {
			expect = adapter.AnyVersion
		}
		v, err := p.put1(ctx, p.doc("d", expect, body))
		if err != nil {
			return err
		}
		if v <= last {
			return fmt.Errorf("a write took the version from %d to %d", last, v)
		}
		if err := p.holds(ctx, "d", v, body); err != nil {
			return err
		}
		last = v
	}
	_, err = p.put1(ctx, p.doc("new", adapter.AnyVersion, `{}`))
	return err
}

func commitNoReuse(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	var last adapter.Version
	for round := range 4 {
		v, err := p.put1(ctx, p.doc("d", adapter.Absent, `{}`))
		if err != nil {
			return err
		}
		if v <= last {
			return fmt.Errorf("the document was removed at version %d and is back at version %d", last, v)
		}
		if v, err = p.put1(ctx, p.doc("d", v, `{"n":1}`)); err != nil {
			return err
		}
		last = v
		if round%2 == 0 {
			_, err = p.commit(ctx, adapter.Batch{Deletes: []adapter.Doc{p.doc("d", v, ``)}})
		} else {
			last, err = expireDoc(ctx, e, p, "d")
		}
		if err != nil {
			return err
		}
		if err := purge(ctx, p.s); err != nil {
			return err
		}
	}
	return nil
}

func commitDeletes(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	v, err := p.put(ctx, p.doc("a", adapter.Absent, `{}`), p.doc("b", adapter.Absent, `{}`), p.doc("c", adapter.Absent, `{}`))
	if err != nil {
		return err
	}
	_, err = p.commit(ctx, adapter.Batch{Deletes: []adapter.Doc{p.doc("a", v[0]+1000, ``)}})
	if !errors.Is(err, adapter.ErrConflict) {
		return fmt.Errorf("delete at a wrong version: %w, want ErrConflict", errOr(err, "nil"))
	}
	_, err = p.commit(ctx, adapter.Batch{Deletes: []adapter.Doc{
		p.doc("a", v[0], ``), p.doc("b", adapter.AnyVersion, ``), p.doc("none", adapter.AnyVersion, ``),
	}})
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return errors.Join(p.holds(ctx, "a", 0, ``), p.holds(ctx, "b", 0, ``), p.holds(ctx, "c", v[2], `{}`))
}

func commitChecks(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	v, err := p.put(ctx, p.doc("a", adapter.Absent, `{"n":1}`), p.doc("b", adapter.Absent, `{"n":2}`))
	if err != nil {
		return err
	}
	good := []adapter.Doc{
		p.doc("a", v[0], ``), p.doc("b", adapter.AnyVersion, ``), p.doc("none", adapter.Absent, ``),
		p.doc("none2", adapter.AnyVersion, ``),
	}
	for _, c := range []adapter.Doc{good[0], good[1], good[2], good[3]} {
		if _, err := p.commit(ctx, adapter.Batch{Checks: []adapter.Doc{c}}); err != nil {
			return fmt.Errorf("check %s at version %d: %w", c.ID, c.Version, err)
		}
	}
	if _, err := p.commit(ctx, adapter.Batch{Checks: good}); err != nil {
		return fmt.Errorf("checks alone: %w", err)
	}
	if err := errors.Join(p.holds(ctx, "a", v[0], `{"n":1}`), p.holds(ctx, "b", v[1], `{"n":2}`), p.holds(ctx, "none", 0, ``),
		p.holds(ctx, "none2", 0, ``)); err != nil {
		return fmt.Errorf("checks wrote something: %w", err)
	}
	for _, bad := range []adapter.Doc{
		p.doc("a", v[0]+1000, ``), p.doc("b", adapter.Absent, ``), p.doc("none", 1, ``),
	} {
		_, err := p.commit(ctx, adapter.Batch{
			Checks: append(slices.Clone(good), bad), Puts: []adapter.Doc{p.doc("c", adapter.Absent, `{}`)},
		})
		if !errors.Is(err, adapter.ErrConflict) {
			return fmt.Errorf("check %s at version %d: %w, want ErrConflict", bad.ID, bad.Version, errOr(err, "nil"))
		}
	}
	return p.holds(ctx, "c", 0, ``)
}
