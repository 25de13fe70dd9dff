package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

func storeExpiryChecks() []storeCheck {
	return []storeCheck{
		{Name: "expiry/document-is-invisible", run: expiryDoc},
		{Name: "expiry/document-is-absent-to-commits", run: expiryCommit},
		{Name: "expiry/put-lifts-it", run: expiryPut},
		{Name: "expiry/of-a-partition", run: expiryPartition},
		{Name: "expiry/of-a-partition-lifted", run: expiryLifted},
		{Name: "expiry/purge-in-portions", run: expiryPurge},
	}
}

// soon returns the time on the store's clock in one Lease.
func soon(ctx context.Context, e *storeEnv, s adapter.Store) (time.Time, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return now, fmt.Errorf("now: %w", err)
	}
	return now.Add(e.h.Lease), nil
}

// pass waits until the store's clock is past t.
func pass(ctx context.Context, e *storeEnv, s adapter.Store, t time.Time) error {
	if err := e.sleep(ctx, e.h.Lease); err != nil {
		return err
	}
	return e.until(ctx, "the store's clock moves on", func() (bool, error) {
		now, err := s.Now(ctx)
		return now.After(t), err
	})
}

// expireDoc gives a document an expiry, waits for it, and returns its last version.
func expireDoc(ctx context.Context, e *storeEnv, p place, name string) (adapter.Version, error) {
	at, err := soon(ctx, e, p.s)
	if err != nil {
		return 0, err
	}
	d := p.doc(name, adapter.AnyVersion, `{"s":"x","n":1}`)
	d.ExpireAt = at
	v, err := p.put1(ctx, d)
	if err != nil {
		return 0, err
	}
	return v, pass(ctx, e, p.s, at)
}

// purge removes everything that has expired.
func purge(ctx context.Context, s adapter.Store) error {
	for range 1000 {
		n, err := s.Purge(ctx, 10)
		if err != nil {
			return fmt.Errorf("purge: %w", err)
		}
		if n < 0 || n > 10 {
			return fmt.Errorf("purge of at most 10 removed %d", n)
		}
		if n == 0 {
			return nil
		}
	}
	return errors.New("purge does not end")
}

func expiryDoc(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e, byN)
	if err != nil {
		return err
	}
	v, err := p.put1(ctx, p.doc("kept", adapter.Absent, `{"s":"x","n":2}`))
	if err != nil {
		return err
	}
	far := p.doc("far", adapter.Absent, `{"s":"x","n":3}`)
	far.ExpireAt = time.Now().Add(1000 * time.Hour).Truncate(time.Second)
	if _, err := p.put1(ctx, far); err != nil {
		return err
	}
	if d, _, err := p.get(ctx, "far"); err != nil || !d.ExpireAt.Equal(far.ExpireAt) {
		return fmt.Errorf("expiry of a document: got %v, want %v, %w", d.ExpireAt, far.ExpireAt, errOr(err, "it is another"))
	}
	if _, err := expireDoc(ctx, e, p, "d"); err != nil {
		return err
	}
	for _, when := range []string{"before purge", "after purge"} {
		err := errors.Join(p.holds(ctx, "d", 0, ``), p.holds(ctx, "kept", v, `{"s":"x","n":2}`),
			p.finds(ctx, "by index", inN(false), "kept", "far"), p.finds(ctx, "all", adapter.Query{}, "far", "kept"))
		if err != nil {
			return fmt.Errorf("an expired document, %s: %w", when, err)
		}
		if err := purge(ctx, p.s); err != nil {
			return err
		}
	}
	return nil
}

func expiryCommit(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	last, err := expireDoc(ctx, e, p, "d")
	if err != nil {
		return err
	}
	_, err = p.put(ctx, p.doc("d", last, `{}`))
	var conflict *adapter.Conflict
	if !errors.As(err, &conflict) || len(conflict.Current) != 1 || conflict.Current[0].Version != adapter.Absent {
		return fmt.Errorf("put at the version of an expired document: %w, want a conflict that says absent", errOr(err, "nil"))
	}
	v, err := p.put1(ctx, p.doc("d", adapter.Absent, `{"n":2}`))
	if err != nil {
		return fmt.Errorf("create after expiry: %w", err)
	}
	if v <= last {
		return fmt.Errorf("the document expired at version %d and is back at version %d", last, v)
	}
	if err := purge(ctx, p.s); err != nil {
		return err
	}
	return p.holds(ctx, "d", v, `{"n":2}`)
}

func expiryPut(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	at, err := soon(ctx, e, p.s)
	if err != nil {
		return err
	}
	d := p.doc("d", adapter.Absent, `{}`)
	d.ExpireAt = at
	v, err := p.put1(ctx, d)
	if err != nil {
		return err
	}
	if v, err = p.put1(ctx, p.doc("d", v, `{"n":2}`)); err != nil {
		return err
	}
	if err := pass(ctx, e, p.s, at); err != nil {
		return err
	}
	if err := purge(ctx, p.s); err != nil {
		return err
	}
	return p.holds(ctx, "d", v, `{"n":2}`)
}

func expiryPartition(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e, byN)
	if err != nil {
		return err
	}
	other := p
	other.partition = e.name()
	v, err := other.put1(ctx, other.doc("other", adapter.Absent, `{"s":"x","n":9}`))
	if err != nil {
		return err
	}
	if _, err := p.put1(ctx, p.doc("before", adapter.Absent, `{"s":"x","n":1}`)); err != nil {
		return err
	}
	if _, err := p.add(ctx, "log", records("r", 3)...); err != nil {
		return err
	}
	at, err := soon(ctx, e, p.s)
	if err != nil {
		return err
	}
	if _, err := p.commit(ctx, adapter.Batch{Expire: &adapter.Expiry{Docs: at}}); err != nil {
		return fmt.Errorf("set expiry: %w", err)
	}
	last, err := p.put1(ctx, p.doc("later", adapter.Absent, `{"s":"x","n":2}`)) // later writes are included, and do not lift it
	if err != nil {
		return err
	}
	if err := pass(ctx, e, p.s, at); err != nil {
		return err
	}
	for _, when := range []string{"before purge", "after purge"} {
		err := errors.Join(p.holds(ctx, "before", 0, ``), p.holds(ctx, "later", 0, ``), other.holds(ctx, "other", v, `{"s":"x","n":9}`),
			p.finds(ctx, "by index", inN(false), "other"))
		if err != nil {
			return fmt.Errorf("an expired partition, %s: %w", when, err)
		}
		recs, err := p.s.Read(ctx, p.id("log"), adapter.Range{})
		if len(recs) != 0 || err != nil && !errors.Is(err, adapter.ErrTrimmed) {
			return fmt.Errorf("an expired partition, %s: its log has %d records, %w", when, len(recs), errOr(err, "want none"))
		}
		if err := purge(ctx, p.s); err != nil {
			return err
		}
	}
	back, err := p.put1(ctx, p.doc("later", adapter.Absent, `{}`))
	if err != nil {
		return fmt.Errorf("create after the partition expired: %w", err)
	}
	if back <= last {
		return fmt.Errorf("the document expired at version %d and is back at version %d", last, back)
	}
	return nil
}

func expiryLifted(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	at, err := soon(ctx, e, p.s)
	if err != nil {
		return err
	}
	c, err := p.commit(ctx, adapter.Batch{
		Puts:    []adapter.Doc{p.doc("d", adapter.Absent, `{}`)},
		Appends: []adapter.Append{{Subject: p.id("log"), Records: records("r", 2)}},
		Expire:  &adapter.Expiry{Docs: at, Logs: at},
	})
	if err != nil {
		return fmt.Errorf("set expiry: %w", err)
	}
	if _, err := p.commit(ctx, adapter.Batch{Expire: &adapter.Expiry{}}); err != nil {
		return fmt.Errorf("lift expiry: %w", err)
	}
	if err := pass(ctx, e, p.s, at); err != nil {
		return err
	}
	if err := purge(ctx, p.s); err != nil {
		return err
	}
	return errors.Join(p.holds(ctx, "d", c.Versions[0], `{}`), p.reads(ctx, "log", adapter.Range{}, 1, 2))
}

func expiryPurge(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	at, err := soon(ctx, e, p.s)
	if err != nil {
		return err
	}
	var docs []adapter.Doc
	for i := range 12 {
		d := p.doc(fmt.Sprint(i), adapter.Absent, `{}`)
		d.ExpireAt = at
		docs = append(docs, d)
	}
	if _, err := p.put(ctx, docs...); err != nil {
		return err
	}
	if err := pass(ctx, e, p.s, at); err != nil {
		return err
	}
	n, err := p.s.Purge(ctx, 5)
	if err != nil {
		return fmt.Errorf("purge: %w", err)
	}
	if n > 5 {
		return fmt.Errorf("purge of at most 5 removed %d", n)
	}
	return purge(ctx, p.s)
}

func storeTrimChecks() []storeCheck {
	return []storeCheck{{Name: "trim/says-what-is-first", run: trimSays}}
}

func trimSays(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	at, err := soon(ctx, e, p.s)
	if err != nil {
		return err
	}
	c, err := p.commit(ctx, adapter.Batch{
		Puts:    []adapter.Doc{p.doc("d", adapter.Absent, `{}`)},
		Appends: []adapter.Append{{Subject: p.id("log"), Records: records("r", 5)}},
		Expire:  &adapter.Expiry{Docs: at.Add(1000 * time.Hour), Logs: at},
	})
	if err != nil {
		return fmt.Errorf("set expiry: %w", err)
	}
	if err := pass(ctx, e, p.s, at); err != nil {
		return err
	}
	trimmed := func(when string) error {
		for _, r := range []adapter.Range{{}, {After: 2}, {Seqs: []uint64{4}}} {
			recs, err := p.s.Read(ctx, p.id("log"), r)
			var trimmed *adapter.Trimmed
			if !errors.As(err, &trimmed) || trimmed.First != 6 || trimmed.Subject != p.id("log") {
				return fmt.Errorf("%s: read %+v of a log that has expired: %d records, %w, want a *Trimmed that says 6",
					when, r, len(recs), errOr(err, "nil"))
			}
		}
		return nil
	}
	if err := trimmed("before purge"); err != nil {
		return err
	}
	if err := purge(ctx, p.s); err != nil {
		return err
	}
	if err := trimmed("after purge"); err != nil {
		return err
	}
	if err := errors.Join(p.holds(ctx, "d", c.Versions[0], `{}`), p.reads(ctx, "log", adapter.Range{After: 5})); err != nil {
		return fmt.Errorf("only the logs have expired: %w", err)
	}
	if _, err := p.commit(ctx, adapter.Batch{Expire: &adapter.Expiry{}}); err != nil {
		return fmt.Errorf("lift expiry: %w", err)
	}
	first, err := p.add(ctx, "log", records("new", 2)...)
	if err != nil {
		return err
	}
	if first != 6 {
		return fmt.Errorf("a trimmed log goes on at seq %d, want 6", first)
	}
	if err := trimmed("after an append"); err != nil {
		return err
	}
	return p.reads(ctx, "log", adapter.Range{After: 5}, 6, 7)
}
