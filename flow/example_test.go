package flow_test

import (
	"context"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/flow"
)

type (
	order    struct{ ID string }
	receipt  struct{ ID string }
	parcel   struct{ ID string }
	shipment struct{ Tracking string }
)

var (
	placed  = flow.NewEvent[order]("order.placed")
	charged = flow.NewEvent[receipt]("order.charged")
	packed  = flow.NewEvent[parcel]("order.packed")
)

func place(ctx context.Context, o order) (order, error) { return o, placed.Emit(ctx, o) }

func charge(ctx context.Context, o order) (struct{}, error) {
	return struct{}{}, charged.Emit(ctx, receipt{ID: "r-" + o.ID})
}

func pack(ctx context.Context, o order) (struct{}, error) {
	return struct{}{}, packed.Emit(ctx, parcel{ID: "p-" + o.ID})
}

func ship(_ context.Context, r receipt, p parcel) (shipment, error) {
	return shipment{Tracking: r.ID + "/" + p.ID}, nil
}

func orders() *flow.Flow[order, shipment] {
	f := flow.New[order, shipment]("order")
	flow.Start(f, "place", place, flow.Emits(placed))
	flow.On(f, "charge", placed, charge, flow.Emits(charged), flow.Attempts(5, flow.Exponential(time.Second)))
	flow.On(f, "pack", placed, pack, flow.Emits(packed))
	flow.Returns(f, flow.Join2(f, "ship", charged, packed, ship))
	return f
}

// A flow with a fan-out and a typed join.
func ExampleNew() {
	d, err := orders().Definition()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range d.Steps() {
		fmt.Println(s.Name, s.Attempts, s.Emits)
	}
	// Output:
	// charge 5 [order.charged]
	// pack 1 [order.packed]
	// place 1 [order.placed]
	// ship 1 []
}
