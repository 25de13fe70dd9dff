package main

import (
	"context"
	"fmt"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

const (
	flowSteps    = 3
	flowInFlight = 64 // runs at once, ours and the peers'
)

// flowMeasure is runs of a linear flow of three steps that do nothing, from the start to the result.
func flowMeasure(open opener, sc scale) measure {
	return measure{
		name:    "flow3",
		metrics: work("step", 100_000),
		ours: contestant{us, func(ctx context.Context) ([]float64, error) {
			return runFlows(ctx, open, sc.runs)
		}},
		peers: []contestant{{"go-workflows", func(ctx context.Context) ([]float64, error) {
			return runGoWorkflows(ctx, sc.slowRuns)
		}}},
	}
}

// linear passes a number through three steps, each of which counts.
func linear() *flow.Flow[int, int] {
	first, second := flow.NewEvent[int]("bench.first"), flow.NewEvent[int]("bench.second")
	f := flow.New[int, int]("bench")
	flow.Start(f, "one", func(ctx context.Context, n int) (struct{}, error) {
		return struct{}{}, first.Emit(ctx, n+1)
	}, flow.Emits(first))
	flow.On(f, "two", first, func(ctx context.Context, n int) (struct{}, error) {
		return struct{}{}, second.Emit(ctx, n+1)
	}, flow.Emits(second))
	flow.Returns(f, flow.On(f, "three", second, func(_ context.Context, n int) (int, error) { return n + 1, nil }))
	return f
}

func runFlows(ctx context.Context, open opener, n int) ([]float64, error) {
	f := linear()
	return with(ctx, open, func(app *nvent.App) ([]float64, error) {
		one := func(ctx context.Context, i int) error {
			run, err := nvent.Start(ctx, app, f, i)
			if err != nil {
				return err
			}
			got, err := run.Wait(ctx)
			if err == nil && got != i+flowSteps {
				err = fmt.Errorf("run %s: result %d, want %d", run.ID(), got, i+flowSteps)
			}
			if err == nil && i == 0 {
				err = checkLog(run.Events(ctx, 0))
			}
			return err
		}
		if err := inFlight(ctx, flowInFlight, n/20+1, one); err != nil {
			return nil, err
		}
		return rate(n*flowSteps, func() error { return inFlight(ctx, flowInFlight, n, one) })
	}, f)
}

// checkLog checks that the log is the whole one: what is fast because it writes less is not what we measure.
func checkLog(events func(func(adapter.Record, error) bool)) error {
	got := map[string]int{}
	for r, err := range events {
		if err != nil {
			return err
		}
		got[r.Type]++
	}
	for kind, want := range map[string]int{
		flow.RecordFlowStarted: 1, flow.RecordStepStarted: flowSteps, flow.RecordEmit: 2, flow.RecordStepCompleted: flowSteps,
		flow.RecordFlowCompleted: 1,
	} {
		if got[kind] != want {
			return fmt.Errorf("log of a run has %d records %q, want %d; it has %v", got[kind], kind, want, got)
		}
	}
	return nil
}
