package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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

// call runs a handler on payloads, as an engine does, and prints its result.
func call(h flow.Handler, payloads ...string) {
	slots := make([]flow.InputSlot, len(payloads))
	for i, p := range payloads {
		slots[i] = flow.InputSlot{Payload: json.RawMessage(p), Filled: true}
	}
	result, err := h.Call(context.Background(), flow.NewInputs(slots...))
	fmt.Println(string(result), err)
}

// A flow with a fan-out and a typed join.
func ExampleNew() {
	f := flow.New[order, shipment]("order")
	flow.Start(f, "place", place, flow.Emits(placed))
	flow.On(f, "charge", placed, charge, flow.Emits(charged), flow.Attempts(5, flow.Exponential(time.Second)))
	flow.On(f, "pack", placed, pack, flow.Emits(packed))
	flow.Returns(f, flow.Join2(f, "ship", charged, packed, ship))

	d, err := f.Definition()
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

// All mistakes of a flow are reported together.
func ExampleFlow_Definition() {
	f := flow.New[order, order]("order")
	flow.Start(f, "place", place, flow.Emits(placed), flow.Attempts(0, flow.Backoff{}))
	flow.On(f, "pack", charged, func(context.Context, receipt) (order, error) { return order{}, nil })
	_, err := f.Definition()

	invalid, ok := errors.AsType[*flow.Invalid](err)
	if !ok {
		return
	}
	for _, p := range invalid.Problems {
		fmt.Printf("%s: %s: %s\n", p.Step, p.What, p.Fix)
	}
	// Output:
	// place: it has 0 attempts: attempts are tries in total: use at least 1
	// pack: no step emits event "order.charged": declare the event in the emits of the step that emits it
}

func ExampleNewEvent() {
	e := flow.NewEvent[order]("order.placed")
	fmt.Println(e.Name())
	// Emit is for handlers; their context knows the step.
	fmt.Println(e.Emit(context.Background(), order{ID: "1"}))
	// Output:
	// order.placed
	// emit "order.placed": context does not belong to a running step
}

// A linear flow needs no named events; the failure of a step is an event too.
func ExampleStepRef_Failed() {
	f := flow.New[order, receipt]("linear")
	pay := flow.Start(f, "pay", func(context.Context, order) (receipt, error) {
		return receipt{}, flow.Permanent(errors.New("card is blocked"))
	})
	send := flow.On(f, "send", pay.Completed(), func(_ context.Context, r receipt) (receipt, error) { return r, nil })
	flow.On(f, "excuse", pay.Failed(), func(_ context.Context, x flow.Failure) (struct{}, error) {
		fmt.Println(x.Step, "failed:", x.Error)
		return struct{}{}, nil
	})
	flow.Returns(f, send)
	_, err := f.Definition()
	fmt.Println(err)
	// Output: <nil>
}

// JoinN with n = 1 takes whichever event comes first.
func ExampleJoinN() {
	f := flow.New[order, struct{}]("first")
	flow.Start(f, "both", func(ctx context.Context, _ order) (struct{}, error) {
		return struct{}{}, errors.Join(charged.Emit(ctx, receipt{}), packed.Emit(ctx, parcel{}))
	}, flow.Emits(charged, packed))
	flow.JoinN(f, "notify", 1, []flow.AnyEvent{charged, packed}, func(_ context.Context, in flow.Inputs) (string, error) {
		if r, ok := charged.From(in); ok {
			return "charged " + r.ID, nil
		}
		return "packed", nil
	}, flow.WhenEvent(charged, "payload.ID != ''"))
	_, err := f.Definition()
	fmt.Println(err)

	notify := f.Handlers()[1]
	result, err := notify.Call(context.Background(), flow.NewInputs(
		flow.InputSlot{Event: "order.charged", Payload: json.RawMessage(`{"ID":"r-1"}`), Filled: true},
		flow.InputSlot{Event: "order.packed"},
	))
	fmt.Println(string(result), err)
	// Output:
	// <nil>
	// "charged r-1" <nil>
}

func ExampleFunc() {
	h := flow.Func("double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	call(h, `21`)
	call(h, `"x"`)
	// Output:
	// 42 <nil>
	//  decode input of the flow as int: byte 3: a JSON string where Go has int
}

func ExampleFunc2() {
	call(flow.Func2("ship", ship), `{"ID":"r-1"}`, `{"ID":"p-1"}`)
	// Output: {"Tracking":"r-1/p-1"} <nil>
}

func ExampleFunc3() {
	call(flow.Func3("sum", func(_ context.Context, a, b, c int) (int, error) { return a + b + c, nil }), `1`, `2`, `3`)
	// Output: 6 <nil>
}

func ExampleFunc4() {
	call(flow.Func4("sum", func(_ context.Context, a, b, c, d int) (int, error) { return a + b + c + d, nil }), `1`, `2`, `3`, `4`)
	// Output: 10 <nil>
}

func ExampleFuncN() {
	call(flow.FuncN("count", func(_ context.Context, in flow.Inputs) (int, error) { return len(in.Slots()), nil }), `1`, `2`)
	// Output: 2 <nil>
}

func ExampleNewInputs() {
	in := flow.NewInputs(flow.InputSlot{Event: "order.placed", Payload: json.RawMessage(`{"ID":"42"}`), Filled: true})
	o, ok := placed.From(in)
	fmt.Println(o.ID, ok)
	// Output: 42 true
}

func ExampleParseWiring() {
	w, err := flow.ParseWiring([]byte(`
name: order
steps:
  place: {handler: place, config: {start: true, emit: [order.placed]}}
connections: []
`), "order.yaml")
	fmt.Println(w.Name)
	what, _, _ := strings.Cut(err.Error(), " (keys here are")
	fmt.Println(what)
	// Output: order.yaml:4:49: unknown key "emit" in steps.place.config; did you mean "emits"?
}

// A flow that is only a document: its handlers are registered by name.
func ExampleCompile() {
	w, err := flow.ParseWiring([]byte(`
name: order
steps:
  place: {handler: place, config: {start: true, emits: [order.placed]}}
  charge: {handler: charge, config: {emits: [order.charged]}, retry: {attempts: 5, backoff: {kind: exponential, base: 1s}}}
connections:
  - {from: order.placed, to: charge, condition: payload.total > 0}
`), "order.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := flow.Compile(w)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Name(), len(d.Hash()), d.Step("charge").Slots)
	handlers, err := flow.Bind(d, []flow.Handler{flow.Func("place", place), flow.Func("charge", charge)})
	fmt.Println(handlers["charge"].Name(), err)
	// Output:
	// order 64 [{order.placed payload.total > 0}]
	// charge <nil>
}

// A flow of Go as a document.
func ExampleWiring_YAML() {
	f := flow.New[order, struct{}]("order")
	flow.Start(f, "place", place, flow.Emits(placed))
	flow.On(f, "charge", placed, charge, flow.Emits(charged), flow.When("payload.ID != ''"), flow.Attempts(3, flow.Fixed(time.Second)))
	y, err := f.Wiring().YAML()
	fmt.Print(string(y), err)
	// Output:
	// name: order
	// steps:
	//   charge:
	//     name: charge
	//     handler: order/charge
	//     config:
	//       emits: [order.charged]
	//     retry:
	//       attempts: 3
	//       backoff:
	//         kind: fixed
	//         base: "1s"
	//   place:
	//     name: place
	//     handler: order/place
	//     config:
	//       start: true
	//       emits: [order.placed]
	// connections:
	//   - from: order.placed
	//     to: charge
	//     condition: "payload.ID != ''"
	// <nil>
}

// Exponential delays are 1 s, 2 s, 4 s and so on, here at most 10 s.
func ExampleExponential() {
	b := flow.Exponential(time.Second).WithMax(10 * time.Second)
	for n := 1; n <= 5; n++ {
		fmt.Print(b.Delay(n, 0), " ")
	}
	// Output: 1s 2s 4s 8s 10s
}

func ExampleFixed() {
	b := flow.Fixed(10 * time.Second).WithJitter(0.5)
	fmt.Println(b.Delay(1, 0), b.Delay(2, 1)) // at the ends of the jitter
	// Output: 5s 10s
}

func ExampleTTL() {
	count := func(ctx context.Context, o order) error {
		return errors.Join(
			flow.Add(ctx, "orders", 1),
			flow.Set(ctx, "last", o.ID, flow.TTL(time.Hour)),
		)
	}
	a := &flow.Attempt{} // the engine makes it
	err := count(a.With(context.Background()), order{ID: "42"})
	for _, op := range a.End().Ops {
		fmt.Println(op.Op, op.Key, string(op.Value), time.Duration(op.TTL))
	}
	fmt.Println(err)
	// Output:
	// add orders 1 0s
	// set last "42" 1h0m0s
	// <nil>
}

// Of a customer's imports one runs at a time, and no more than five of all; a start that has to wait is a run that is held.
func ExampleLimit() {
	f := flow.New[order, shipment]("import", flow.Limit(flow.Limits{
		MaxRuns: 5, Key: "input.ID", MaxRunsPerKey: 1, Rate: &flow.Rate{Starts: 100, Per: flow.Duration(time.Minute)},
	}))
	flow.Start(f, "read", func(context.Context, order) (struct{}, error) { return struct{}{}, nil })
	d, err := f.Definition()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.LimitKey([]byte(`{"ID": "42"}`)))
	// Output: 42 <nil>
}
