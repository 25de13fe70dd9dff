package enginetest_test

import (
	"context"
	"testing"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter/memory"
	"github.com/nvent-go/nvent/enginetest"
	"github.com/nvent-go/nvent/flow"
)

// The test of a driver that has a queue only: stream and store are in memory then.
func ExampleTest() {
	_ = func(t *testing.T) { // func TestFlows(t *testing.T)
		h := enginetest.Harness{
			Bubble: true, // in memory, on the time of package time
			New: func(context.Context) (enginetest.Backend, error) {
				b := memory.New(nil)
				return enginetest.Backend{
					Open: func(context.Context) (enginetest.Trio, error) { return enginetest.Trio{Queue: b.Queue()}, nil },
					Kill: func(t enginetest.Trio) { t.Queue.(*memory.Queue).Kill() },
				}, nil
			},
		}
		enginetest.Test(t, h)
		enginetest.TestCrashes(t, h, enginetest.Scenarios()...)
	}
}

// A scenario of one's own: a flow, how a run of it starts, and what is done to it.
func ExampleTestCrashes() {
	_ = func(t *testing.T) {
		enginetest.TestCrashes(t, enginetest.Harness{New: enginetest.Memory, Bubble: true}, enginetest.Scenario{
			Name: "double",
			Flows: func() []any {
				f := flow.New[int, int]("double")
				flow.Returns(f, flow.Start(f, "work", func(_ context.Context, n int) (int, error) { return 2 * n, nil }))
				return []any{f}
			},
			Start: func(ctx context.Context, app *nvent.App) (string, error) {
				run, err := app.StartFlow(ctx, "double", 21, nvent.WithKey("1"))
				if err != nil {
					return "", err
				}
				return run.ID(), nil
			},
			Act: func(ctx context.Context, app *nvent.App, run string) error {
				return app.CancelRun(ctx, run, "enough") // comes too late, or not: such a flow races
			},
			Accept: func([]enginetest.RunLog) error { return nil },
		})
	}
}
