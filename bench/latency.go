package main

import (
	"context"
	"slices"
	"time"
)

// pace is the time between two samples of a latency: long enough for everything to be asleep again.
const pace = time.Millisecond

// latencies calls send again and again, each time with everything idle, and waits for the time that comes back through
// arrived. It returns p50 and p99 in microseconds.
func latencies(ctx context.Context, samples int, arrived <-chan time.Time, send func(context.Context) error) ([]float64, error) {
	took := make([]time.Duration, 0, samples)
	tick := time.NewTicker(pace)
	defer tick.Stop()
	warmUp := samples / 10
	for i := range warmUp + samples {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		from := time.Now()
		if err := send(ctx); err != nil {
			return nil, err
		}
		select {
		case at := <-arrived:
			if i >= warmUp {
				took = append(took, at.Sub(from))
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	slices.Sort(took)
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	return []float64{micros(took[len(took)/2]), micros(took[len(took)*99/100])}, nil
}
