package queue_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
	"github.com/nvent-go/nvent/adapters/redis/queue"
)

// started runs n jobs on two consumers and returns when they started, and the most that ran at once.
func started(t *testing.T, l queue.Limits, n int) ([]time.Time, int) {
	t.Helper()
	url, name := redistest.URL(t), "limit-"+uuid()
	open := func() *queue.Queue {
		q, err := queue.Open(t.Context(), redistest.Client(t, url), queue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { q.Close() })
		return q
	}
	producer := open()
	if err := producer.SetLimits(t.Context(), name, l); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var starts []time.Time
	running, most := 0, 0
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var consumers sync.WaitGroup
	for range 2 {
		q := open()
		consumers.Go(func() {
			err := q.Consume(ctx, name, adapter.ConsumeOptions{Concurrency: func() int { return 10 }},
				func(ctx context.Context, d *adapter.Delivery) {
					mu.Lock()
					running++
					most = max(most, running)
					starts = append(starts, time.Now())
					mu.Unlock()
					<-time.After(5 * time.Millisecond)
					mu.Lock()
					running--
					last := len(starts) == n && running == 0
					mu.Unlock()
					q.Settle(ctx, adapter.Settlement{Queue: name, ID: d.ID, Receipt: d.Receipt})
					if last {
						cancel()
					}
				})
			if err != nil {
				t.Error(err)
			}
		})
	}
	var jobs []adapter.NewJob
	for range n {
		jobs = append(jobs, adapter.NewJob{ID: uuid(), Queue: name, Name: "n", Attempts: 1})
	}
	if _, err := producer.Enqueue(t.Context(), jobs...); err != nil {
		t.Fatal(err)
	}
	consumers.Wait()
	if len(starts) != n {
		t.Fatalf("%d of %d jobs ran", len(starts), n)
	}
	return starts, most
}

func TestConcurrencyOfAll(t *testing.T) {
	t.Parallel()
	if _, most := started(t, queue.Limits{Concurrency: 3}, 40); most > 3 {
		t.Errorf("%d jobs ran at once, want at most 3", most)
	}
}

func TestRateOfAll(t *testing.T) {
	t.Parallel()
	const window = 300 * time.Millisecond
	starts, _ := started(t, queue.Limits{Rate: 5, Per: window}, 15)
	// Fixed windows: any two windows in a row hold at most ten.
	if took := starts[14].Sub(starts[0]); took < window*9/5 {
		t.Errorf("15 jobs at 5 each %v started within %v", window, took)
	}
}

func TestLimitsAreChecked(t *testing.T) {
	t.Parallel()
	q, err := queue.Open(t.Context(), redistest.Client(t, redistest.URL(t)), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for _, l := range []queue.Limits{{Rate: 1}, {Per: time.Second}, {Concurrency: -1}, {Rate: 1, Per: time.Microsecond}} {
		if err := q.SetLimits(t.Context(), "q", l); !errors.Is(err, adapter.ErrInvalid) {
			t.Errorf("%+v: %v, want ErrInvalid", l, err)
		}
	}
}
