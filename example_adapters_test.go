package nvent_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent"
)

func ExampleNewBusEvent() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	app, err := runApp(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	paid := nvent.NewBusEvent[int]("order.paid")
	off := paid.On(app.Bus(), func(_ context.Context, cents int) { fmt.Println("paid", cents) })
	paid.Publish(ctx, app.Bus(), 4200)
	off()
	paid.Publish(ctx, app.Bus(), 1)
	fmt.Println(app.Close(ctx))
	// Output:
	// paid 4200
	// <nil>
}

func ExampleStore_Save() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	app, err := runApp(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	type product struct {
		Name    string        `json:"name"`
		Version nvent.Version `json:"_version,omitempty"`
	}
	store := app.Store()
	if _, err := store.Save(ctx, "products", "apple", product{Name: "Apple"}); err != nil {
		fmt.Println(err)
	}
	_, err = store.Save(ctx, "products", "apple", product{Name: "Overwritten"})
	fmt.Println("a second one:", errors.Is(err, nvent.ErrConflict))

	var p product
	doc, err := store.Get(ctx, "products", "apple")
	fmt.Println(err, doc.Decode(&p))
	p.Name = "Green apple" // it carries its version, so it can be saved as it is
	_, err = store.Save(ctx, "products", "apple", p)
	fmt.Println(err)
	fmt.Println(app.Close(ctx))
	// Output:
	// a second one: true
	// <nil> <nil>
	// <nil>
	// <nil>
}

func ExampleRunSubject() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	app, err := runApp(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = app.Store().Append(ctx, nvent.RunSubject("0197c7c0"), nvent.EventInput{Type: "forged"})
	fmt.Println(errors.Is(err, nvent.ErrInvalid))
	fmt.Println(app.Close(ctx))
	// Output:
	// true
	// <nil>
}
