package flow_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

// cut cuts the text of an error.
func cut(err error, sep string) (before, after string, found bool) {
	return strings.Cut(fmt.Sprint(err), sep)
}

var paid = flow.NewEvent[map[string]any]("invoice.paid")

// An approval: the run waits, without holding a worker, for somebody who has the token.
func ExampleSignalTokenFor() {
	tokens := make(chan string, 1)
	send := func(ctx context.Context, token string) error { // an e-mail with a link
		select {
		case tokens <- token:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	// doc: approval
	f := flow.New[order, string]("approval")
	ask := flow.Start(f, "ask", func(ctx context.Context, o order) (order, error) {
		token, err := flow.SignalTokenFor(ctx, "", 48*time.Hour)
		if err != nil {
			return o, err
		}
		return o, send(ctx, token)
	}, flow.AwaitAfter(flow.ForSignal().OrFail(48*time.Hour)))
	flow.Returns(f, flow.On(f, "book", flow.Resolved[string](ask), func(_ context.Context, answer string) (string, error) {
		return "the answer is " + answer, nil
	}))
	// end doc
	err := withApp(func(ctx context.Context, app *nvent.App) error {
		run, err := nvent.Start(ctx, app, f, order{ID: "42"})
		if err != nil {
			return err
		}
		token := <-tokens
		for r, err := range run.Events(ctx, 0) { // people are slow, but this program is not: the token counts when ask has ended
			if err != nil {
				return err
			}
			if r.Type == flow.RecordAwaitRegistered {
				break
			}
		}
		if err := app.Signal(ctx, token, "yes"); err != nil {
			return err
		}
		fmt.Println(run.Wait(ctx))
		fmt.Println(errors.Is(app.Signal(ctx, token, "no"), nvent.ErrBadToken)) // it works once
		return nil
	}, f)
	fmt.Println(err)
	// Output:
	// the answer is yes <nil>
	// true
	// <nil>
}

// A step that waits for an event from outside, and for the one that is about its own order.
func ExampleForEvent() {
	// doc: event
	f := flow.New[order, string]("invoice")
	bill := flow.Start(f, "bill", func(_ context.Context, o order) (order, error) { return o, nil })
	flow.Returns(f, flow.On(f, "ship", bill.Completed(), func(ctx context.Context, o order) (string, error) {
		payment, _, err := flow.Awaited[map[string]any](ctx)
		return fmt.Sprint(o.ID, " paid ", payment["cents"]), err
	}, flow.AwaitBefore(flow.ForEvent(paid).Matching("order", "input.ID").Since(24*time.Hour).OrFail(14*24*time.Hour))))
	// end doc
	err := withApp(func(ctx context.Context, app *nvent.App) error {
		run, err := nvent.Start(ctx, app, f, order{ID: "42"})
		if err != nil {
			return err
		}
		for _, o := range []string{"41", "42"} { // that it comes before or after the step waits makes no difference
			if _, err := app.SendEvent(ctx, paid.Name(), map[string]any{"order": o, "cents": 100}, "payment-"+o); err != nil {
				return err
			}
		}
		fmt.Println(run.Wait(ctx))
		return nil
	}, f)
	fmt.Println(err)
	// Output:
	// 42 paid 100 <nil>
	// <nil>
}

// When nothing comes in time the step goes on with something else.
func ExampleOrContinue() {
	f := flow.New[string, string]("quote")
	flow.Returns(f, flow.Start(f, "price", func(ctx context.Context, _ string) (string, error) {
		offer, _, err := flow.Awaited[map[string]any](ctx)
		return fmt.Sprint(offer["cents"]), err
	}, flow.AwaitBefore(flow.OrContinue(flow.ForEvent(paid), 10*time.Millisecond, map[string]any{"cents": 999}))))
	fmt.Println(runFlow(f, "x"))
	// Output: 999 <nil>
}

// When nothing comes in time the wait begins again, as often as the step has attempts.
func ExampleAwait_OrRetry() {
	f := flow.New[string, string]("patient")
	flow.Returns(f, flow.Start(f, "pay", func(_ context.Context, s string) (string, error) { return s, nil },
		flow.AwaitBefore(flow.ForEvent(paid).OrRetry(10*time.Millisecond)), flow.Attempts(3, flow.Backoff{})))
	_, err := runFlow(f, "x")
	_, why, _ := cut(err, "attempt 1: ")
	fmt.Println(why)
	// Output: await before: no event "invoice.paid" came in 10ms, 3 times
}

// A pause of any length, during which nothing runs.
func ExampleForTime() {
	f := flow.New[string, string]("patient")
	flow.Returns(f, flow.Start(f, "later", func(_ context.Context, s string) (string, error) { return s, nil },
		flow.AwaitBefore(flow.ForTime(20*time.Millisecond))))
	began := time.Now()
	out, err := runFlow(f, "done")
	fmt.Println(out, err, time.Since(began) >= 20*time.Millisecond)
	// Output: done <nil> true
}

// A time that the step itself has found out. What the step emitted is delivered then.
func ExampleUntilTime() {
	f := flow.New[string, string]("patient")
	first := flow.Start(f, "first", func(context.Context, string) (time.Time, error) {
		return time.Now().Add(20 * time.Millisecond), nil
	}, flow.AwaitAfter(flow.UntilTime("payload")))
	flow.Returns(f, flow.On(f, "last", first.Completed(), func(_ context.Context, due time.Time) (string, error) {
		return fmt.Sprint("too early: ", time.Now().Before(due)), nil
	}))
	fmt.Println(runFlow(f, "x"))
	// Output: too early: false <nil>
}

func ExampleDelay() {
	f := flow.New[order, string]("reminder")
	place := flow.Start(f, "place", func(_ context.Context, o order) (order, error) { return o, nil })
	flow.Returns(f, flow.On(f, "remind", place.Completed(), func(_ context.Context, o order) (string, error) {
		return "remind " + o.ID, nil
	}, flow.Delay(20*time.Millisecond)))
	fmt.Println(runFlow(f, order{ID: "42"}))
	// Output: remind 42 <nil>
}

func ExampleUntil() {
	type task struct {
		DueAt time.Time `json:"dueAt"`
	}
	f := flow.New[task, string]("task")
	plan := flow.Start(f, "plan", func(_ context.Context, t task) (task, error) { return t, nil })
	flow.Returns(f, flow.On(f, "do", plan.Completed(), func(context.Context, task) (string, error) { return "done", nil },
		flow.Until("payload.dueAt")))
	fmt.Println(runFlow(f, task{DueAt: time.Now().Add(20 * time.Millisecond)}))
	// Output: done <nil>
}

func ExampleRunTimeout() {
	f := flow.New[string, string]("short", flow.RunTimeout(20*time.Millisecond))
	flow.Returns(f, flow.Start(f, "sleep", func(_ context.Context, s string) (string, error) { return s, nil },
		flow.AwaitBefore(flow.ForTime(time.Hour))))
	_, err := runFlow(f, "x")
	fmt.Println(strings.HasSuffix(err.Error(), "run timed out after 20ms"))
	// Output: true
}

// Progress that others see although the step goes on. If the attempt fails afterwards it stays seen.
func ExampleEvent_EmitNow() {
	progress := flow.NewEvent[int]("progress")
	f := flow.New[string, string]("import")
	read := flow.Start(f, "read", func(ctx context.Context, _ string) (string, error) {
		return "read", progress.EmitNow(ctx, 50)
	}, flow.Emits(progress))
	flow.On(f, "show", progress, func(_ context.Context, percent int) (int, error) { return percent, nil }, flow.Each())
	flow.Returns(f, read)
	fmt.Println(runFlow(f, "x"))
	// Output: read <nil>
}

// The second attempt does not charge again: what Do returned is kept.
func ExampleDo() {
	calls := 0
	// doc: do
	charge := func(ctx context.Context, o order) (string, error) {
		id, err := flow.Do(ctx, "charge", func(context.Context) (string, error) {
			calls++ // call the payment service, with flow.Key(ctx) as the idempotency key
			return "charge-" + o.ID, nil
		})
		if err != nil {
			return "", err
		}
		if info, _ := flow.Info(ctx); info.Attempt == 1 {
			return "", errors.New("the receipt printer is out of paper")
		}
		return id, nil
	}
	// end doc
	f := flow.New[order, string]("pay")
	flow.Returns(f, flow.Start(f, "charge", charge, flow.Attempts(2, flow.Backoff{})))
	out, err := runFlow(f, order{ID: "42"})
	fmt.Println(out, err, "after", calls, "call")
	// Output: charge-42 <nil> after 1 call
}
