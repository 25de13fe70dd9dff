package nvent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

// payments is a flow whose second step fails until its input has a card.
func payments() *flow.Flow[string, string] {
	type payment struct{ Who, Card string }
	f := flow.New[string, string]("payments")
	look := flow.Start(f, "look", func(_ context.Context, who string) (payment, error) {
		fmt.Println("looking up", who)
		return payment{Who: who}, nil
	})
	flow.Returns(f, flow.On(f, "pay", look.Completed(), func(_ context.Context, p payment) (string, error) {
		if p.Card == "" {
			return "", flow.Permanent(errors.New("no card"))
		}
		return p.Who + " paid with " + p.Card, nil
	}))
	return f
}

// A run that failed goes on where it failed, here with another input: what had succeeded is not done again.
func ExampleApp_RestartRun() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	f := payments()
	app, err := runApp(ctx, f)
	if err != nil {
		fmt.Println(err)
		return
	}
	run, err := nvent.Start(ctx, app, f, "ada")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = run.Wait(ctx)
	fmt.Println(errors.Is(err, nvent.ErrRunFailed))

	// doc: restart
	err = app.RestartRun(ctx, run.ID(), nvent.FromFailureWith(map[string]string{"Who": "ada", "Card": "visa"}))
	// end doc
	fmt.Println(err)
	fmt.Println(run.Wait(ctx))
	status, err := run.Status(ctx)
	fmt.Println(status.Status, status.Epoch, err)
	fmt.Println(app.Close(ctx))
	// Output:
	// looking up ada
	// true
	// <nil>
	// ada paid with visa <nil>
	// completed 2 <nil>
	// <nil>
}

// The same input once more: whatever was wrong outside has been mended meanwhile.
func ExampleFromFailure() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	mended := false
	f := flow.New[string, string]("mend")
	flow.Returns(f, flow.Start(f, "call", func(_ context.Context, s string) (string, error) {
		if !mended {
			return "", flow.Permanent(errors.New("the service is down"))
		}
		return s + " called", nil
	}))
	app, err := runApp(ctx, f)
	if err != nil {
		fmt.Println(err)
		return
	}
	run, err := nvent.Start(ctx, app, f, "ada")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = run.Wait(ctx)
	fmt.Println(err != nil)
	mended = true
	fmt.Println(app.RestartRun(ctx, run.ID(), nvent.FromFailure()))
	fmt.Println(run.Wait(ctx))
	fmt.Println(app.Close(ctx))
	// Output:
	// true
	// <nil>
	// ada called <nil>
	// <nil>
}

func ExampleFromFailureWith() {
	restart := func(ctx context.Context, app *nvent.App, run string) error {
		return app.RestartRun(ctx, run, nvent.FromFailureWith(map[string]string{"Who": "ada", "Card": "visa"}))
	}
	ctx := context.Background()
	app, err := nvent.New(ctx, nvent.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = restart(ctx, app, "01234567-89ab-7def-8123-456789abcdef")
	fmt.Println(errors.Is(err, nvent.ErrNotFound), app.Close(ctx))
	// Output: true <nil>
}

// While a run is paused nothing of it begins and no timer fires.
func ExampleApp_PauseRun() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	f := flow.New[string, string]("calm")
	flow.Returns(f, flow.Start(f, "later", func(_ context.Context, s string) (string, error) { return s, nil },
		flow.AwaitBefore(flow.ForTime(50*time.Millisecond))))
	app, err := runApp(ctx, f)
	if err != nil {
		fmt.Println(err)
		return
	}
	run, err := nvent.Start(ctx, app, f, "done")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(app.PauseRun(ctx, run.ID(), "maintenance"))
	status, err := run.Status(ctx)
	fmt.Println(status.Status, status.Paused, err)
	fmt.Println(app.ResumeRun(ctx, run.ID()))
	fmt.Println(run.Wait(ctx))
	fmt.Println(app.Close(ctx))
	// Output:
	// <nil>
	// running true <nil>
	// <nil>
	// done <nil>
	// <nil>
}

// A run that begins later is in the store at once.
func ExampleWithDelay() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	f := flow.New[string, time.Time]("later")
	flow.Returns(f, flow.Start(f, "look", func(context.Context, string) (time.Time, error) { return time.Now(), nil }))
	app, err := runApp(ctx, f)
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Now()
	for _, when := range []nvent.StartOption{nvent.WithDelay(20 * time.Millisecond), nvent.WithStartAt(now.Add(20 * time.Millisecond))} {
		run, err := nvent.Start(ctx, app, f, "x", when)
		if err != nil {
			fmt.Println(err)
			return
		}
		at, err := run.Wait(ctx)
		fmt.Println(at.Sub(now) >= 20*time.Millisecond, err)
	}
	fmt.Println(app.Close(ctx))
	// Output:
	// true <nil>
	// true <nil>
	// <nil>
}

func ExampleWithStartAt() {
	midnight := time.Now().Truncate(24 * time.Hour).Add(24 * time.Hour)
	option := nvent.WithStartAt(midnight) // for nvent.Start and App.StartFlow
	_ = option
}

// Events from outside wake the steps that await them, of any run. A key makes it safe to send one again.
func ExampleApp_SendEvent() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	paid := flow.NewEvent[json.RawMessage]("invoice.paid")
	f := flow.New[int, string]("invoice")
	flow.Returns(f, flow.Start(f, "ship", func(ctx context.Context, _ int) (string, error) {
		payment, _, err := flow.Awaited[json.RawMessage](ctx)
		return string(payment), err
	}, flow.AwaitBefore(flow.ForEvent(paid).Matching("invoice", "input"))))
	app, err := runApp(ctx, f)
	if err != nil {
		fmt.Println(err)
		return
	}
	run, err := nvent.Start(ctx, app, f, 42)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		if _, err := app.SendEvent(ctx, "invoice.paid", map[string]int{"invoice": 42}, "payment-7"); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(run.Wait(ctx))
	fmt.Println(app.Close(ctx))
	// Output:
	// {"invoice":42} <nil>
	// <nil>
}

// What comes back from whoever got the token, through an HTTP handler for example.
func ExampleApp_Signal() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tokens := make(chan string, 1)
	f := flow.New[string, string]("approval")
	ask := flow.Start(f, "ask", func(ctx context.Context, what string) (string, error) {
		token, err := flow.SignalTokenFor(ctx, "decide", time.Hour)
		if err == nil {
			tokens <- token
		}
		return what, err
	})
	flow.Returns(f, flow.On(f, "decide", ask.Completed(), func(ctx context.Context, what string) (string, error) {
		answer, _, err := flow.Awaited[string](ctx)
		return what + ": " + answer, err
	}, flow.AwaitBefore(flow.ForSignal())))
	app, err := runApp(ctx, f)
	if err != nil {
		fmt.Println(err)
		return
	}
	run, err := nvent.Start(ctx, app, f, "holiday")
	if err != nil {
		fmt.Println(err)
		return
	}
	token := <-tokens
	for r, err := range run.Events(ctx, 0) { // people are slow, but this program is not: the token counts when ask has ended
		if err != nil || r.Type == flow.RecordAwaitRegistered {
			break
		}
	}
	fmt.Println(app.Signal(ctx, token, "yes"))
	fmt.Println(run.Wait(ctx))
	fmt.Println(app.Close(ctx))
	// Output:
	// <nil>
	// holiday: yes <nil>
	// <nil>
}
