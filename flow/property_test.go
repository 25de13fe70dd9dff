package flow_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// joinedFlow returns a flow of up to 12 steps. Each step but the first joins all of one to three earlier ones; some may fail
// without failing the run, and some emit an event that others join.
func joinedFlow(r *rand.Rand) flow.Wiring {
	n := 2 + r.IntN(11)
	w := flow.Wiring{Name: "random", Steps: map[string]flow.StepDefinition{}}
	for i := range n {
		name := fmt.Sprintf("s%02d", i)
		def := flow.StepDefinition{Name: name, Handler: name, Retry: &flow.Retry{Attempts: 1 + r.IntN(3)}}
		def.Config.Start = i == 0
		if r.IntN(3) == 0 {
			def.Config.Emits = []string{"event." + name}
		}
		if r.IntN(4) == 0 {
			def.Config.OnFailure = flow.OnFailureContinue
		}
		w.Steps[name] = def
		if i == 0 {
			continue
		}
		for _, from := range r.Perm(i)[:1+r.IntN(min(i, 3))] {
			source := flow.StepEvent(fmt.Sprintf("s%02d", from))
			if emits := w.Steps[fmt.Sprintf("s%02d", from)].Config.Emits; len(emits) > 0 && r.IntN(2) == 0 {
				source = emits[0]
			}
			w.Connections = append(w.Connections, flow.Connection{From: source, To: name})
		}
	}
	return w
}

// play runs a flow in an order that r chooses, with duplicates of old outcomes thrown in, and checks the invariants after
// every transition. fails decides, whatever the order, how often a step fails. It returns the log in canonical form.
func play(t *testing.T, d *flow.Definition, r *rand.Rand, fails func(step string) int) []string {
	t.Helper()
	out := &flow.Changes{}
	now := time.UnixMilli(1)
	s, err := d.Begin("run", flow.Beginning{Input: json.RawMessage(`0`)}, now, out)
	if err != nil {
		t.Fatal(err)
	}
	var old []flow.Outcome
	for step := 0; s.Status == flow.StatusRunning; step++ {
		if step > 1000 {
			t.Fatal("the run does not end")
		}
		tokens := slices.Collect(keys(s.OpenTokens("run")))
		tok := tokens[r.IntN(len(tokens))]
		o := flow.Outcome{Token: tok, Result: json.RawMessage(`"` + tok.Step + `"`)}
		if s.Scheduled(tok).Attempt <= fails(tok.Step) {
			o = flow.Outcome{Token: tok, Err: &flow.AttemptError{Message: "no"}}
		}
		for _, e := range d.Step(tok.Step).Emits { // of failed attempts too: nobody may see them
			o.Emissions = append(o.Emissions, flow.Emission{Event: e, Payload: json.RawMessage(`"` + tok.Step + `"`)})
		}
		if v := d.Apply("run", s, o, now, out); v != flow.Accepted {
			t.Fatalf("outcome of %s is refused", tok)
		}
		old = append(old, o)
		before := len(out.Records)
		if v := d.Apply("run", s, old[r.IntN(len(old))], now, out); v != flow.Stale || len(out.Records) != before {
			t.Fatal("an outcome is accepted twice")
		}
		if open := len(slices.Collect(keys(s.OpenTokens("run")))); open != s.Open || (s.Open == 0) == (s.Status == flow.StatusRunning) {
			t.Fatalf("outstanding %d, recounted %d, status %s", s.Open, open, s.Status)
		}
		if back, err := flow.DecodeState(s.Encode()); err != nil || string(back.Encode()) != string(s.Encode()) {
			t.Fatalf("state does not survive encoding: %v", err)
		}
	}
	return canonicalLog(t, d, out.Records)
}

func keys(seq func(func(flow.Token, *flow.Iteration) bool)) func(func(flow.Token) bool) {
	return func(yield func(flow.Token) bool) {
		seq(func(t flow.Token, _ *flow.Iteration) bool { return yield(t) })
	}
}

// canonicalLog checks that seqs are gapless and that every step ran once, with exactly what its connections name, and returns
// the log as a partial order.
func canonicalLog(t *testing.T, d *flow.Definition, records []adapter.Record) []string {
	t.Helper()
	names := map[uint64]string{}
	done := map[string]int{}
	var log []string
	for i, r := range records {
		if r.Seq != uint64(i+1) {
			t.Fatalf("record %d has seq %d", i+1, r.Seq)
		}
		names[r.Seq] = flow.StepEvent(r.Step)
		switch r.Type {
		case flow.RecordEmit:
			names[r.Seq] = r.Key
		case flow.RecordFlowStarted:
			names[r.Seq] = "start"
		case flow.RecordStepCompleted, flow.RecordStepFailed:
			if done[r.Step]++; done[r.Step] > 1 {
				t.Fatalf("step %s ended twice", r.Step)
			}
			var causes, slots []string
			for _, c := range r.Causes {
				causes = append(causes, names[c])
			}
			for _, slot := range d.Step(r.Step).Slots {
				slots = append(slots, slot.Event)
			}
			if len(slots) > 0 && !slices.Equal(causes, slots) {
				t.Fatalf("step %s ran with %v, its connections are %v", r.Step, causes, slots)
			}
		}
		var causes []string
		for _, c := range r.Causes {
			causes = append(causes, names[c])
		}
		log = append(log, fmt.Sprintf("%s %s %s %s ← %s", r.Type, r.Step, r.Key, r.Scope, strings.Join(causes, ",")))
	}
	slices.Sort(log)
	return log
}

// TestPromise7_SameFlowSameLog runs random flows in two random orders each: as partial orders by causes the logs are equal,
// unless a failure ends the run early.
func TestPromise7_SameFlowSameLog(t *testing.T) {
	t.Parallel()
	n := 3000
	if testing.Short() {
		n = 300
	}
	compared := 0
	for seed := range uint64(n) {
		r := rand.New(rand.NewPCG(seed, 7))
		d, err := flow.Compile(joinedFlow(r))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		failures := map[string]int{}
		raced := false
		for _, s := range d.Steps() {
			if r.IntN(4) == 0 {
				failures[s.Name] = 1 + r.IntN(3)
			}
			raced = raced || (failures[s.Name] >= s.Attempts && !s.Continue)
		}
		fails := func(step string) int { return failures[step] }
		a := play(t, d, rand.New(rand.NewPCG(seed, 1)), fails)
		b := play(t, d, rand.New(rand.NewPCG(seed, 2)), fails)
		if !raced {
			compared++
			if !slices.Equal(a, b) {
				t.Fatalf("seed %d: logs differ:\n%s\n\n%s", seed, strings.Join(a, "\n"), strings.Join(b, "\n"))
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if compared < n/3 {
		t.Errorf("only %d of %d flows were compared", compared, n)
	}
}
