package memory_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

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
