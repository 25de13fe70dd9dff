package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

var flowsSuite = suite{
	name:  "flows",
	about: "flows of every shape, in the memory of the process; peer of the linear one: go-workflows",
	measures: func(sc scale) []measure {
		return []measure{
			flowMeasure(memoryApp, sc), fanMeasure(memoryApp, sc), collectMeasure(memoryApp, sc), childMeasure(memoryApp, sc),
			loneMeasure(memoryApp, sc), openMeasure(memoryApp, sc),
		}
	},
}

// flowWork runs a flow n times, many at once, and returns the rate of its steps. want is the result of a run with input i.
func flowWork(ctx context.Context, open opener, n, steps int, f *flow.Flow[int, int], want func(i int) int, more ...any) ([]float64, error) {
	return with(ctx, open, func(app *nvent.App) ([]float64, error) {
		one := func(ctx context.Context, i int) error {
			run, err := nvent.Start(ctx, app, f, i)
			if err != nil {
				return err
			}
			got, err := run.Wait(ctx)
			if err == nil && got != want(i) {
				err = fmt.Errorf("run %s: result %d, want %d", run.ID(), got, want(i))
			}
			return err
		}
		if err := inFlight(ctx, flowInFlight, n/20+1, one); err != nil {
			return nil, err
		}
		return rate(n*steps, func() error { return inFlight(ctx, flowInFlight, n, one) })
	}, append([]any{f}, more...)...)
}

const fanWidth = 10

// fanMeasure is a step, ten that follow it at the same time, and one that joins them.
func fanMeasure(open opener, sc scale) measure {
	return measure{name: "fanout10", metrics: work("step", 0), ours: contestant{us, func(ctx context.Context) ([]float64, error) {
		f := flow.New[int, int]("fan")
		begin := flow.Start(f, "begin", func(_ context.Context, n int) (int, error) { return n, nil })
		events := make([]flow.AnyEvent, fanWidth)
		typed := make([]*flow.Event[int], fanWidth)
		for i := range fanWidth {
			branch := flow.On(f, fmt.Sprintf("branch%d", i), begin.Completed(), func(_ context.Context, n int) (int, error) { return n + i, nil })
			typed[i] = branch.Completed()
			events[i] = typed[i]
		}
		flow.Returns(f, flow.JoinN(f, "join", fanWidth, events, func(_ context.Context, in flow.Inputs) (int, error) {
			sum := 0
			for _, e := range typed {
				n, _ := e.From(in)
				sum += n
			}
			return sum, nil
		}))
		return flowWork(ctx, open, sc.runs/8+1, fanWidth+2, f, func(i int) int { return fanWidth*i + fanWidth*(fanWidth-1)/2 })
	}}}
}

const collectItems = 1000

// collectMeasure is a fan-out of 1,000 items, a step for each, and one that collects them.
func collectMeasure(open opener, sc scale) measure {
	return measure{name: "collect1000", metrics: work("step", 0), ours: contestant{us, func(ctx context.Context) ([]float64, error) {
		item := flow.NewEvent[int]("bench.item")
		f := flow.New[int, int]("collect")
		flow.Start(f, "split", func(ctx context.Context, _ int) (struct{}, error) {
			return struct{}{}, item.EmitAll(ctx, func(yield func(int) bool) {
				for i := range collectItems {
					if !yield(i) {
						return
					}
				}
			})
		}, flow.EmitsAll(item))
		one := flow.On(f, "one", item, func(_ context.Context, n int) (int, error) { return n, nil })
		flow.Returns(f, flow.Collect(f, "sum", one.Completed(), func(_ context.Context, g flow.Group[int]) (int, error) {
			sum := 0
			for n, err := range g.Values() {
				if err != nil {
					return 0, err
				}
				sum += n
			}
			return sum, nil
		}))
		return flowWork(ctx, open, sc.runs/1000+1, collectItems+2, f, func(int) int { return collectItems * (collectItems - 1) / 2 })
	}}}
}

// childMeasure is a step that calls a flow of one step.
func childMeasure(open opener, sc scale) measure {
	return measure{name: "child", metrics: work("call", 0), ours: contestant{us, func(ctx context.Context) ([]float64, error) {
		child := flow.New[int, int]("child")
		flow.Returns(child, flow.Start(child, "work", func(_ context.Context, n int) (int, error) { return n + 1, nil }))
		f := flow.New[int, int]("parent")
		begin := flow.Start(f, "begin", func(_ context.Context, n int) (int, error) { return n, nil })
		flow.Returns(f, flow.Call(f, "call", begin.Completed(), child, nil))
		return flowWork(ctx, open, sc.runs/4+1, 1, f, func(i int) int { return i + 1 }, child)
	}}}
}

// loneMeasure is how long a linear run of three steps takes when nothing else runs.
func loneMeasure(open opener, sc scale) measure {
	return measure{
		name:    "lone3",
		metrics: []metric{{name: "p50", unit: "µs", lower: true}, {name: "p99", unit: "µs", lower: true}},
		ours: contestant{us, func(ctx context.Context) ([]float64, error) {
			f := linear()
			return with(ctx, open, func(app *nvent.App) ([]float64, error) {
				ended := make(chan time.Time, 1)
				return latencies(ctx, sc.samples, ended, func(ctx context.Context) error {
					run, err := nvent.Start(ctx, app, f, 1)
					if err == nil {
						_, err = run.Wait(ctx)
					}
					ended <- time.Now()
					return err
				})
			}, f)
		}},
	}
}

// openMeasure is how much memory an open run takes: one that waits for a time, with its log.
func openMeasure(open opener, sc scale) measure {
	return measure{
		name:    "open",
		metrics: []metric{{name: "memory", unit: "bytes/run", lower: true}},
		ours: contestant{us, func(ctx context.Context) ([]float64, error) {
			f := flow.New[int, int]("open")
			begin := flow.Start(f, "begin", func(_ context.Context, n int) (int, error) { return n, nil })
			flow.On(f, "later", begin.Completed(), func(_ context.Context, n int) (int, error) { return n, nil }, flow.Delay(24*time.Hour))
			return with(ctx, open, func(app *nvent.App) ([]float64, error) {
				before := heap()
				start := func(ctx context.Context, i int) error {
					_, err := nvent.Start(ctx, app, f, i)
					return err
				}
				if err := inFlight(ctx, flowInFlight, sc.runs, start); err != nil {
					return nil, err
				}
				for left := int64(1); left > 0; { // until all of them wait
					counts, err := app.Queue().Counts(ctx, "open")
					if err != nil {
						return nil, err
					}
					left = counts.Waiting + counts.Active + counts.Delayed
				}
				return []float64{float64(heap()-before) / float64(sc.runs)}, nil
			}, f)
		}},
	}
}

// heap returns how much memory is in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
