package memory_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

const lease = 4 * time.Second

type handler = func(ctx context.Context, d *adapter.Delivery)

// consume runs Consume until the returned function is called, which waits for it and returns its error.
func consume(t *testing.T, q *memory.Queue, o adapter.ConsumeOptions, h handler) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	returned, ready := make(chan error, 1), make(chan struct{})
	o.Ready = func() { close(ready) }
	go func() { returned <- q.Consume(ctx, "q", o, h) }()
	<-ready
	return func() error {
		cancel()
		return <-returned
	}
}

func enqueue(t *testing.T, q *memory.Queue, jobs ...adapter.NewJob) {
	t.Helper()
	for i := range jobs {
		jobs[i].Queue = "q"
	}
	if _, err := q.Enqueue(context.Background(), jobs...); err != nil {
		t.Fatal(err)
	}
}

func settle(q *memory.Queue, d *adapter.Delivery, v adapter.Verdict) error {
	return q.Settle(context.Background(), adapter.Settlement{Queue: d.Queue, ID: d.ID, Receipt: d.Receipt, Verdict: v})[0]
}

func counts(t *testing.T, q *memory.Queue) map[adapter.JobState]int64 {
	t.Helper()
	s, err := q.Stats(context.Background(), "q")
	if err != nil {
		t.Fatal(err)
	}
	return s[0].Counts
}

func fixed(n int) func() int { return func() int { return n } }

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
		time.Sleep(1)
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

// finish runs jobs to their end: those whose ID begins with "f" fail.
func finish(t *testing.T, q *memory.Queue, jobs ...adapter.NewJob) {
	t.Helper()
	enqueue(t, q, jobs...)
	stop := consume(t, q, adapter.ConsumeOptions{}, func(_ context.Context, d *adapter.Delivery) {
		v := adapter.Complete
		if d.ID[0] == 'f' {
			v = adapter.Fail
		}
		if err := settle(q, d, v); err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := memory.New(&memory.Options{
			KeepCompleted: time.Hour, KeepCompletedCount: 3, KeepFailed: 2 * time.Hour, KeepFailedCount: 2,
		}).Queue()
		defer q.Close()
		kept := func(want ...string) {
			t.Helper()
			page, err := q.List(context.Background(), "q", adapter.JobQuery{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, j := range page.Items {
				got = append(got, j.ID)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("kept are %v, want %v", got, want)
			}
		}
		for i := range 5 {
			finish(t, q, adapter.NewJob{ID: fmt.Sprint("c", i)}, adapter.NewJob{ID: fmt.Sprint("f", i)})
		}
		kept("c2", "c3", "f3", "c4", "f4")
		time.Sleep(time.Hour)
		kept("f3", "f4")
		time.Sleep(time.Hour)
		kept()
		finish(t, q, adapter.NewJob{ID: "c-none", Keep: adapter.Keep{Completed: -1}}, adapter.NewJob{ID: "c-long"},
			adapter.NewJob{ID: "c-short", Keep: adapter.Keep{Completed: time.Minute}},
			adapter.NewJob{ID: "f-uncounted", Keep: adapter.Keep{Count: -1}})
		kept("c-long", "c-short")
		time.Sleep(time.Minute)
		kept("c-long")
		again, err := q.Enqueue(context.Background(), adapter.NewJob{ID: "c-short", Queue: "q"}, adapter.NewJob{ID: "c-long", Queue: "q"})
		if err != nil || again[0].Existing != "" || again[1].Existing != adapter.JobCompleted {
			t.Errorf("enqueued again: %+v, %v", again, err)
		}
	})
}

func TestTwoConsumersShareTheWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := memory.New(nil)
		var got [2]atomic.Int32
		var stops []func() error
		for i := range got {
			q := b.Queue()
			defer q.Close()
			stops = append(stops, consume(t, q, adapter.ConsumeOptions{}, func(_ context.Context, d *adapter.Delivery) {
				got[i].Add(1)
				if err := settle(q, d, adapter.Complete); err != nil {
					t.Error(err)
				}
			}))
		}
		q := b.Queue()
		defer q.Close()
		for i := range 20 {
			enqueue(t, q, adapter.NewJob{ID: fmt.Sprint(i)})
			synctest.Wait()
		}
		if a, b := got[0].Load(), got[1].Load(); a != 10 || b != 10 {
			t.Errorf("jobs that come one by one: %d and %d", a, b)
		}
		for _, stop := range stops {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestConcurrencyMayChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := memory.New(nil).Queue()
		defer q.Close()
		var limit, running atomic.Int32
		limit.Store(2)
		next := make(chan struct{})
		stop := consume(t, q, adapter.ConsumeOptions{Concurrency: func() int { return int(limit.Load()) }},
			func(_ context.Context, d *adapter.Delivery) {
				running.Add(1)
				defer running.Add(-1)
				<-next
				if err := settle(q, d, adapter.Complete); err != nil {
					t.Error(err)
				}
			})
		expect := func(when string, want int32) {
			t.Helper()
			synctest.Wait()
			if n := running.Load(); n != want {
				t.Errorf("%s: %d handlers run, want %d", when, n, want)
			}
		}
		for i := range 20 {
			enqueue(t, q, adapter.NewJob{ID: fmt.Sprint(i)})
		}
		expect("at first", 2)
		limit.Store(5)
		next <- struct{}{}
		expect("after a raise, when a handler has ended", 5)
		limit.Store(7)
		enqueue(t, q, adapter.NewJob{ID: "one more"})
		expect("after a raise, when a job has come", 7)
		limit.Store(0)
		for range 10 {
			next <- struct{}{}
			synctest.Wait()
		}
		expect("0 counts as 1", 1)
		close(next)
		expect("all done", 0)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestHandlerThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := memory.New(nil).Queue()
		defer q.Close()
		enqueue(t, q, adapter.NewJob{ID: "a"})
		var calls atomic.Int32
		stop := consume(t, q, adapter.ConsumeOptions{}, func(_ context.Context, d *adapter.Delivery) {
			if calls.Add(1) < 3 {
				runtime.Goexit()
			}
			if err := settle(q, d, adapter.Complete); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if c := counts(t, q); calls.Load() != 3 || c[adapter.JobCompleted] != 1 {
			t.Errorf("%d calls, counts %v", calls.Load(), c)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestRetryGoesToTheEndAndReleaseKeepsItsPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := memory.New(nil).Queue()
		defer q.Close()
		enqueue(t, q, adapter.NewJob{ID: "retried"}, adapter.NewJob{ID: "released"}, adapter.NewJob{ID: "last"})
		var order []string
		stop := consume(t, q, adapter.ConsumeOptions{}, func(_ context.Context, d *adapter.Delivery) {
			order = append(order, d.ID)
			v := adapter.Complete
			if d.Delivery == 1 {
				v = map[string]adapter.Verdict{"retried": adapter.Retry, "released": adapter.Release}[d.ID]
			}
			if err := settle(q, d, v); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if want := "[retried released released last retried]"; fmt.Sprint(order) != want {
			t.Errorf("the order is %v, want %v", order, want)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestJobLogKeepsTheLatestLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		q := memory.New(&memory.Options{JobLogLines: 3}).Queue()
		defer q.Close()
		enqueue(t, q, adapter.NewJob{ID: "a"})
		stop := consume(t, q, adapter.ConsumeOptions{}, func(_ context.Context, d *adapter.Delivery) {
			for i := range 5 {
				if err := q.Annotate(ctx, "q", "a", d.Receipt, nil, fmt.Sprint("line ", i)); err != nil {
					t.Error(err)
				}
			}
			if err := settle(q, d, adapter.Complete); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		for _, c := range []struct {
			offset, limit int
			want          string
		}{{0, 10, "[line 2 line 3 line 4]"}, {3, 1, "[line 3]"}, {5, 10, "[]"}} {
			lines, total, err := q.JobLog(ctx, "q", "a", c.offset, c.limit)
			if err != nil || total != 5 || fmt.Sprint(lines) != c.want {
				t.Errorf("lines from %d: %v of %d, %v, want %s of 5", c.offset, lines, total, err, c.want)
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestSlowWatcherLearnsThatItLostEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := memory.New(nil).Queue()
		defer q.Close()
		ctx, cancel := context.WithCancel(context.Background())
		var seen []adapter.EventType
		hold := make(chan struct{})
		returned := make(chan error, 1)
		go func() {
			returned <- q.Watch(ctx, "q", nil, func(e adapter.QueueEvent) {
				<-hold
				seen = append(seen, e.Type)
			})
		}()
		synctest.Wait()
		for i := range 4000 { // two events each
			enqueue(t, q, adapter.NewJob{ID: fmt.Sprint(i)})
		}
		close(hold)
		synctest.Wait()
		if err := q.SetPaused(ctx, "q", true); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		n := len(seen)
		if n < 1000 || n > 5000 || seen[n-2] != adapter.EventLost || seen[n-1] != adapter.EventPaused {
			t.Errorf("%d events were seen, the last ones %v", n, seen[max(n-3, 0):])
		}
		cancel()
		if err := <-returned; err != nil {
			t.Error(err)
		}
	})
}

func TestInjectedClock(t *testing.T) {
	t.Parallel()
	c := &handClock{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	q := memory.New(&memory.Options{Clock: c}).Queue()
	ctx := t.Context()
	for i, d := range []time.Duration{3 * time.Hour, time.Hour, 2 * time.Hour} {
		enqueue(t, q, adapter.NewJob{ID: fmt.Sprint(i), RunAt: c.now.Add(d)})
	}
	for hour, want := range []int64{0, 1, 2, 3} {
		if n := counts(t, q)[adapter.JobWaiting]; n != want {
			t.Errorf("after %d hours %d jobs wait, want %d", hour, n, want)
		}
		c.advance(time.Hour)
	}
	jobs, err := q.Lookup(ctx, "q", "0")
	if err != nil || !jobs[0].CreatedAt.Equal(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the job is %+v, %v", jobs, err)
	}
	enqueue(t, q, adapter.NewJob{ID: "far", RunAt: c.now.Add(time.Hour)})
	if q.Close(); c.pending() != 0 {
		t.Error("a timer is set while no instance is open")
	}
}

// handClock is a clock that is moved by hand. It knows one timer, which is what one queue needs.
type handClock struct {
	now time.Time
	at  time.Time // zero: not set
	f   func()
}

func (c *handClock) Now() time.Time { return c.now }

func (c *handClock) AfterFunc(d time.Duration, f func()) adapter.Timer {
	c.at, c.f = c.now.Add(d), f
	return c
}

func (c *handClock) Stop() bool {
	c.at = time.Time{}
	return true
}

func (c *handClock) Reset(d time.Duration) bool {
	c.at = c.now.Add(d)
	return true
}

func (c *handClock) advance(d time.Duration) {
	c.now = c.now.Add(d)
	if !c.at.IsZero() && !c.at.After(c.now) {
		c.at = time.Time{}
		c.f()
	}
}

func (c *handClock) pending() int {
	if c.at.IsZero() {
		return 0
	}
	return 1
}
