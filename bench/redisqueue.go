package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/queue"
)

var redisData = json.RawMessage(`{"s":"` + strings.Repeat("x", 90) + `"}`)

var jobNumber atomic.Uint64

func redisJob() adapter.NewJob {
	return adapter.NewJob{ID: fmt.Sprintf("0197c7a0-0000-7000-8000-%012x", jobNumber.Add(1)), Queue: "bench", Name: "n", Data: redisData,
		Attempts: 3, Redeliver: 5}
}

func addOurs(ctx context.Context, q *queue.Queue, c rueidis.Client, n, width int) ([]float64, error) {
	add := func(n int) error {
		return inFlight(ctx, width, n, func(ctx context.Context, _ int) error {
			_, err := q.Enqueue(ctx, redisJob())
			return err
		})
	}
	if err := add(200); err != nil {
		return nil, err
	}
	return serverRate(ctx, c, n, func() error { return add(n) })
}

func bulk(ctx context.Context, q *queue.Queue, n int) error {
	for ; n > 0; n -= 1000 {
		jobs := make([]adapter.NewJob, min(n, 1000))
		for i := range jobs {
			jobs[i] = redisJob()
		}
		if _, err := q.Enqueue(ctx, jobs...); err != nil {
			return err
		}
	}
	return nil
}

func bulkOurs(ctx context.Context, q *queue.Queue, c rueidis.Client, n int) ([]float64, error) {
	if err := bulk(ctx, q, 1000); err != nil {
		return nil, err
	}
	return serverRate(ctx, c, n, func() error { return bulk(ctx, q, n) })
}

// drainRedis completes jobs with leases, renewal and retention as they come.
func drainRedis(ctx context.Context, q *queue.Queue, c rueidis.Client, n, width int) ([]float64, error) {
	if err := bulk(ctx, q, n); err != nil {
		return nil, err
	}
	return serverRate(ctx, c, n, func() error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var left atomic.Int64
		left.Store(int64(n))
		return q.Consume(ctx, "bench", adapter.ConsumeOptions{Concurrency: func() int { return width }},
			func(ctx context.Context, d *adapter.Delivery) {
				q.Settle(ctx, adapter.Settlement{Queue: "bench", ID: d.ID, Receipt: d.Receipt})
				if left.Add(-1) == 0 {
					cancel()
				}
			})
	})
}

func idleOurs(ctx context.Context, q *queue.Queue, n int) ([]float64, error) {
	ctx, cancel := context.WithCancel(ctx)
	arrived, ready, done := make(chan time.Time, 1), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- q.Consume(ctx, "bench", adapter.ConsumeOptions{Concurrency: func() int { return 10 }, Ready: func() { close(ready) }},
			func(ctx context.Context, d *adapter.Delivery) {
				arrived <- time.Now()
				q.Settle(ctx, adapter.Settlement{Queue: "bench", ID: d.ID, Receipt: d.Receipt})
			})
	}()
	<-ready
	values, err := latencies(ctx, n, arrived, func(ctx context.Context) error {
		_, err := q.Enqueue(ctx, redisJob())
		return err
	})
	cancel()
	if failed := <-done; err == nil {
		err = failed
	}
	for i := range values {
		values[i] /= 1000
	}
	return values, err
}

func bytesOurs(ctx context.Context, q *queue.Queue, c rueidis.Client, n int) ([]float64, error) {
	before, err := serverInfo(ctx, c, "used_memory")
	if err != nil {
		return nil, err
	}
	if err := bulk(ctx, q, n); err != nil {
		return nil, err
	}
	after, err := serverInfo(ctx, c, "used_memory")
	return []float64{(after - before) / float64(n)}, err
}
