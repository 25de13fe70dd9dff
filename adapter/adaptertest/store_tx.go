package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

func storeTxChecks() []storeCheck {
	return []storeCheck{
		{Name: "tx/only-as-claimed", run: txClaimed},
		{Name: "tx/all-together", run: txAll},
		{Name: "tx/conflict-leaves-nothing", run: txConflict},
		{Name: "tx/lost-lease-stops-nothing", run: txLostLease},
		{Name: "tx/foreign-queue-is-refused", run: txForeign},
		{Name: "tx/joins-the-callers", run: txJoins},
	}
}

// txPlace is a store that claims CapTx, with the queue that it shares transactions with.
type txPlace struct {
	place
	t     adapter.Transactor
	q     adapter.Queue
	queue string
}

// settleTx opens an instance. ok is false if it does not claim CapTx, which one check is about.
func settleTx(ctx context.Context, e *storeEnv) (p txPlace, ok bool, err error) {
	if p.place, err = settleIn(ctx, e); err != nil || !p.s.Info().Caps.Has(adapter.CapTx) {
		return p, false, err
	}
	if p.t, ok = p.s.(adapter.Transactor); !ok {
		return p, false, errors.New("the store claims CapTx, but is no Transactor")
	}
	if e.backend.QueueOf == nil {
		return p, false, errors.New("the store claims CapTx, but the harness has no QueueOf")
	}
	if p.q, err = e.backend.QueueOf(ctx, p.s); err != nil {
		return p, false, fmt.Errorf("open the queue of the store: %w", err)
	}
	if !p.t.Shares(p.q) {
		return p, false, errors.New("the store does not share transactions with its own queue")
	}
	p.queue = e.name()
	return p, true, nil
}

// tx returns a transaction that writes a document, at a version, and a record, and adds a job.
func (p txPlace) tx(v adapter.Version) (adapter.Tx, adapter.NewJob) {
	j := newJob(p.queue)
	return adapter.Tx{
		Batch: &adapter.Batch{
			Partition: p.partition,
			Puts:      []adapter.Doc{p.doc("d", v, `{"n":1}`)},
			Appends:   []adapter.Append{{Subject: p.id("log"), Records: records("r", 1)}},
		},
		Queue: p.q, Enqueue: []adapter.NewJob{j},
	}, j
}

// taken lets an instance of the queue take a job, and returns the delivery and what lets its handler return.
func (p txPlace) taken(ctx context.Context, e *storeEnv) (d *adapter.Delivery, release func(), err error) {
	if err := enqueue(ctx, p.q, newJob(p.queue)); err != nil {
		return nil, nil, err
	}
	got, hold := make(chan *adapter.Delivery, 1), make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	o := adapter.ConsumeOptions{Concurrency: func() int { return 1 }}
	done := e.start(func() error {
		return p.q.Consume(ctx, p.queue, o, func(_ context.Context, d *adapter.Delivery) {
			copied := *d
			select {
			case got <- &copied:
			default: // another one, handed back while the consumer ends
			}
			select {
			case <-hold:
			case <-e.over:
			}
		})
	})
	t := time.NewTimer(e.h.Patience)
	defer t.Stop()
	select {
	case d = <-got:
	case err := <-done:
		cancel()
		return nil, nil, fmt.Errorf("consume returned at once: %w", errOr(err, "with nil"))
	case <-t.C:
		cancel()
		return nil, nil, errors.New("the job was not delivered")
	}
	return d, func() {
		cancel() // first, so that no other job is taken
		close(hold)
		_ = e.ended("consume", done) // checks of the queue are about how it ends
	}, nil
}

// did fails unless the transaction is there as a whole, or not at all.
func (p txPlace) did(ctx context.Context, j adapter.NewJob, all bool) error {
	_, doc, err := p.get(ctx, "d")
	if err != nil {
		return err
	}
	recs, err := p.s.Read(ctx, p.id("log"), adapter.Range{})
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	_, job, err := lookup(ctx, p.q, p.queue, j.ID)
	if err != nil {
		return err
	}
	if doc != all || len(recs) == 1 != all || job != all {
		return fmt.Errorf("document %v, %d records, job %v; want all: %v", doc, len(recs), job, all)
	}
	return nil
}

func txClaimed(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil || p.s.Info().Caps.Has(adapter.CapTx) {
		return err
	}
	t, ok := p.s.(adapter.Transactor)
	if !ok {
		return nil
	}
	if _, err := t.CommitTx(ctx, adapter.Tx{}); !errors.Is(err, adapter.ErrUnsupported) {
		return fmt.Errorf("CapTx is not claimed, but CommitTx returned %w", errOr(err, "nil"))
	}
	if _, err := t.JoinTx(ctx, nil, adapter.Tx{}); !errors.Is(err, adapter.ErrUnsupported) {
		return fmt.Errorf("CapTx is not claimed, but JoinTx returned %w", errOr(err, "nil"))
	}
	return nil
}

func txAll(ctx context.Context, e *storeEnv) error {
	p, ok, err := settleTx(ctx, e)
	if err != nil || !ok {
		return err
	}
	d, release, err := p.taken(ctx, e)
	if err != nil {
		return err
	}
	defer release()
	t, j := p.tx(adapter.Absent)
	t.Settle = []adapter.Settlement{{Queue: d.Queue, ID: d.ID, Receipt: d.Receipt, Verdict: adapter.Complete}}
	r, err := p.t.CommitTx(ctx, t)
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if len(r.Versions) != 1 || len(r.FirstSeq) != 1 || r.FirstSeq[0] != 1 || r.Now.IsZero() {
		return fmt.Errorf("result of the batch: %+v", r.Committed)
	}
	if len(r.Enqueued) != 1 || r.Enqueued[0].ID != j.ID || r.Enqueued[0].Existing != "" {
		return fmt.Errorf("result of the jobs: %+v", r.Enqueued)
	}
	if len(r.Settled) != 1 || r.Settled[0] != nil {
		return fmt.Errorf("result of the settlements: %v", r.Settled)
	}
	if err := p.did(ctx, j, true); err != nil {
		return err
	}
	if err := inState(ctx, p.q, p.queue, d.ID, adapter.JobCompleted); err != nil {
		return err
	}
	again := adapter.Tx{Queue: p.q, Enqueue: t.Enqueue} // without a batch, of a job that is known
	if r, err = p.t.CommitTx(ctx, again); err != nil || len(r.Enqueued) != 1 || r.Enqueued[0].Existing == "" || r.Now.IsZero() {
		return fmt.Errorf("jobs alone, known: %+v, %w", r, errOr(err, "want the job's state"))
	}
	return nil
}

func txConflict(ctx context.Context, e *storeEnv) error {
	p, ok, err := settleTx(ctx, e)
	if err != nil || !ok {
		return err
	}
	d, release, err := p.taken(ctx, e)
	if err != nil {
		return err
	}
	defer release()
	t, j := p.tx(12345)
	t.Settle = []adapter.Settlement{{Queue: d.Queue, ID: d.ID, Receipt: d.Receipt, Verdict: adapter.Complete}}
	if _, err := p.t.CommitTx(ctx, t); !errors.Is(err, adapter.ErrConflict) {
		return fmt.Errorf("commit at a version that is not there: %w, want ErrConflict", errOr(err, "nil"))
	}
	if err := p.did(ctx, j, false); err != nil {
		return err
	}
	return inState(ctx, p.q, p.queue, d.ID, adapter.JobActive)
}

func txLostLease(ctx context.Context, e *storeEnv) error {
	p, ok, err := settleTx(ctx, e)
	if err != nil || !ok {
		return err
	}
	d, release, err := p.taken(ctx, e)
	if err != nil {
		return err
	}
	defer release()
	s := adapter.Settlement{Queue: d.Queue, ID: d.ID, Receipt: d.Receipt, Verdict: adapter.Complete}
	if err := errors.Join(p.q.Settle(ctx, s)...); err != nil {
		return fmt.Errorf("complete: %w", err)
	}
	t, j := p.tx(adapter.Absent)
	t.Settle = []adapter.Settlement{s}
	r, err := p.t.CommitTx(ctx, t)
	if err != nil {
		return fmt.Errorf("commit with a receipt that is used up: %w", err)
	}
	if len(r.Settled) != 1 || !errors.Is(r.Settled[0], adapter.ErrLeaseLost) {
		return fmt.Errorf("settlement with a receipt that is used up: %v, want ErrLeaseLost", r.Settled)
	}
	return p.did(ctx, j, true)
}

func txForeign(ctx context.Context, e *storeEnv) error {
	p, ok, err := settleTx(ctx, e)
	if err != nil || !ok {
		return err
	}
	foreign := struct{ adapter.Queue }{p.q}
	if p.t.Shares(foreign) {
		return errors.New("the store shares transactions with a queue that it cannot know")
	}
	t, j := p.tx(adapter.Absent)
	t.Queue = foreign
	if _, err := p.t.CommitTx(ctx, t); !errors.Is(err, adapter.ErrUnsupported) {
		return fmt.Errorf("commit with a foreign queue: %w, want ErrUnsupported", errOr(err, "nil"))
	}
	return p.did(ctx, j, false)
}

func txJoins(ctx context.Context, e *storeEnv) error {
	p, ok, err := settleTx(ctx, e)
	if err != nil || !ok {
		return err
	}
	if e.backend.Begin == nil {
		return errors.New("the store claims CapTx, but the harness has no Begin")
	}
	if _, err := p.t.JoinTx(ctx, "no transaction", adapter.Tx{}); !errors.Is(err, adapter.ErrInvalid) {
		return fmt.Errorf("join what is no transaction: %w, want ErrInvalid", errOr(err, "nil"))
	}
	for _, commit := range []bool{false, true} {
		tx, end, err := e.backend.Begin(ctx, p.s)
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		t, j := p.tx(adapter.Absent)
		r, err := p.t.JoinTx(ctx, tx, t)
		if err == nil && (len(r.Versions) != 1 || len(r.Enqueued) != 1) {
			err = fmt.Errorf("result %+v", r)
		}
		if err == nil {
			err = p.did(ctx, j, false) // others do not see it yet
		}
		if failed := end(commit && err == nil); err != nil || failed != nil {
			return fmt.Errorf("join, commit %v: %w", commit, errors.Join(err, failed))
		}
		if err := p.did(ctx, j, commit); err != nil {
			return fmt.Errorf("after the caller's end, commit %v: %w", commit, err)
		}
		if !commit {
			continue
		}
		done := make(chan struct{}, 1)
		cctx, cancel := context.WithCancel(ctx)
		defer cancel()
		o := adapter.ConsumeOptions{Concurrency: func() int { return 1 }}
		e.start(func() error {
			return p.q.Consume(cctx, p.queue, o, func(_ context.Context, d *adapter.Delivery) {
				if d.ID == j.ID {
					select {
					case done <- struct{}{}:
					default: // again, handed back while the consumer ends
					}
				}
				<-e.over
			})
		})
		if err := e.signal("the job of the caller's transaction is delivered", done); err != nil {
			return err
		}
	}
	return nil
}
