package flow_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// A line of steps: each begins when the one before has succeeded, with its result.
func Example_line() {
	// doc: line
	f := flow.New[string, int]("line")
	trim := flow.Start(f, "trim", func(_ context.Context, s string) (string, error) { return s[:3], nil })
	flow.Returns(f, flow.On(f, "count", trim.Completed(), func(_ context.Context, s string) (int, error) { return len(s), nil }))
	// end doc
	fmt.Println(runFlow(f, "abcdef"))
	// Output: 3 <nil>
}

// A join of two steps, and one of whichever comes first.
func Example_joins() {
	// doc: joins
	f := flow.New[order, shipment]("order")
	flow.Start(f, "place", place, flow.Emits(placed))
	flow.On(f, "charge", placed, charge, flow.Emits(charged))
	flow.On(f, "pack", placed, pack, flow.Emits(packed))
	flow.Returns(f, flow.Join2(f, "ship", charged, packed, ship)) // once both are there
	flow.JoinN(f, "notify", 1, []flow.AnyEvent{charged, packed},  // once one of them is
		func(_ context.Context, in flow.Inputs) (string, error) {
			if r, ok := charged.From(in); ok {
				return "charged " + r.ID, nil
			}
			return "packed", nil
		})
	// end doc
	fmt.Println(runFlow(f, order{ID: "42"}))
	// Output: {r-42/p-42} <nil>
}

// Attempts, and a step that handles the final failure of another.
func Example_errors() {
	errBlocked, errBusy := errors.New("card blocked"), errors.New("busy")
	pay := func(context.Context, order) error { return errBlocked }
	// doc: errors
	f := flow.New[order, string]("pay")
	charge := flow.Start(f, "charge", func(ctx context.Context, o order) (string, error) {
		switch err := pay(ctx, o); {
		case errors.Is(err, errBlocked):
			return "", flow.Permanent(err) // no further attempt can help
		case errors.Is(err, errBusy):
			return "", flow.RetryAfter(err, time.Minute) // in place of the back-off
		default:
			return "charged", err
		}
	}, flow.Attempts(5, flow.Exponential(time.Second).WithMax(time.Minute).WithJitter(0.2)), flow.Timeout(30*time.Second))
	flow.Returns(f, flow.On(f, "excuse", charge.Failed(), func(_ context.Context, x flow.Failure) (string, error) {
		return fmt.Sprintf("%s failed: %s", x.Step, x.Error), nil
	}))
	// end doc
	fmt.Println(runFlow(f, order{ID: "42"}))
	// Output: charge failed: card blocked <nil>
}
