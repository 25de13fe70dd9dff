package nvent_test

import (
	"context"
	"testing"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/enginetest"
)

// TestPromise4_NoCrashLosesARun crashes the flow of these tests at every call to its adapters. Package enginetest does so with
// everything that flows are made of.
func TestPromise4_NoCrashLosesARun(t *testing.T) {
	t.Parallel()
	enginetest.TestCrashes(t, enginetest.Harness{New: enginetest.Memory, Bubble: true}, enginetest.Scenario{
		Name:  "order",
		Flows: func() []any { return []any{fanIn(chargeOK)} },
		Start: func(ctx context.Context, app *nvent.App) (string, error) {
			run, err := app.StartFlow(ctx, "order", order{ID: "42"}, nvent.WithKey("42"))
			if err != nil {
				return "", err
			}
			return run.ID(), nil
		},
	})
}
