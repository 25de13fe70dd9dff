package nvent

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/nvent-go/nvent/adapter/memory"
)

// BenchmarkJobs enqueues jobs that do nothing, 1,000 at a time, while workers run them, and waits until all are done.
func BenchmarkJobs(b *testing.B) {
	j := Job[struct{}]("q", "noop")
	benchmarkJobs(b, j, func(done func(int)) Handler {
		return j.Handle(func(context.Context, struct{}) error {
			done(1)
			return nil
		})
	})
}

// BenchmarkJobsInBatches is BenchmarkJobs with a handler of up to 100 jobs at once.
func BenchmarkJobsInBatches(b *testing.B) {
	j := Job[struct{}]("q", "noop")
	benchmarkJobs(b, j, func(done func(int)) Handler {
		return j.HandleBatch(100, func(_ context.Context, vs []struct{}) []error {
			done(len(vs))
			return nil
		})
	})
}

func benchmarkJobs(b *testing.B, j *JobType[struct{}], handler func(done func(int)) Handler) {
	ctx := b.Context()
	backend := memory.New(nil)
	app, err := New(ctx, Config{
		Queue:  QueueConfig{Driver: backend.Queue(), Default: JobDefaults{Worker: WorkerConfig{Concurrency: 128}}},
		Stream: StreamConfig{Driver: backend.Stream()}, Store: StoreConfig{Driver: backend.Store()},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	var count atomic.Int64
	all := make(chan struct{})
	done := func(n int) {
		if count.Add(int64(n)) == int64(b.N) {
			close(all)
		}
	}
	if err := app.Add(handler(done)); err != nil {
		b.Fatal(err)
	}
	if err := app.Start(ctx); err != nil {
		b.Fatal(err)
	}
	values := make([]struct{}, 1000)
	b.ReportAllocs()
	b.ResetTimer()
	for n := b.N; n > 0; n -= len(values) {
		if _, err := j.EnqueueAll(ctx, app, values[:min(n, len(values))]); err != nil {
			b.Fatal(err)
		}
	}
	<-all
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
	if err := app.Close(ctx); err != nil {
		b.Fatal(err)
	}
}
