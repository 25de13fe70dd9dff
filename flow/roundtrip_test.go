package flow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// randomFlow builds a flow that Definition accepts, with a bit of everything.
func randomFlow(r *rand.Rand) *flow.Flow[any, any] {
	f := flow.New[any, any](fmt.Sprintf("flow-%d", r.IntN(10)))
	call := func(context.Context, any) (any, error) { return nil, nil }
	callN := func(context.Context, flow.Inputs) (any, error) { return nil, nil }
	var emitted []flow.AnyEvent // each by one step
	var last *flow.StepRef[any]
	for i := range 1 + r.IntN(12) {
		name := fmt.Sprintf("s%d", i)
		var o []flow.Option
		for range r.IntN(3) {
			o = append(o, randomOption(r))
		}
		var own []flow.AnyEvent
		for j := range r.IntN(3) {
			own = append(own, flow.NewEvent[any](fmt.Sprintf("e %d: %d, \"ü\" #", i, j)))
		}
		o = append(o, flow.Emits(own...))
		switch {
		case len(emitted) == 0 || r.IntN(6) == 0:
			last = flow.Start(f, name, call, o...)
		case r.IntN(3) == 0:
			perm := r.Perm(len(emitted))[:1+r.IntN(min(len(emitted), 4))]
			var events []flow.AnyEvent
			for _, p := range perm {
				events = append(events, emitted[p])
			}
			last = flow.JoinN(f, name, 1+r.IntN(len(events)), events, callN, append(o, flow.WhenEvent(events[0], "payload != 'a: b'"))...)
		default:
			event := emitted[r.IntN(len(emitted))]
			switch e := event.(type) {
			case *flow.Event[any]:
				last = flow.On(f, name, e, call, append(o, flow.When("event != '\\n'"), flow.Each())...)
			case *flow.Event[flow.Failure]:
				last = flow.On(f, name, e, func(context.Context, flow.Failure) (any, error) { return nil, nil }, o...)
			}
		}
		emitted = append(append(emitted, own...), last.Completed(), last.Failed())
	}
	if r.IntN(2) == 0 {
		flow.Returns(f, last)
	}
	return f
}

func randomOption(r *rand.Rand) flow.Option {
	delay := time.Duration(r.Int64N(int64(time.Hour)))
	return []flow.Option{
		flow.Attempts(1+r.IntN(5), flow.Exponential(delay).WithMax(2*delay).WithJitter(r.Float64())),
		flow.Attempts(1+r.IntN(5), flow.Fixed(delay)),
		flow.Attempts(1, flow.Backoff{}),
		flow.Timeout(delay),
		flow.Queue(fmt.Sprintf("q.%d", r.IntN(3))),
		flow.ContinueOnFailure(),
	}[r.IntN(6)]
}

func TestFlowOfGoLoadsBackEqual(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	for i := range 500 {
		d, err := randomFlow(r).Definition()
		if err != nil {
			t.Fatalf("flow %d: %v", i, err)
		}
		seen[d.Hash()] = true
		asYAML, err := d.Wiring().YAML()
		if err != nil {
			t.Fatalf("flow %d: %v", i, err)
		}
		asJSON, err := json.Marshal(d.Wiring())
		if err != nil {
			t.Fatalf("flow %d: %v", i, err)
		}
		for file, data := range map[string][]byte{"f.yaml": asYAML, "f.json": asJSON} {
			if got := hashOf(t, data, file); got != d.Hash() {
				t.Fatalf("flow %d has hash %s and comes back from %s with %s:\n%s", i, d.Hash(), file, got, data)
			}
		}
		var stored flow.Wiring // as a store keeps it
		if err := json.Unmarshal(asJSON, &stored); err != nil {
			t.Fatal(err)
		}
		if back, err := flow.Compile(stored); err != nil || back.Hash() != d.Hash() {
			t.Fatalf("flow %d does not come back from the store: %v", i, err)
		}
	}
	if len(seen) < 450 {
		t.Errorf("500 flows have only %d hashes", len(seen))
	}
}

func hashOf(t *testing.T, data []byte, file string) string {
	t.Helper()
	w, err := flow.ParseWiring(data, file)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	d, err := flow.Compile(w)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return d.Hash()
}

func TestHashIsOfWhatTheFlowDoes(t *testing.T) {
	t.Parallel()
	const (
		head = "name: f\nsteps:\n"
		a    = "  a: {handler: a, config: {start: true, emits: [x, y]}}\n"
		b    = "  b: {handler: b}\n"
		c    = "  c: {handler: c}\n"
		xb   = "  - {from: x, to: b}\n"
		yb   = "  - {from: y, to: b}\n"
		xc   = "  - {from: x, to: c}\n"
		conn = "connections:\n"
	)
	doc := head + a + b + c + conn + xb + yb + xc
	want := hashOf(t, []byte(doc), "f.yaml")
	for what, same := range map[string]string{
		"order of steps":              head + c + b + a + conn + xb + yb + xc,
		"order of steps' connections": head + a + b + c + conn + xc + xb + yb,
		"order of emits":              head + "  a: {handler: a, config: {emits: [y, x], start: true}}\n" + b + c + conn + xb + yb + xc,
		"version":                     "_version: 7\nupdatedAt: 123\n" + doc,
		"step named inside":           head + a + "  b: {name: b, handler: b}\n" + c + conn + xb + yb + xc,
		"nothing by default":          head + a + b + c + conn + xb + yb + xc + "config: {timeout: 0}\n",
		"defaults spelled out": head + a + c + "  b: {handler: b, retry: {attempts: 1}, config: {queue: f, onFailure: fail, join: {mode: n, n: 2}}}\n" +
			conn + xb + yb + "  - {from: x, to: c, repeat: first}\n",
	} {
		if got := hashOf(t, []byte(same), "f.yaml"); got != want {
			t.Errorf("%s changes the hash", what)
		}
	}
	for what, other := range map[string]string{
		"order of a join's connections": head + a + b + c + conn + yb + xb + xc,
		"name":                          "name: g\nsteps:\n" + a + b + c + conn + xb + yb + xc,
		"handler":                       head + a + "  b: {handler: b2}\n" + c + conn + xb + yb + xc,
		"condition":                     head + a + b + c + conn + xb + yb + "  - {from: x, to: c, condition: payload.n > 1}\n",
		"repeat":                        head + a + b + c + conn + xb + yb + "  - {from: x, to: c, repeat: each}\n",
		"join":                          head + a + "  b: {handler: b, config: {join: {mode: any}}}\n" + c + conn + xb + yb + xc,
		"attempts":                      head + a + "  b: {handler: b, retry: {attempts: 2}}\n" + c + conn + xb + yb + xc,
		"timeout":                       head + a + "  b: {handler: b, config: {timeout: 1}}\n" + c + conn + xb + yb + xc,
		"policy":                        head + a + "  b: {handler: b, config: {onFailure: continue}}\n" + c + conn + xb + yb + xc,
		"timeout of runs":               doc + "config: {timeout: 1h}\n",
		"returns":                       head + a + "  b: {handler: b, config: {returns: true}}\n" + c + conn + xb + yb + xc,
	} {
		if got := hashOf(t, []byte(other), "f.yaml"); got == want {
			t.Errorf("%s does not change the hash", what)
		}
	}
}

func TestDefaultOfAnAwaitIsAnyValue(t *testing.T) {
	t.Parallel()
	doc := func(value string) string {
		return `{"name": "f", "steps": {"a": {"handler": "a", "config": {"start": true,
			"awaitBefore": {"type": "signal", "timeout": "1h", "onTimeout": "continue", "default": ` + value + `}}}}}`
	}
	hashes := map[string]string{}
	for _, value := range []string{`{"b": [1, 2.50], "a": null}`, `[]`, `[{"x": 1}]`, `{}`, `7`, `"x"`, `false`, `null`} {
		want := hashOf(t, []byte(doc(value)), "f.json")
		if first, dup := hashes[want]; dup {
			t.Errorf("the defaults %s and %s have one hash", first, value)
		}
		hashes[want] = value
		var stored flow.Wiring
		if err := json.Unmarshal([]byte(doc(value)), &stored); err != nil {
			t.Fatal(err)
		}
		asYAML, err := stored.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if d, err := flow.Compile(stored); err != nil || d.Hash() != want || hashOf(t, asYAML, "f.yaml") != want {
			t.Errorf("default %s does not come back as the same flow: %v\n%s", value, err, asYAML)
		}
	}
}

// FuzzParseWiring checks that no document takes the reader or the analysis down, and that what is accepted keeps its hash
// when it is written and read again.
func FuzzParseWiring(f *testing.F) {
	files, err := filepath.Glob("testdata/malformed/*.[yj]*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 10 {
		data, err := randomFlow(r).Wiring().YAML()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := flow.ParseWiring(data, "f.yaml")
		if err != nil {
			return
		}
		d, err := flow.Compile(w)
		if err != nil {
			return
		}
		asYAML, err := d.Wiring().YAML()
		if err != nil {
			t.Fatal(err)
		}
		if got := hashOf(t, asYAML, "f.yaml"); got != d.Hash() {
			t.Fatalf("%s\nhas hash %s and comes back with %s:\n%s", data, d.Hash(), got, asYAML)
		}
	})
}
