package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	_ "github.com/dbos-inc/dbos-transact-golang/dbos/driver/sqlite" // its dialect
)

func dbosFlow(ctx dbos.Context, n int) (int, error) {
	for range flowSteps {
		got, err := dbos.RunAsStep(ctx, func(context.Context) (int, error) { return n + 1, nil })
		if err != nil {
			return 0, err
		}
		n = got
	}
	return n, nil
}

// runDBOS is three steps in a row on DBOS Transact, on SQLite that is synced at every commit (its own default is not).
func runDBOS(ctx context.Context, dir string, n int) (values []float64, err error) {
	db, err := openSQLite(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if failed := db.Close(); err == nil {
			err = failed
		}
	}()
	d, err := dbos.NewContext(ctx, dbos.Config{AppName: "bench", SQLiteSystemDB: db, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	dbos.RegisterWorkflow(d, dbosFlow)
	if err := dbos.Launch(d); err != nil {
		return nil, err
	}
	defer func() {
		if failed := dbos.Shutdown(d, 10*time.Second); err == nil {
			err = failed
		}
	}()
	one := func(_ context.Context, i int) error {
		h, err := dbos.RunWorkflow(d, dbosFlow, i)
		if err != nil {
			return err
		}
		got, err := h.GetResult()
		if err == nil && got != i+flowSteps {
			err = fmt.Errorf("result %d, want %d", got, i+flowSteps)
		}
		return err
	}
	if err := inFlight(ctx, flowInFlight, n/20+1, one); err != nil {
		return nil, err
	}
	return rate(n*flowSteps, func() error { return inFlight(ctx, flowInFlight, n, one) })
}
