package file_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/nvent-go/nvent"
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
