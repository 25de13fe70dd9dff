package nventtest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/nventtest"
)

// doc: flow
var Reminded = flow.NewEvent[string]("customer.reminded")

func reminders(send func(ctx context.Context, to, token string) error) *flow.Flow[string, string] {
	f := flow.New[string, string]("reminders")
	ask := flow.Start(f, "ask", func(ctx context.Context, to string) (string, error) {
		token, err := flow.SignalTokenFor(ctx, "answer", 0)
		if err != nil {
			return "", err
		}
		return to, send(ctx, to, token)
	})
	flow.On(f, "remind", ask.Completed(), func(ctx context.Context, to string) (struct{}, error) {
		return struct{}{}, Reminded.Emit(ctx, to)
	}, flow.Delay(30*24*time.Hour), flow.Emits(Reminded))
	flow.Returns(f, flow.On(f, "answer", ask.Completed(), func(ctx context.Context, to string) (string, error) {
		answer, _, err := flow.Awaited[string](ctx)
		return fmt.Sprintf("%s says %s", to, answer), err
	}, flow.AwaitBefore(flow.ForSignal())))
	return f
}

// end doc

// doc: test
func TestReminders(t *testing.T) {
	var token string
	f := reminders(func(_ context.Context, _, tok string) error { token = tok; return nil })
	nventtest.Test(t, func(t *testing.T, app *nventtest.App) {
		run := nventtest.Start(app, f, "ada@example.com")
		app.Advance(29 * 24 * time.Hour)
		nventtest.WantEmitted(run, Reminded) // not yet
		app.Advance(24 * time.Hour)
		nventtest.WantEmitted(run, Reminded, "ada@example.com")

		nventtest.Signal(app, token, "yes")
		if got := run.Result(); got != "ada@example.com says yes" {
			t.Errorf("got %q", got)
		}
		run.WantOrder("ask", "remind", "answer")
		run.WantRecords(0, flow.RecordStepRetry, "")
	}, f)
}

// end doc

// A test of a run: see TestReminders in this package's example_test.go for a longer one.
func ExampleTest() {
	var t *testing.T // of your test function
	f := flow.New[int, int]("double")
	flow.Returns(f, flow.Start(f, "twice", func(_ context.Context, n int) (int, error) { return 2 * n, nil }))
	nventtest.Test(t, func(t *testing.T, app *nventtest.App) {
		if got := nventtest.Start(app, f, 21).Result(); got != 42 {
			t.Errorf("got %d", got)
		}
	}, f)
}
