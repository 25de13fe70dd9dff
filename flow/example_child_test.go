package flow_test

import (
	"context"
	"fmt"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

// A step that is a run of another flow. Whoever waits for it holds no worker.
func ExampleCall() {
	// doc: call
	shipping := flow.New[parcel, shipment]("shipping")
	flow.Returns(shipping, flow.Start(shipping, "book", func(_ context.Context, p parcel) (shipment, error) {
		return shipment{Tracking: "T-" + p.ID}, nil
	}))

	f := flow.New[order, string]("order")
	place := flow.Start(f, "place", func(_ context.Context, o order) (order, error) { return o, nil })
	ship := flow.Call(f, "ship", place.Completed(), shipping, func(_ context.Context, o order) (parcel, error) {
		return parcel(o), nil // the input of the child
	})
	flow.Returns(f, flow.On(f, "tell", ship.Completed(), func(_ context.Context, s shipment) (string, error) {
		return "it is on its way: " + s.Tracking, nil
	}))
	// end doc
	fmt.Println(runFlow(f, order{ID: "42"}, shipping))
	// Output: it is on its way: T-42 <nil>
}

// A run that nobody waits for. It starts if and only if the attempt succeeds.
func ExampleLaunch() {
	told := make(chan string, 1)
	notify := flow.New[order, struct{}]("notify")
	flow.Start(notify, "tell", func(_ context.Context, o order) (struct{}, error) {
		told <- o.ID
		return struct{}{}, nil
	})
	f := flow.New[order, string]("order")
	flow.Returns(f, flow.Start(f, "place", func(ctx context.Context, o order) (string, error) {
		return "placed", flow.Launch(ctx, notify, o)
	}))
	err := withApp(func(ctx context.Context, app *nvent.App) error {
		run, err := nvent.Start(ctx, app, f, order{ID: "42"})
		if err != nil {
			return err
		}
		fmt.Println(run.Wait(ctx))
		fmt.Println("told about", <-told)
		return nil
	}, notify, f)
	fmt.Println(err)
	// Output:
	// placed <nil>
	// told about 42
	// <nil>
}

func ExampleLaunchFlow() {
	launch := func(ctx context.Context) error { return flow.LaunchFlow(ctx, "notify", order{ID: "42"}) }
	a := &flow.Attempt{} // the engine makes it
	fmt.Println(launch(a.With(context.Background())))
	for _, l := range a.End().Launches {
		fmt.Println(l.Flow, string(l.Input))
	}
	// Output:
	// <nil>
	// notify {"ID":"42"}
}
