package flow_test

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

// withApp calls use with a started App on memory that has defs, and closes it.
func withApp(use func(ctx context.Context, app *nvent.App) error, defs ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	app, err := nvent.New(ctx, nvent.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err = errors.Join(app.Add(defs...), app.Start(ctx)); err == nil {
		err = use(ctx, app)
	}
	return errors.Join(err, app.Close(ctx))
}

// runFlow runs a flow to its end on an App that also has defs.
func runFlow[In, Out any](f *flow.Flow[In, Out], in In, defs ...any) (out Out, err error) {
	err = withApp(func(ctx context.Context, app *nvent.App) error {
		run, err := nvent.Start(ctx, app, f, in)
		if err == nil {
			out, err = run.Wait(ctx)
		}
		return err
	}, append(defs, f)...)
	return out, err
}
