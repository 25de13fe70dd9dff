package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares text with a golden file, or writes it.
func golden(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if text != string(want) {
		t.Errorf("%s:\n got %s\nwant %s", file, text, want)
	}
}

func TestMalformedDocumentsAreRefusedWithEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/malformed/*.[yj]*")
	if err != nil || len(files) < 75 {
		t.Fatalf("found %d documents, want at least 75: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			w, err := flow.ParseWiring(data, filepath.Base(file))
			if err == nil {
				_, err = flow.Compile(w)
			}
			if err == nil {
				t.Fatal("the document is accepted")
			}
			if !errors.Is(err, adapter.ErrInvalid) {
				t.Errorf("the error does not match ErrInvalid")
			}
			golden(t, strings.TrimSuffix(file, filepath.Ext(file))+".golden", err.Error()+"\n")
		})
	}
}

func ignore[T any](context.Context, T) (struct{}, error) { return struct{}{}, nil }

func TestMalformedFlowsOfGoAreRefusedWithEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	none := func(context.Context, flow.Inputs) (struct{}, error) { return struct{}{}, nil }
	for name, build := range map[string]func(f *flow.Flow[order, shipment]){
		"nil-handler": func(f *flow.Flow[order, shipment]) {
			flow.Start[order, shipment, order](f, "place", nil)
		},
		"duplicate-step": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.Emits(placed))
			flow.On(f, "place", placed, charge)
		},
		"bad-names": func(f *flow.Flow[order, shipment]) {
			reserved := flow.NewEvent[order]("step:placed")
			flow.Start(f, "place it", place, flow.Emits(placed, reserved), flow.Queue("my queue"))
		},
		"nil-events": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.Emits(placed, nil))
			flow.On(f, "charge", nil, charge)
			flow.On(f, "pack", placed, pack, flow.WhenEvent(nil, "true"))
		},
		"two-types-of-one-event": func(f *flow.Flow[order, shipment]) {
			other := flow.NewEvent[receipt]("order.placed")
			flow.Start(f, "place", place, flow.Emits(placed))
			flow.On(f, "charge", other, ignore[receipt])
		},
		"undeclared-event": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.Emits(placed))
			flow.On(f, "charge", placed, charge)
			flow.Join2(f, "ship", charged, packed, ship)
		},
		"returns-nil": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.Emits(placed))
			flow.Returns(f, nil)
		},
		"step-of-another-flow": func(f *flow.Flow[order, shipment]) {
			other := flow.New[order, shipment]("other")
			there := flow.Start(other, "elsewhere", func(_ context.Context, o order) (shipment, error) { return shipment{o.ID}, nil })
			flow.Start(f, "place", place, flow.Emits(placed))
			flow.On(f, "track", there.Completed(), ignore[shipment])
			flow.Returns(f, there)
		},
		"external-with-handler": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.Emits(placed), flow.External())
		},
		"when-on-join": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.Emits(charged, packed), flow.When("true"))
			flow.Join2(f, "ship", charged, packed, ship, flow.When("payload.ID != ''"), flow.WhenEvent(placed, "true"))
		},
		"two-conditions": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.Emits(placed))
			flow.On(f, "pack", placed, pack, flow.When("payload.ID != ''"), flow.When("payload.N > 1"))
			flow.On(f, "charge", placed, charge, flow.When(""))
		},
		"bad-condition": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.Emits(placed))
			flow.On(f, "pack", placed, pack, flow.When("payload.ID == 'x' &&\n  events == 'y'"))
		},
		"each-on-join": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.Emits(charged, packed), flow.Each())
			flow.Join2(f, "ship", charged, packed, ship, flow.Each(), flow.First())
		},
		"join-n-out-of-range": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.Emits(charged, packed))
			flow.JoinN(f, "ship", 3, []flow.AnyEvent{charged, packed}, none)
			flow.JoinN(f, "bill", 0, []flow.AnyEvent{charged, packed}, none)
			flow.JoinN(f, "audit", 1, nil, none)
		},
		"same-event-twice": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.Emits(charged, charged))
			flow.Join2(f, "ship", charged, charged, func(context.Context, receipt, receipt) (struct{}, error) { return struct{}{}, nil })
		},
		"attempts": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.Attempts(0, flow.Fixed(-time.Second).WithMax(-1).WithJitter(2)), flow.Timeout(-time.Minute))
		},
		"cycle": func(f *flow.Flow[order, shipment]) {
			start := flow.Start(f, "place", place)
			flow.JoinN(f, "charge", 1, []flow.AnyEvent{start.Completed(), packed}, none, flow.Emits(charged))
			flow.On(f, "pack", charged, ignore[receipt], flow.Emits(packed))
		},
		"collect-with-each": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.EmitsAll(placed))
			flow.Collect(f, "pack", placed, ignore[flow.Group[order]], flow.Each(), flow.Delay(time.Hour))
		},
		"collect-nothing": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.EmitsAll(placed, nil), flow.Partial())
			flow.Collect[order, struct{}](f, "pack", nil, nil)
		},
		"group-returns": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.EmitsAll(placed))
			flow.Returns(f, flow.On(f, "ship", placed, func(context.Context, order) (shipment, error) { return shipment{}, nil }))
		},
		"group-joined-with-outside": func(f *flow.Flow[order, shipment]) {
			start := flow.Start(f, "place", place, flow.EmitsAll(placed))
			pick := flow.On(f, "pick", placed, pack)
			flow.Join2(f, "ship", pick.Completed(), start.Completed(), func(context.Context, struct{}, order) (struct{}, error) {
				return struct{}{}, nil
			})
		},
		"parallel": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.EmitsAll(placed))
			flow.On(f, "pick", placed, ignore[order], flow.Parallel(0))
		},
		"when-on-nil": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place)
			flow.On[order](f, "pick", nil, ignore[order], flow.When("true"), flow.Each(), flow.Delay(1))
		},
		"call-nil": func(f *flow.Flow[order, shipment]) {
			start := flow.Start(f, "place", place)
			flow.Call[order, parcel, shipment](f, "ship", start.Completed(), nil, nil)
		},
		"call-wrong-type": func(f *flow.Flow[order, shipment]) {
			start := flow.Start(f, "place", place)
			flow.Call(f, "ship", start.Completed(), flow.New[[]string, shipment]("shipping"), nil, flow.Emits(packed), flow.AwaitBefore(flow.ForEvent(nil)))
		},
		"times-of-a-start-step": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.Delay(time.Hour), flow.AwaitBefore(flow.UntilTime("payload.dueAt")))
		},
		"awaits": func(f *flow.Flow[order, shipment]) {
			flow.Start(f, "place", place, flow.AwaitBefore(flow.ForTime(-time.Hour)),
				flow.AwaitAfter(flow.OrContinue(flow.ForEvent(charged).Since(-1).Matching("id", ""), time.Hour, func() {})))
			flow.On(f, "later", placed, ignore[order], flow.Until("payload.dueAt >"), flow.Delay(-time.Second))
		},
		"resolved-without-await": func(f *flow.Flow[order, shipment]) {
			start := flow.Start(f, "place", place, flow.AwaitBefore(flow.ForSignal()))
			flow.On(f, "book", flow.Resolved[string](start), ignore[string])
		},
		"run-timeout": func(f *flow.Flow[order, shipment]) {
			late := flow.New[order, shipment]("order", flow.RunTimeout(-time.Hour))
			flow.Start(late, "place", place)
			*f = *late
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := flow.New[order, shipment]("order")
			build(f)
			_, err := f.Definition()
			if err == nil {
				t.Fatal("the flow is accepted")
			}
			golden(t, "testdata/built/"+name+".golden", err.Error()+"\n")
		})
	}
}

func TestHandlersThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	doc := `
name: order
steps:
  place: {handler: place, config: {start: true, emits: [order.charged, order.packed]}}
  ship: {handler: ship}
  first: {handler: ship, config: {join: {mode: any}}}
  track: {handler: track}
  mourn: {handler: mourn}
connections:
  - {from: order.charged, to: ship}
  - {from: order.packed, to: ship}
  - {from: order.charged, to: first}
  - {from: order.packed, to: first}
  - {from: "step:ship", to: track}
  - {from: "step:ship:failed", to: mourn}
`
	w, err := flow.ParseWiring([]byte(doc), "order.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := flow.Compile(w)
	if err != nil {
		t.Fatal(err)
	}
	mourn := flow.Func("mourn", ignore[flow.Failure])
	track := flow.Func("track", ignore[shipment])
	for name, handlers := range map[string][]flow.Handler{
		"no-handlers":      nil,
		"handler-misnamed": {flow.Func("plaec", place), flow.Func2("ship", ship), track, mourn},
		"handler-nil":      {flow.Func[order, order]("place", nil), flow.Func2("ship", ship), track, mourn},
		"too-few-inputs":   {flow.Func("place", place), flow.Func("ship", ignore[receipt]), track, mourn},
		"too-many-inputs":  {flow.Func2("place", ship), flow.Func2("ship", ship), track, mourn},
		"wrong-types":      {flow.Func("place", place), flow.Func2("ship", ship), flow.Func("track", ignore[order]), flow.Func("mourn", ignore[string])},
		"any-of": {flow.Func("place", place), flow.Func2("ship", ship), flow.Func("track", ignore[json.RawMessage]),
			flow.Func("mourn", ignore[any])},
	} {
		_, err := flow.Bind(d, handlers)
		if err == nil {
			t.Errorf("%s is accepted", name)
			continue
		}
		golden(t, "testdata/built/bind-"+name+".golden", err.Error()+"\n")
	}
}
