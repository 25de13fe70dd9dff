package flow_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// The mistakes of nvent's ancestor, by the number of the demonstration that shows each, where they are decided by the core.

// Demo 1: a run whose branch was not taken stayed running.
func TestAncestor01_ABranchNotTakenEndsTheRun(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {handler: a, config: {start: true}}
  b: {handler: b}
connections:
  - {from: "step:a", to: b, condition: payload > 1}
`)
	h.succeed("a", "1")
	h.wantOpen(flow.StatusCompleted)
	if last := h.out.Records[len(h.out.Records)-1]; !strings.Contains(string(last.Data), `"skipped":["b"]`) {
		t.Errorf("the run ends with %s", last.Data)
	}
}

// Demo 2: an event whose name begins with another one's overwrote it.
func TestAncestor02_NamesOfEventsAreOpaque(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {handler: a, config: {start: true, emits: [order, order.paid]}}
  b: {handler: b}
connections:
  - {from: order, to: b}
  - {from: order.paid, to: b}
`)
	h.succeed("a", "1", emit("order", "1"), emit("order.paid", "2"))
	if it := h.s.OpenIteration(h.token("b")); !slices.Equal(it.In, []uint64{2, 3}) {
		t.Errorf("the join has %v", it.In)
	}
}

// Demo 3: what a failed attempt had emitted was seen, and won.
func TestAncestor03_NothingOfAFailedAttemptIsSeen(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {handler: a, retry: {attempts: 2}, config: {start: true, emits: [e]}}
  b: {handler: b}
connections:
  - {from: e, to: b}
`)
	h.do(flow.Outcome{Token: h.token("a"), Err: &flow.AttemptError{Message: "no"}, Emissions: []flow.Emission{emit("e", "1")}})
	h.wantOpen(flow.StatusRunning, "a")
	h.succeed("a", "1", emit("e", "2"))
	it := h.s.OpenIteration(h.token("b"))
	if got := string(h.out.Records[it.In[0]-1].Data); got != "2" {
		t.Errorf("b got %s", got)
	}
}

// Demo 4: after a timeout with action continue the run waited for ever.
func TestAncestor04_ATimeoutThatContinuesGoesOn(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {handler: a, config: {start: true, awaitBefore: {type: signal, timeout: 1h, onTimeout: continue, default: {ok: false}}}}
connections: []
`)
	h.now = h.now.Add(time.Hour)
	h.do(flow.Fire{})
	h.succeed("a", "1")
	h.wantOpen(flow.StatusCompleted)
}

// Demo 5: a wait of 30 days was over after 4 ms.
func TestAncestor05_AWaitOfTenYearsTakesTenYears(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {handler: a, config: {start: true, awaitBefore: {type: time, for: 87600h}}}
connections: []
`)
	h.now = h.now.Add(87600*time.Hour - time.Millisecond)
	if v := h.d.Apply("run", h.s, flow.Fire{}, h.now, h.out); v != flow.Stale {
		t.Error("it is over too early")
	}
	h.now = h.now.Add(time.Millisecond)
	h.do(flow.Fire{})
	if h.s.Scheduled(h.token("a")) == nil {
		t.Error("it is not over in time")
	}
}

// Demo 6: a step failed for good, its sibling did not, and the run was completed.
func TestAncestor06_AFailedLeafFailsTheRun(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {handler: a, config: {start: true}}
  b: {handler: b}
  c: {handler: c}
connections:
  - {from: "step:a", to: b}
  - {from: "step:a", to: c}
`)
	h.succeed("a", "1")
	h.succeed("b", "1")
	h.fail("c")
	if h.s.Status != flow.StatusFailed {
		t.Errorf("the run is %s", h.s.Status)
	}
}

// Demo 7: of two steps that emitted one event into a join the second was ignored without a word.
func TestAncestor07_TwoEmittersOfOneEventAreAChoice(t *testing.T) {
	t.Parallel()
	doc := `{"name":"f","steps":{"a":{"handler":"a","config":{"start":true,"emits":["e"]}},
		"b":{"handler":"b","config":{"start":true,"emits":["e"]}},"c":{"handler":"c"}},
		"connections":[{"from":"e","to":"c"},{"from":"step:a","to":"c"}]}`
	w, err := flow.ParseWiring([]byte(doc), "f.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := flow.Compile(w); err == nil || !strings.Contains(err.Error(), "2 steps emit") {
		t.Errorf("the flow is taken: %v", err)
	}
	h := byHand(t, `
steps:
  a: {handler: a, config: {start: true, emits: [e]}}
  b: {handler: b, config: {start: true, emits: [e]}}
  c: {handler: c}
connections:
  - {from: e, to: c}
`)
	h.succeed("a", "1", emit("e", "1"))
	h.succeed("b", "1", emit("e", "2"))
	if h.s.IgnoredCount != 1 || h.s.Ignored[0].Step != "c" {
		t.Errorf("ignored: %+v", h.s.Ignored)
	}
}

// Demo 8: an event that the flow itself emitted never resolved an await; one that came before the wait was lost.
func TestAncestor08_TheFlowsOwnEventsResolveAwaits(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{false, true} {
		h := byHand(t, `
steps:
  a: {handler: a, config: {start: true, emits: [payment.completed]}}
  b: {handler: b, config: {start: true, awaitAfter: {type: event, event: payment.completed}}}
connections: []
`)
		pay := flow.Outcome{Token: h.token("a"), Result: json.RawMessage("1"), Emissions: []flow.Emission{emit("payment.completed", "1")}}
		if early {
			h.do(pay)
		}
		h.succeed("b", "1")
		if !early {
			h.do(pay)
		}
		h.wantOpen(flow.StatusCompleted)
	}
}
