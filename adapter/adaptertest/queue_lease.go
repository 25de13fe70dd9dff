package adaptertest

import (
	"context"
	"errors"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
)

func queueLeaseChecks() []queueCheck {
	return []queueCheck{
		{Name: "lease/renewed-while-the-handler-runs", run: leaseRenewed},
		{Name: "lease/job-of-the-dead-is-redelivered", run: leaseRedelivered},
		{Name: "lease/handler-learns-of-the-loss", run: leaseHandlerLearns},
		{Name: "lease/stale-receipt-is-fenced", run: leaseFenced},
		{Name: "lease/redeliver-is-the-bound", run: leaseBound},
		{Name: "lease/none-before-it-ends", run: leaseNotEarly},
	}
}

func leaseRenewed(ctx context.Context, e *queueEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	j := newJob(e.name())
	j.Lease, j.Redeliver = e.h.Lease, 5
	if err := enqueue(ctx, a, j); err != nil {
		return err
	}
	h, got := holding(e)
	if _, err := consume(ctx, e, a, j.Queue, 2, h); err != nil {
		return err
	}
	d, err := next(e, "the job", got)
	if err != nil {
		return err
	}
	if _, err := consume(ctx, e, b, j.Queue, 2, h); err != nil {
		return err
	}
	if err := e.sleep(ctx, 4*e.h.Lease); err != nil {
		return err
	}
	if err := none(ctx, e, "a job whose handler runs", got); err != nil {
		return err
	}
	if d.ctx.Err() != nil {
		return fmt.Errorf("the handler's context ended: %w", context.Cause(d.ctx))
	}
	if err := settle(ctx, a, &d.mine, adapter.Complete, nil); err != nil {
		return fmt.Errorf("complete after four leases: %w", err)
	}
	return inState(ctx, b, j.Queue, j.ID, adapter.JobCompleted)
}

// orphan enqueues j, lets an instance take it, and kills that instance.
func orphan(ctx context.Context, e *queueEnv, j adapter.NewJob) (*held, error) {
	q, err := e.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := enqueue(ctx, q, j); err != nil {
		return nil, err
	}
	h, got := holding(e)
	if _, err := consume(ctx, e, q, j.Queue, 1, h); err != nil {
		return nil, err
	}
	d, err := next(e, "the job", got)
	if err != nil {
		return nil, err
	}
	return d, e.kill(q)
}

func leaseRedelivered(ctx context.Context, e *queueEnv) error {
	j := newJob(e.name())
	j.Lease, j.Redeliver = e.h.Lease, 1
	if _, err := orphan(ctx, e, j); err != nil {
		return err
	}
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	h, got := holding(e)
	if _, err := consume(ctx, e, q, j.Queue, 1, h); err != nil {
		return err
	}
	d, err := next(e, "the job of a killed instance", got)
	if err != nil {
		return err
	}
	if d.mine.Delivery != 2 || d.mine.Attempt != 0 {
		return fmt.Errorf("redelivered: delivery %d, attempt %d, want 2 and 0", d.mine.Delivery, d.mine.Attempt)
	}
	if err := sameJob(d.mine.NewJob, j); err != nil {
		return fmt.Errorf("redelivered: %w", err)
	}
	if err := settle(ctx, q, &d.mine, adapter.Complete, nil); err != nil {
		return fmt.Errorf("complete the redelivered job: %w", err)
	}
	return inState(ctx, q, j.Queue, j.ID, adapter.JobCompleted)
}

func leaseHandlerLearns(ctx context.Context, e *queueEnv) error {
	j := newJob(e.name())
	j.Lease, j.Redeliver = e.h.Lease, 1
	d, err := orphan(ctx, e, j)
	if err != nil {
		return err
	}
	if err := e.signal("the handler's context ends when the lease cannot be renewed", d.ctx.Done()); err != nil {
		return err
	}
	// A driver whose instance can be cut off altogether may see itself as closed.
	if cause := context.Cause(d.ctx); !errors.Is(cause, adapter.ErrLeaseLost) && !errors.Is(cause, adapter.ErrClosed) {
		return fmt.Errorf("the handler's context ended with %w, want ErrLeaseLost", cause)
	}
	return nil
}

func leaseFenced(ctx context.Context, e *queueEnv) error {
	j := newJob(e.name())
	j.Lease, j.Redeliver = e.h.Lease, 5
	stale, err := orphan(ctx, e, j)
	if err != nil {
		return err
	}
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	h, got := holding(e)
	if _, err := consume(ctx, e, q, j.Queue, 1, h); err != nil {
		return err
	}
	d, err := next(e, "the job of a killed instance", got)
	if err != nil {
		return err
	}
	if d.mine.Receipt == stale.mine.Receipt {
		return errors.New("two deliveries have the same receipt")
	}
	for _, v := range []adapter.Verdict{adapter.Complete, adapter.Retry, adapter.Fail, adapter.Release, adapter.Discard} {
		if err := settle(ctx, q, &stale.mine, v, nil); !errors.Is(err, adapter.ErrLeaseLost) {
			return fmt.Errorf("%s with a stale receipt: %w, want ErrLeaseLost", v, errOr(err, "nil"))
		}
		now, found, err := lookup(ctx, q, j.Queue, j.ID)
		if err != nil {
			return err
		}
		if !found || now.State != adapter.JobActive || now.Attempt != 0 || now.Delivery != 2 {
			return fmt.Errorf("%s with a stale receipt touched the job: found %v, %s, attempt %d, delivery %d",
				v, found, now.State, now.Attempt, now.Delivery)
		}
	}
	if d.ctx.Err() != nil {
		return fmt.Errorf("a stale settlement ended the handler of the new delivery: %w", context.Cause(d.ctx))
	}
	if err := settle(ctx, q, &d.mine, adapter.Complete, nil); err != nil {
		return fmt.Errorf("complete with the current receipt: %w", err)
	}
	return inState(ctx, q, j.Queue, j.ID, adapter.JobCompleted)
}

func leaseBound(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	for _, redeliver := range []int{0, 2} {
		j := newJob(e.name())
		j.Lease, j.Redeliver = e.h.Lease, redeliver
		if _, err := orphan(ctx, e, j); err != nil {
			return err
		}
		for n := range redeliver {
			dying, err := e.open(ctx)
			if err != nil {
				return err
			}
			h, got := holding(e)
			if _, err := consume(ctx, e, dying, j.Queue, 1, h); err != nil {
				return err
			}
			d, err := next(e, fmt.Sprintf("redelivery %d of %d", n+1, redeliver), got)
			if err != nil {
				return err
			}
			if d.mine.Delivery != n+2 {
				return fmt.Errorf("redelivery %d has delivery counter %d", n+1, d.mine.Delivery)
			}
			if err := e.kill(dying); err != nil {
				return err
			}
		}
		h, got := holding(e)
		if _, err := consume(ctx, e, q, j.Queue, 1, h); err != nil { // some backends act only while somebody asks
			return err
		}
		last, err := untilState(ctx, e, q, j.Queue, j.ID, adapter.JobFailed)
		if err != nil {
			return fmt.Errorf("after %d lost leases with Redeliver %d: %w", redeliver+1, redeliver, err)
		}
		if last.Error == "" {
			return errors.New("a job that failed by lost leases has no error")
		}
		if err := none(ctx, e, "a job that has been redelivered too often", got); err != nil {
			return err
		}
	}
	return nil
}

func leaseNotEarly(ctx context.Context, e *queueEnv) error {
	j := newJob(e.name())
	j.Lease, j.Redeliver = 100*e.h.Quiet+e.h.Lease, 1
	if _, err := orphan(ctx, e, j); err != nil {
		return err
	}
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	h, got := holding(e)
	if _, err := consume(ctx, e, q, j.Queue, 1, h); err != nil {
		return err
	}
	return none(ctx, e, "a job whose lease has not ended", got)
}
