package memory_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

func TestKillLeavesItsJobsToTheirLeases(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := memory.New(nil)
		dying, heir := b.Queue(), b.Queue()
		enqueue(t, heir, adapter.NewJob{ID: "a", Lease: lease, Redeliver: 1})
		began := time.Now()
		type end struct {
			after         time.Duration
			cause, settle error
		}
		ended := make(chan end, 1)
		stopDying := consume(t, dying, adapter.ConsumeOptions{}, func(ctx context.Context, d *adapter.Delivery) {
			<-ctx.Done()
			ended <- end{time.Since(began), context.Cause(ctx), settle(dying, d, adapter.Complete)}
		})
		synctest.Wait()
		time.Sleep(10 * lease) // while the instance lives its leases do
		synctest.Wait()
		began = time.Now()
		dying.Kill()
		got := make(chan time.Duration, 1)
		stopHeir := consume(t, heir, adapter.ConsumeOptions{}, func(_ context.Context, d *adapter.Delivery) {
			got <- time.Since(began)
			if d.Delivery != 2 || d.Attempt != 0 {
				t.Errorf("delivery %d, attempt %d, want 2 and 0", d.Delivery, d.Attempt)
			}
			if err := settle(heir, d, adapter.Complete); err != nil {
				t.Error(err)
			}
		})
		if after := <-got; after != lease {
			t.Errorf("delivered again after %v, want %v", after, lease)
		}
		e := <-ended
		if e.after != lease || e.cause != adapter.ErrLeaseLost || !errors.Is(e.settle, adapter.ErrClosed) {
			t.Errorf("the killed handler ended after %v with %v and settled with %v", e.after, e.cause, e.settle)
		}
		if err := stopDying(); !errors.Is(err, adapter.ErrClosed) {
			t.Errorf("consume of the killed instance returned %v", err)
		}
		if err := stopHeir(); err != nil {
			t.Error(err)
		}
		if c := counts(t, heir); c[adapter.JobCompleted] != 1 || c[adapter.JobActive] != 0 {
			t.Errorf("counts are %v", c)
		}
		if err := errors.Join(dying.Close(), heir.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseAfterKillHandsNothingBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := memory.New(nil)
		q, other := b.Queue(), b.Queue()
		enqueue(t, q, adapter.NewJob{ID: "a", Lease: lease, Redeliver: 1})
		var cause error
		stop := consume(t, q, adapter.ConsumeOptions{}, func(ctx context.Context, _ *adapter.Delivery) {
			<-ctx.Done()
			cause = context.Cause(ctx)
		})
		synctest.Wait()
		q.Kill()
		q.Close()
		if err := stop(); !errors.Is(err, adapter.ErrClosed) || cause != adapter.ErrClosed {
			t.Errorf("consume returned %v, the handler's cause is %v", err, cause)
		}
		if c := counts(t, other); c[adapter.JobActive] != 1 {
			t.Errorf("before the lease is over: %v", c)
		}
		time.Sleep(lease)
		synctest.Wait()
		if c := counts(t, other); c[adapter.JobWaiting] != 1 {
			t.Errorf("after the lease is over: %v", c)
		}
	})
}

func TestExpireLeaseUpToTheBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := memory.New(nil)
		q := b.Queue()
		defer q.Close()
		if b.ExpireLease("q", "a") {
			t.Error("a lease of a queue that does not exist has expired")
		}
		enqueue(t, q, adapter.NewJob{ID: "a", Redeliver: 2})
		if b.ExpireLease("q", "a") {
			t.Error("a lease of a waiting job has expired")
		}
		late := make(chan error, 3)
		stop := consume(t, q, adapter.ConsumeOptions{Consumer: "me"}, func(ctx context.Context, d *adapter.Delivery) {
			<-ctx.Done()
			late <- settle(q, d, adapter.Complete)
		})
		for range 3 {
			synctest.Wait()
			if !b.ExpireLease("q", "a") {
				t.Fatal("there was no lease")
			}
			if err := <-late; !errors.Is(err, adapter.ErrLeaseLost) {
				t.Errorf("settling after the lease was lost: %v", err)
			}
		}
		jobs, err := q.Lookup(context.Background(), "q", "a")
		if err != nil || len(jobs) != 1 || jobs[0].State != adapter.JobFailed || jobs[0].Delivery != 3 {
			t.Fatalf("the job is %+v, %v", jobs, err)
		}
		if text := jobs[0].Error; !strings.Contains(text, "lease lost 3 times (redeliver is 2)") || !strings.Contains(text, `"me"`) {
			t.Errorf("its error is %q", text)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestTimeoutLeavesOneLeaseToSettle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := memory.New(nil).Queue()
		defer q.Close()
		enqueue(t, q, adapter.NewJob{ID: "settles", Timeout: time.Minute, Lease: lease}, adapter.NewJob{ID: "hangs", Timeout: time.Minute, Lease: lease})
		began := time.Now()
		hang := make(chan struct{})
		stop := consume(t, q, adapter.ConsumeOptions{Concurrency: fixed(2)}, func(ctx context.Context, d *adapter.Delivery) {
			<-ctx.Done()
			if cause := context.Cause(ctx); cause != adapter.ErrTimeout || time.Since(began) != time.Minute {
				t.Errorf("%s ended after %v with %v", d.ID, time.Since(began), cause)
			}
			if d.ID == "hangs" {
				<-hang
			}
			if err := settle(q, d, adapter.Fail); (err == nil) != (d.ID == "settles") {
				t.Errorf("settling %s: %v", d.ID, err)
			}
		})
		time.Sleep(time.Minute + lease - 1)
		synctest.Wait()
		if c := counts(t, q); c[adapter.JobActive] != 1 || c[adapter.JobFailed] != 1 {
			t.Errorf("before the last lease is over: %v", c)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if c := counts(t, q); c[adapter.JobActive] != 0 || c[adapter.JobFailed] != 2 {
			t.Errorf("after the last lease is over: %v", c)
		}
		close(hang)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
