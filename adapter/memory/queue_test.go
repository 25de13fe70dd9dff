package memory_test

import (
	"context"
	"fmt"
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

// watchBuffer is how many events a watcher may be behind.
const watchBuffer = 4096

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
		enqueue(t, q, adapter.NewJob{ID: "first"})
		synctest.Wait()              // the watcher is held with the two events of it
		for i := range watchBuffer { // more than it can be behind: two events each
			enqueue(t, q, adapter.NewJob{ID: fmt.Sprint(i)})
		}
		close(hold)
		synctest.Wait()
		if err := q.SetPaused(ctx, "q", true); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		n := len(seen)
		if n != 2+watchBuffer+2 || seen[n-2] != adapter.EventLost || seen[n-1] != adapter.EventPaused {
			t.Errorf("%d events were seen, the last ones %v", n, seen[max(n-3, 0):])
		}
		cancel()
		if err := <-returned; err != nil {
			t.Error(err)
		}
	})
}
