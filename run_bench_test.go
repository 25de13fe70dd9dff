package nvent

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/nvent-go/nvent/flow"
)

// BenchmarkLinearFlow runs flows of three steps, 64 at a time, and waits for each.
func BenchmarkLinearFlow(b *testing.B) {
	f := flow.New[int, int]("linear")
	add := func(_ context.Context, n int) (int, error) { return n + 1, nil }
	one := flow.Start(f, "one", add)
	two := flow.On(f, "two", one.Completed(), add)
	flow.Returns(f, flow.On(f, "three", two.Completed(), add))
	ctx := b.Context()
	app, err := New(ctx, Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := app.Close(context.Background()); err != nil {
			b.Error(err)
		}
	}()
	if err := app.Add(f); err != nil {
		b.Fatal(err)
	}
	if err := app.Start(ctx); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	room := make(chan struct{}, 64)
	var wg sync.WaitGroup
	for range b.N {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			run, err := Start(ctx, app, f, 1)
			if err != nil {
				b.Error(err)
				return
			}
			if n, err := run.Wait(ctx); err != nil || n != 4 {
				b.Errorf("result %d, %v", n, err)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(3*float64(b.N)/b.Elapsed().Seconds(), "steps/s")
}
