package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/nvent-go/nvent"
)

var memorySuite = suite{
	name:  "memory",
	about: "everything in the memory of the process; peers: go-workflows, Watermill's gochannel",
	measures: func(sc scale) []measure {
		return []measure{jobsMeasure(memoryApp, sc), flowMeasure(memoryApp, sc), publishMeasure(memoryApp, sc), enqueueMeasure(memoryApp, sc)}
	},
}

// opener opens an App on the adapters of a suite.
type opener func(context.Context) (*nvent.App, error)

// memoryApp opens an App as it comes: concurrency, leases and retention are the defaults.
func memoryApp(ctx context.Context) (*nvent.App, error) {
	return nvent.New(ctx, nvent.Config{Logger: slog.New(slog.DiscardHandler)})
}

// with opens an App with handlers, lets do use it, and closes it.
func with[T any](ctx context.Context, open opener, do func(*nvent.App) (T, error), defs ...any) (result T, err error) {
	app, err := open(ctx)
	if err != nil {
		return result, err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		if failed := app.Close(stop); err == nil {
			err = failed
		}
	}()
	if err := app.Add(defs...); err != nil {
		return result, err
	}
	if err := app.Start(ctx); err != nil {
		return result, err
	}
	return do(app)
}
