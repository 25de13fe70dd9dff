package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/nvent-go/nvent"
)

type noop struct {
	N int `json:"n"`
}

var noopJob = nvent.Job[noop]("bench", "noop")

const (
	jobBatch  = 1000 // jobs in one call of EnqueueAll
	jobWindow = 20   // batches that may wait: bounded, as they are in a service that keeps up
)

// jobsMeasure is jobs that do nothing, from enqueueing to the end of the last one.
func jobsMeasure(open opener, sc scale) measure {
	return measure{
		name:    "jobs",
		metrics: work("job", 500_000),
		ours: contestant{us, func(ctx context.Context) ([]float64, error) {
			return runJobs(ctx, open, sc.jobs)
		}},
	}
}

func runJobs(ctx context.Context, open opener, n int) ([]float64, error) {
	batches := max(n/jobBatch, 1)
	var done atomic.Int64
	free := make(chan struct{}, jobWindow)
	handler := noopJob.Handle(func(context.Context, noop) error {
		if done.Add(1)%jobBatch == 0 {
			<-free
		}
		return nil
	})
	return with(ctx, open, func(app *nvent.App) ([]float64, error) {
		list := make([]noop, jobBatch)
		enqueue := func(batches int) error {
			for b := range batches {
				for i := range list {
					list[i].N = b*jobBatch + i
				}
				if err := acquire(ctx, free, 1); err != nil {
					return err
				}
				if _, err := noopJob.EnqueueAll(ctx, app, list); err != nil {
					return err
				}
			}
			if err := acquire(ctx, free, jobWindow); err != nil { // all of them are done
				return err
			}
			for range jobWindow {
				<-free
			}
			return nil
		}
		if err := enqueue(batches/20 + 1); err != nil {
			return nil, err
		}
		return rate(batches*jobBatch, func() error { return enqueue(batches) })
	}, handler)
}

func acquire(ctx context.Context, places chan<- struct{}, n int) error {
	for range n {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// enqueueMeasure is the time from enqueueing a lone job to the start of its handler.
func enqueueMeasure(open opener, sc scale) measure {
	return measure{
		name:    "enqueue",
		metrics: []metric{{name: "p50", unit: "µs", lower: true, aim: 20}, {name: "p99", unit: "µs", lower: true}},
		ours: contestant{us, func(ctx context.Context) ([]float64, error) {
			started := make(chan time.Time, 1)
			handler := noopJob.Handle(func(context.Context, noop) error {
				started <- time.Now()
				return nil
			})
			return with(ctx, open, func(app *nvent.App) ([]float64, error) {
				return latencies(ctx, sc.samples, started, func(ctx context.Context) error {
					_, err := noopJob.Enqueue(ctx, app, noop{})
					return err
				})
			}, handler)
		}},
	}
}
