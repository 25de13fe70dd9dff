package adaptertest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/adaptertest"
	"github.com/nvent-go/nvent/adapter/memory"
)

// transactor is a store in memory that pretends to have transactions. Its parts happen one after another, which the checks
// cannot tell as long as nobody looks in between; how says what else is wrong.
type transactor struct {
	*memory.Store
	q   *memory.Queue
	how string
}

func (s *transactor) Info() adapter.Info {
	i := s.Store.Info()
	if s.how != "implements what it does not claim" {
		i.Caps |= adapter.CapTx
	}
	return i
}

func (s *transactor) Close() error { return errors.Join(s.q.Close(), s.Store.Close()) }

func (s *transactor) Shares(q adapter.Queue) bool { return q == s.q || s.how == "shares with anybody" }

func (s *transactor) CommitTx(ctx context.Context, t adapter.Tx) (r adapter.TxResult, err error) {
	if t.Queue != nil && !s.Shares(t.Queue) {
		return r, fmt.Errorf("foreign queue: %w", adapter.ErrUnsupported)
	}
	if s.how == "enqueues before it commits" {
		if r.Enqueued, err = s.q.Enqueue(ctx, t.Enqueue...); err != nil {
			return r, err
		}
	}
	r.Now = time.Now()
	if t.Batch != nil {
		if r.Committed, err = s.Commit(ctx, *t.Batch); err != nil {
			return r, err
		}
	}
	if s.how == "forgets the jobs" {
		return r, nil
	}
	if r.Enqueued, err = s.q.Enqueue(ctx, t.Enqueue...); err != nil {
		return r, err
	}
	r.Settled = s.q.Settle(ctx, t.Settle...)
	if s.how == "fails for a lost lease" {
		err = errors.Join(r.Settled...)
	}
	return r, err
}

// userTx is a transaction of the caller: what shall happen at its end.
type userTx struct{ do []func() error }

func (s *transactor) JoinTx(ctx context.Context, tx any, t adapter.Tx) (r adapter.TxResult, err error) {
	u, ok := tx.(*userTx)
	if !ok {
		return r, fmt.Errorf("a %T: %w", tx, adapter.ErrInvalid)
	}
	do := func() error { _, err := s.CommitTx(ctx, t); return err }
	if s.how == "joins nothing" {
		err = do()
	} else {
		u.do = append(u.do, do)
	}
	r.Versions, r.Enqueued = make([]adapter.Version, len(t.Batch.Puts)), make([]adapter.Enqueued, len(t.Enqueue))
	return r, err
}

// TestBrokenTransactions proves that the checks of transactions notice what is wrong.
func TestBrokenTransactions(t *testing.T) {
	t.Parallel()
	check := func(how, name string) error {
		h := harness(func(b *memory.Backend) adapter.Store { return &transactor{b.Store(), b.Queue(), how} })
		opened := h.New
		h.New = func(ctx context.Context) (adaptertest.Backend[adapter.Store], error) {
			b, err := opened(ctx)
			b.QueueOf = func(_ context.Context, s adapter.Store) (adapter.Queue, error) { return s.(*transactor).q, nil }
			b.Begin = func(context.Context, adapter.Store) (any, func(bool) error, error) {
				u := &userTx{}
				return u, func(commit bool) error {
					if !commit {
						return nil
					}
					var errs []error
					for _, do := range u.do {
						errs = append(errs, do())
					}
					return errors.Join(errs...)
				}, nil
			}
			return b, err
		}
		for _, c := range adaptertest.StoreChecks() {
			if c.Name == name {
				return adaptertest.Verify(t, h, c)
			}
		}
		return fmt.Errorf("there is no check %q", name)
	}
	for how, name := range map[string]string{
		"implements what it does not claim": "tx/only-as-claimed",
		"forgets the jobs":                  "tx/all-together",
		"enqueues before it commits":        "tx/conflict-leaves-nothing",
		"fails for a lost lease":            "tx/lost-lease-stops-nothing",
		"shares with anybody":               "tx/foreign-queue-is-refused",
		"joins nothing":                     "tx/joins-the-callers",
	} {
		if err := check("", name); err != nil {
			t.Errorf("check %s fails on a sound driver: %v", name, err)
		}
		if err := check(how, name); err == nil {
			t.Errorf("check %s does not notice a driver that %s", name, how)
		}
	}
}
