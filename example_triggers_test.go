package nvent_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/trigger"
)

type Night struct {
	Tick time.Time `json:"tick"`
}

// accounts is a flow that a trigger starts.
func accounts() *flow.Flow[Night, string] {
	f := flow.New[Night, string]("accounts")
	flow.Returns(f, flow.Start(f, "close", func(context.Context, Night) (string, error) {
		return "closed", nil
	}))
	return f
}

func ExampleStartsFlow() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	f := accounts()
	nightly := nvent.StartsFlow("nightly", nvent.Cron("0 3 * * *", "Europe/Oslo"), f, func(tick time.Time) Night {
		return Night{tick}
	}, nvent.CatchUpAll(7))
	app, err := runApp(ctx, f, nightly)
	if err != nil {
		fmt.Println(err)
		return
	}
	// At three it fires by itself. This is by hand.
	id, err := app.Triggers().Fire(ctx, "nightly", nil)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(nvent.RunOf[string](app, id).Wait(ctx))
	fmt.Println(app.Close(ctx))
	// Output:
	// closed <nil>
	// <nil>
}

func ExampleEnqueues() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	sent := make(chan string)
	send := SendEmail.Handle(func(_ context.Context, m Email) error {
		sent <- m.To
		return nil
	})
	reminder := nvent.Enqueues("reminder", nvent.Every(time.Hour), SendEmail, func(time.Time) Email { return Email{To: "ada@example.com"} })
	once := nvent.Enqueues("launch", nvent.Once(time.Now().Add(time.Second)), SendEmail, func(time.Time) Email { return Email{To: "all@example.com"} })
	app, err := runApp(ctx, send, reminder, once)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(<-sent)
	fmt.Println(app.Close(ctx))
	// Output:
	// all@example.com
	// <nil>
}

func ExampleOnTopic() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	sent := make(chan string)
	send := SendEmail.Handle(func(_ context.Context, m Email) error {
		sent <- m.To
		return nil
	})
	type signup struct {
		Email string `json:"email"`
		Plan  string `json:"plan"`
	}
	welcome := nvent.Enqueues("welcome", nvent.OnTopic[signup]("signups"), SendEmail, func(s signup) Email { return Email{To: s.Email} },
		nvent.Where(`payload.plan == "paid"`))
	app, err := runApp(ctx, send, welcome)
	if err != nil {
		fmt.Println(err)
		return
	}
	for n := 0; n == 0; { // until the trigger listens
		if n, err = app.Stream().SubscriptionCount(ctx, "signups"); err != nil {
			fmt.Println(err)
			return
		}
	}
	err = app.Stream().PublishAll(ctx, "signups",
		nvent.StreamInput{Data: signup{"bob@example.com", "free"}}, nvent.StreamInput{Data: signup{"ada@example.com", "paid"}})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-sent)
	fmt.Println(app.Close(ctx))
	// Output:
	// ada@example.com
	// <nil>
}

func ExampleApp_Triggers() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	app, err := runApp(ctx, accounts())
	if err != nil {
		fmt.Println(err)
		return
	}
	def, err := trigger.Parse([]byte(`
name: weekly
type: schedule
config: {cron: "0 6 * * MON", zone: Europe/Oslo}
flow: accounts
`), "weekly.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	def, err = app.Triggers().Save(ctx, def)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(app.Triggers().Pause(ctx, def.Name))

	def.Config.Cron = "0 7 * * MON" // but it has been paused meanwhile
	_, err = app.Triggers().Save(ctx, def)
	fmt.Println(errors.Is(err, nvent.ErrConflict)) // get it, apply the change to it, and save it with its version

	info, err := app.Triggers().Get(ctx, "weekly")
	fmt.Println(info.Config.Cron, info.Paused, err)
	fmt.Println(app.Close(ctx))
	// Output:
	// <nil>
	// true
	// 0 6 * * MON true <nil>
	// <nil>
}

func ExampleOnEvent() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	closing := nvent.NewBusEvent[Night]("day.closed")
	f := accounts()
	app, err := runApp(ctx, f, nvent.StartsFlow("on-close", nvent.OnEvent(closing), f, func(n Night) Night { return n }))
	if err != nil {
		fmt.Println(err)
		return
	}
	var page nvent.Page[nvent.RunStatus]
	for len(page.Items) == 0 && err == nil { // until the trigger listens
		closing.Publish(ctx, app.Bus(), Night{time.Now()})
		page, err = app.Runs(ctx, nvent.RunQuery{Label: "trigger=on-close"})
	}
	fmt.Println(page.Items[0].Flow, err)
	fmt.Println(app.Close(ctx))
	// Output:
	// accounts <nil>
	// <nil>
}
