package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/nvent-go/nvent"
)

var fileSuite = suite{
	name: "file",
	about: "everything in a directory, synced at every commit; peers: River and DBOS on SQLite, goqite, and bare SQLite\n" +
		"               with the commits of many callers in one",
	measures: func(sc scale) []measure {
		list := []measure{}
		for _, n := range []int{1, 100} {
			list = append(list, fileEnqueue(sc, n))
		}
		list = append(list, fileBare(sc), fileBatch(sc))
		for _, n := range []int{1, 100} {
			list = append(list, fileDrain(sc, n))
		}
		return append(list, fileFlows(sc), fileIdle(sc))
	},
}

// inDir runs a contestant in a new directory.
func inDir(run func(ctx context.Context, dir string) ([]float64, error)) func(context.Context) ([]float64, error) {
	return func(ctx context.Context) (values []float64, err error) {
		dir, err := os.MkdirTemp("", "nvent-bench")
		if err != nil {
			return nil, err
		}
		defer func() {
			if failed := os.RemoveAll(dir); err == nil {
				err = failed
			}
		}()
		return run(ctx, dir)
	}
}

// fileApp opens an App on a directory, with workers for so many handlers at once.
func fileApp(dir string, workers int) opener {
	return func(ctx context.Context) (*nvent.App, error) {
		c := nvent.Config{
			Logger: slog.New(slog.DiscardHandler),
			Queue:  nvent.QueueConfig{Adapter: "file"}, Stream: nvent.StreamConfig{Adapter: "file"}, Store: nvent.StoreConfig{Adapter: "file"},
			Connections: map[string]nvent.Options{"file": {"dataDir": filepath.Join(dir, "data")}},
		}
		c.Queue.Default.Worker.Concurrency = max(workers, 1)
		if workers == 0 {
			autorun := false
			c.Queue.Default.Worker.Autorun = &autorun
		}
		return nvent.New(ctx, c)
	}
}

// enqueueOurs enqueues n jobs from so many goroutines, and waits for each to be on disk.
func enqueueOurs(goroutines, n int) func(context.Context, string) ([]float64, error) {
	return func(ctx context.Context, dir string) ([]float64, error) {
		return with(ctx, fileApp(dir, 0), func(app *nvent.App) ([]float64, error) {
			return rate(n, func() error {
				return inFlight(ctx, goroutines, n, func(ctx context.Context, i int) error {
					_, err := noopJob.Enqueue(ctx, app, noop{N: i})
					return err
				})
			})
		}, noopJob.Handle(func(context.Context, noop) error { return nil }))
	}
}

func fileEnqueue(sc scale, goroutines int) measure {
	n := sc.fileJobs / 20
	if goroutines > 1 {
		n = sc.fileJobs
	}
	return measure{
		name: fmt.Sprint("enqueue", goroutines), metrics: work("job", 0),
		ours: contestant{us, inDir(enqueueOurs(goroutines, n))},
		peers: []contestant{
			{"river", inDir(enqueueRiver(goroutines, sc.slowJobs))},
			{"goqite", inDir(enqueueGoqite(goroutines, sc.slowJobs))},
		},
	}
}

// fileBare compares with what SQLite can do at best: rows of the same size, no index, the commits of all callers in one.
func fileBare(sc scale) measure {
	return measure{
		name: "bare", metrics: work("job", 0),
		ours:  contestant{us, inDir(enqueueOurs(100, sc.fileJobs))},
		peers: []contestant{{"bare SQLite", inDir(insertBare(100, sc.fileJobs))}},
	}
}

func fileBatch(sc scale) measure {
	return measure{
		name: "batch", metrics: work("job", 0),
		ours: contestant{us, inDir(func(ctx context.Context, dir string) ([]float64, error) {
			return with(ctx, fileApp(dir, 0), func(app *nvent.App) ([]float64, error) {
				return rate(sc.fileJobs, func() error { return enqueueBatches(ctx, app, sc.fileJobs) })
			}, noopJob.Handle(func(context.Context, noop) error { return nil }))
		})},
		peers: []contestant{{"river", inDir(batchRiver(sc.slowJobs))}},
	}
}

func enqueueBatches(ctx context.Context, app *nvent.App, n int) error {
	list := make([]noop, jobBatch)
	for range n / jobBatch {
		if _, err := noopJob.EnqueueAll(ctx, app, list); err != nil {
			return err
		}
	}
	return nil
}

// fileDrain works off jobs that wait, each of which does nothing, and waits until the last one is settled.
func fileDrain(sc scale, workers int) measure {
	n, slow := sc.fileJobs, sc.slowJobs
	if workers == 1 {
		n, slow = n/10, max(slow/5, jobBatch)
	}
	return measure{
		name: fmt.Sprint("drain", workers), metrics: work("job", 0),
		ours: contestant{us, inDir(func(ctx context.Context, dir string) ([]float64, error) { return drainFile(ctx, dir, workers, n) })},
		peers: []contestant{
			{"river", inDir(drainRiver(workers, slow))},
			{"goqite", inDir(drainGoqite(workers, slow))},
		},
	}
}

func drainFile(ctx context.Context, dir string, workers, n int) ([]float64, error) {
	_, err := with(ctx, fileApp(dir, 0), func(app *nvent.App) ([]float64, error) { return nil, enqueueBatches(ctx, app, n) },
		noopJob.Handle(func(context.Context, noop) error { return nil }))
	if err != nil {
		return nil, err
	}
	var done atomic.Int64
	last := make(chan struct{})
	count := n / jobBatch * jobBatch
	return rate(count, func() error {
		_, err := with(ctx, fileApp(dir, workers), func(*nvent.App) ([]float64, error) {
			select {
			case <-last:
				return nil, nil // closing waits for the settlements
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}, noopJob.Handle(func(context.Context, noop) error {
			if done.Add(1) == int64(count) {
				close(last)
			}
			return nil
		}))
		return err
	})
}

func fileFlows(sc scale) measure {
	return measure{
		name: "flow3", metrics: work("step", 0),
		ours: contestant{us, inDir(func(ctx context.Context, dir string) ([]float64, error) {
			return runFlows(ctx, fileApp(dir, 32), sc.fileRuns)
		})},
		peers: []contestant{{"dbos", inDir(func(ctx context.Context, dir string) ([]float64, error) {
			return runDBOS(ctx, dir, sc.slowRuns)
		})}},
	}
}

// fileIdle is the time from enqueueing a lone job to the start of its handler.
func fileIdle(sc scale) measure {
	return measure{
		name:    "idle",
		metrics: []metric{{name: "p50", unit: "µs", lower: true, aim: 2000}, {name: "p99", unit: "µs", lower: true}},
		ours: contestant{us, inDir(func(ctx context.Context, dir string) ([]float64, error) {
			started := make(chan time.Time, 1)
			handler := noopJob.Handle(func(context.Context, noop) error {
				started <- time.Now()
				return nil
			})
			return with(ctx, fileApp(dir, 32), func(app *nvent.App) ([]float64, error) {
				return latencies(ctx, sc.samples/2, started, func(ctx context.Context) error {
					_, err := noopJob.Enqueue(ctx, app, noop{})
					return err
				})
			}, handler)
		})},
	}
}
