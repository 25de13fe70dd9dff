package nvent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

type Email struct {
	To string `json:"to"`
}

var SendEmail = nvent.Job[Email]("mail", "send", flow.Attempts(10, flow.Exponential(time.Second)))

// runApp returns an App on memory that runs the handlers. It must be closed.
func runApp(ctx context.Context, handlers ...any) (*nvent.App, error) {
	app, err := nvent.New(ctx, nvent.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(app.Add(handlers...), app.Start(ctx)); err != nil {
		return nil, errors.Join(err, app.Close(ctx))
	}
	return app, nil
}

func ExampleJob() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	sent := make(chan string)
	app, err := runApp(ctx, SendEmail.Handle(func(ctx context.Context, m Email) error {
		job, _ := nvent.JobInfo(ctx)
		sent <- fmt.Sprintf("to %s, attempt %d of %d", m.To, job.Attempt, job.Attempts)
		return nil
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := SendEmail.Enqueue(ctx, app, Email{To: "ada@example.com"}, nvent.Unique("welcome-ada")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-sent)
	fmt.Println(app.Close(ctx))
	// Output:
	// to ada@example.com, attempt 1 of 10
	// <nil>
}

func ExampleJobType_HandleBatch() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	insert := nvent.Job[int]("rows", "insert")
	sum := make(chan int, 3)
	app, err := runApp(ctx, insert.HandleBatch(100, func(_ context.Context, rows []int) []error {
		for _, r := range rows {
			sum <- r
		}
		return nil // all went well
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	ids, err := insert.EnqueueAll(ctx, app, []int{1, 2, 3})
	fmt.Println(len(ids), err, <-sum+<-sum+<-sum)
	fmt.Println(app.Close(ctx))
	// Output:
	// 3 <nil> 6
	// <nil>
}

func ExampleJobID() {
	fmt.Println(nvent.JobID("mail", "welcome-ada")) // the same everywhere, and for ever
	// Output: 41d5774e-9d58-59ce-8703-9ba34fe48fad
}
