package file_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file"
	"github.com/nvent-go/nvent/flow"
)

// BenchmarkFlow runs a linear flow of three steps, 64 runs at once.
func BenchmarkFlow(b *testing.B) {
	backend, err := file.Open(b.Context(), &file.Options{DataDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer backend.Close()
	app, err := nvent.New(b.Context(), nvent.Config{
		Queue: nvent.QueueConfig{Driver: backend.Queue()}, Stream: nvent.StreamConfig{Driver: backend.Stream()},
		Store: nvent.StoreConfig{Driver: backend.Store()}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	first, second := flow.NewEvent[int]("first"), flow.NewEvent[int]("second")
	f := flow.New[int, int]("three")
	flow.Start(f, "one", func(ctx context.Context, n int) (int, error) { return n, first.Emit(ctx, n) }, flow.Emits(first))
	flow.On(f, "two", first, func(ctx context.Context, n int) (int, error) { return n, second.Emit(ctx, n) }, flow.Emits(second))
	flow.Returns(f, flow.On(f, "three", second, func(_ context.Context, n int) (int, error) { return n, nil }))
	if err := app.Add(f); err != nil {
		b.Fatal(err)
	}
	if err := app.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := app.Close(context.WithoutCancel(b.Context())); err != nil {
			b.Error(err)
		}
	}()
	var left sync.WaitGroup
	work := make(chan int)
	b.ResetTimer()
	for range 64 {
		left.Go(func() {
			for n := range work {
				run, err := nvent.Start(b.Context(), app, f, n)
				if err == nil {
					_, err = run.Wait(b.Context())
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	for n := range b.N {
		work <- n
	}
	close(work)
	left.Wait()
	b.ReportMetric(3*float64(b.N)/b.Elapsed().Seconds(), "steps/s")
}

// BenchmarkWakeUp is the time from enqueueing on one open directory to the handler on another one, as between processes.
func BenchmarkWakeUp(b *testing.B) {
	dir := b.TempDir()
	var opened [2]*file.Backend
	for i := range opened {
		var err error
		if opened[i], err = file.Open(b.Context(), &file.Options{DataDir: dir}); err != nil {
			b.Fatal(err)
		}
		defer opened[i].Close()
	}
	ctx, cancel := context.WithCancel(b.Context())
	got, ended := make(chan time.Time), make(chan error, 1)
	go func() {
		o := adapter.ConsumeOptions{Concurrency: func() int { return 1 }}
		ended <- opened[1].Queue().Consume(ctx, "q", o, func(ctx context.Context, d *adapter.Delivery) {
			got <- time.Now()
			opened[1].Queue().Settle(ctx, adapter.Settlement{Queue: d.Queue, ID: d.ID, Receipt: d.Receipt})
		})
	}()
	var took []time.Duration
	for b.Loop() {
		from := time.Now()
		if _, err := opened[0].Queue().Enqueue(ctx, adapter.NewJob{ID: uuid.NewString(), Queue: "q", Name: "n"}); err != nil {
			b.Fatal(err)
		}
		took = append(took, (<-got).Sub(from))
	}
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
