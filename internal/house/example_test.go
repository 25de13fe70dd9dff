package house_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

type (
	Order    struct{ ID string }
	Receipt  struct{ Order string }
	Parcel   struct{ Order string }
	Shipment struct{ Tracking string }
)

// README example begins.
var (
	Placed  = flow.NewEvent[Order]("order.placed")
	Charged = flow.NewEvent[Receipt]("order.charged")
	Packed  = flow.NewEvent[Parcel]("order.packed")
)

func orders() *flow.Flow[Order, Shipment] {
	f := flow.New[Order, Shipment]("order")
	flow.Start(f, "place", place, flow.Emits(Placed)) // func(context.Context, Order) (T, error)
	flow.On(f, "charge", Placed, charge, flow.Emits(Charged), flow.Attempts(5, flow.Exponential(time.Second)))
	flow.On(f, "pack", Placed, pack, flow.Emits(Packed))
	flow.Returns(f, flow.Join2(f, "ship", Charged, Packed, ship)) // func(context.Context, Receipt, Parcel) (Shipment, error)
	return f
}

func place(ctx context.Context, o Order) (Order, error) { return o, Placed.Emit(ctx, o) }

func shipOrder(ctx context.Context, app *nvent.App, o Order) (Shipment, error) {
	f := orders()
	if err := errors.Join(app.Add(f), app.Start(ctx)); err != nil {
		return Shipment{}, err
	}
	run, err := nvent.Start(ctx, app, f, o, nvent.WithKey(o.ID)) // the same key again: the same run
	if err != nil {
		return Shipment{}, err
	}
	return run.Wait(ctx)
}

// README example ends.

func charge(ctx context.Context, o Order) (struct{}, error) {
	return struct{}{}, Charged.Emit(ctx, Receipt{Order: o.ID})
}

func pack(ctx context.Context, o Order) (struct{}, error) {
	return struct{}{}, Packed.Emit(ctx, Parcel{Order: o.ID})
}

func ship(_ context.Context, r Receipt, p Parcel) (Shipment, error) {
	if r.Order != p.Order {
		return Shipment{}, fmt.Errorf("ship order %s: the parcel is of order %s", r.Order, p.Order)
	}
	return Shipment{Tracking: "T-" + r.Order}, nil
}

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	app, err := nvent.New(ctx, nvent.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	shipment, err := shipOrder(ctx, app, Order{ID: "42"})
	fmt.Println(shipment.Tracking, err, app.Close(ctx))
	// Output: T-42 <nil> <nil>
}
