package flow_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// What the models of model_test.go have found, as small as it gets.

var modelTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// hand moves a run on by hand. Before every input it forgets what it holds, and loads what the input needs.
type hand struct {
	t      *testing.T
	d      *flow.Definition
	s      *flow.State
	now    time.Time
	out    *flow.Changes
	chunks map[flow.ChunkRef]json.RawMessage
	parts  map[flow.PartRef]flow.Part
}

// byHand begins a run of a flow whose steps and connections are given as YAML.
func byHand(t *testing.T, doc string) *hand {
	t.Helper()
	w, err := flow.ParseWiring([]byte("name: found\n"+doc), "found.yaml")
	if err != nil {
		t.Fatal(err)
	}
	h := &hand{t: t, now: modelTime, out: &flow.Changes{}, chunks: map[flow.ChunkRef]json.RawMessage{}, parts: map[flow.PartRef]flow.Part{}}
	if h.d, err = flow.Compile(w); err != nil {
		t.Fatal(err)
	}
	if h.s, err = h.d.Begin("run", flow.Beginning{Input: json.RawMessage(`{"a":"A","b":"B"}`)}, h.now, h.out); err != nil {
		t.Fatal(err)
	}
	return h
}

// do applies an input, which must count.
func (h *hand) do(in flow.Input) {
	h.t.Helper()
	h.s.Changed(func(r flow.ChunkRef, c *flow.Chunk) { h.chunks[r] = c.Encode() })
	for _, p := range h.out.Parts {
		h.parts[p.PartRef] = p.Part
	}
	var err error
	if h.s, err = flow.DecodeState(h.s.Encode()); err != nil {
		h.t.Fatal(err)
	}
	for n := h.d.Missing(h.s, in); !n.Empty(); n = h.d.Missing(h.s, in) {
		for _, r := range n.Chunks {
			c, err := flow.DecodeChunk(h.chunks[r])
			if err != nil {
				h.t.Fatal(err)
			}
			h.s.Load(r, c)
		}
		for _, r := range n.Parts {
			h.s.LoadPart(r, h.parts[r])
		}
	}
	if v := h.d.Apply("run", h.s, in, h.now, h.out); v != flow.Accepted {
		h.t.Fatalf("%T is refused", in)
	}
}

// tokens returns the open iterations of a step, wherever they are.
func (h *hand) tokens(step string) (list []flow.Token) {
	h.s.Changed(func(r flow.ChunkRef, c *flow.Chunk) { h.chunks[r] = c.Encode() })
	for r, b := range h.chunks {
		c, _ := flow.DecodeChunk(b)
		h.s.Load(r, c)
	}
	h.s.EachOpen("run", func(t flow.Token, _ *flow.Iteration) bool {
		if t.Step == step {
			list = append(list, t)
		}
		return true
	})
	return list
}

// succeed lets the first open iteration of a step succeed.
func (h *hand) succeed(step, result string, emissions ...flow.Emission) {
	h.t.Helper()
	h.do(flow.Outcome{Token: h.token(step), Result: json.RawMessage(result), Emissions: emissions})
}

func (h *hand) fail(step string) {
	h.t.Helper()
	h.do(flow.Outcome{Token: h.token(step), Err: &flow.AttemptError{Message: "no", Final: true}})
}

func (h *hand) token(step string) flow.Token {
	h.t.Helper()
	list := h.tokens(step)
	if len(list) == 0 {
		h.t.Fatalf("step %s is not open", step)
	}
	return list[0]
}

// emit returns an emission; emitAll one for many items.
func emit(event, p string) flow.Emission {
	return flow.Emission{Event: event, Payload: json.RawMessage(p)}
}

func emitAll(event string, items ...string) flow.Emission {
	g := &flow.EmittedGroup{Count: len(items)}
	for _, it := range items {
		g.Items = append(g.Items, json.RawMessage(it))
	}
	return flow.Emission{Event: event, Group: g}
}

// wantOpen checks the steps that are open, and the run's status.
func (h *hand) wantOpen(status flow.Status, steps ...string) {
	h.t.Helper()
	var open []string
	for _, s := range h.d.Steps() {
		for range h.tokens(s.Name) {
			open = append(open, s.Name)
		}
	}
	if h.s.Status != status || !slices.Equal(open, steps) {
		h.t.Errorf("status %s, open %v; want %s, %v\nlog: %s", h.s.Status, open, status, steps, h.log())
	}
}

func (h *hand) log() string {
	var b strings.Builder
	for _, r := range h.out.Records {
		b.WriteString(r.Type + " " + r.Step + " " + r.Key + "; ")
	}
	return b.String()
}

// A step that emits what another one waits for was cut short: the other one's end ended the run before the first one's
// completion had reached its subscribers.
func TestFound_WhatAnEmissionWakesDoesNotEndTheRunUnderIt(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {handler: a, config: {start: true, emits: [e]}}
  b: {handler: b, config: {start: true, awaitAfter: {type: event, event: e}}}
  c: {handler: c}
connections:
  - {from: "step:a", to: c}
`)
	h.succeed("b", "1")
	h.succeed("a", "1", emit("e", "1"))
	h.wantOpen(flow.StatusRunning, "c")
}

// The same with an await that fails as it begins.
func TestFound_AnAwaitThatFailsAtOnceDoesNotEndTheRunUnderAnEmission(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {handler: a, config: {start: true, emits: [e, f]}}
  b: {handler: b, config: {awaitBefore: {type: time, until: payload.no.way}, onFailure: continue}}
  c: {handler: c}
connections:
  - {from: e, to: b}
  - {from: f, to: c}
`)
	h.succeed("a", "1", emit("e", "{}"), emit("f", "{}"))
	h.wantOpen(flow.StatusRunning, "c")
}

// An item that cannot be opened left its group open for ever when the run was restarted where it had failed.
func TestFound_ARestartTriesAnItemAgainThatCouldNotBeOpened(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {handler: a, config: {start: true, emitsAll: [g]}}
  b: {handler: b}
connections:
  - {from: g, to: b, condition: payload.no.way > 1}
`)
	for range 2 {
		if h.s.Status == flow.StatusRunning {
			h.succeed("a", "1", emitAll("g", `{}`))
		} else {
			h.do(flow.Restart{Failed: true})
			h.do(flow.Fill{})
		}
		h.wantOpen(flow.StatusFailed)
		if g := h.s.GroupIn(flow.RootScope, 1); g == nil || g.Next != 0 {
			t.Errorf("the group is %+v", g)
		}
	}
}

// Whoever failed or restarted a run left the children, jobs and awaits in groups behind, unless their chunk happened to be
// loaded.
func TestFound_TheEndOfARunTakesBackWhatIsOpenInGroups(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(h *hand)
	}{
		{"failure", func(h *hand) { h.fail("b") }},
		{"timeout", func(h *hand) { h.now = h.now.Add(time.Hour); h.do(flow.Fire{}) }},
		{"restart", func(h *hand) { h.do(flow.Restart{}) }},
		{"condition", func(h *hand) { h.succeed("b", "{}", emit("e", "{}")) }},
		{"lost", func(h *hand) { h.do(flow.Lost{Token: h.token("b"), Max: 1}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := byHand(t, `
config: {timeout: 1h}
steps:
  a: {handler: a, config: {start: true, emitsAll: [g]}}
  b: {handler: b, config: {start: true, emits: [e]}}
  child: {config: {flow: child}}
  job: {handler: job}
  wait: {handler: wait, config: {awaitBefore: {type: event, event: x}}}
  c: {handler: c}
connections:
  - {from: g, to: child}
  - {from: g, to: job}
  - {from: g, to: wait}
  - {from: e, to: c, condition: payload.no.way > 1}
`)
			h.succeed("a", "1", emitAll("g", "1"))
			h.wantOpen(flow.StatusRunning, "b", "child", "job", "wait")
			child, job := h.token("child"), h.token("job")
			h.out.Awaits = nil
			c.end(h)
			if !slices.Contains(h.out.Orphans, child) || !slices.Contains(h.out.Remove, job) {
				t.Errorf("taken back: children %v, jobs %v", h.out.Orphans, h.out.Remove)
			}
			if len(h.out.Awaits) != 1 || !h.out.Awaits[0].Closed {
				t.Errorf("awaits: %+v", h.out.Awaits)
			}
		})
	}
}

// A handler that makes the input of a child flow was judged by the conditions on the child's result.
func TestFound_ConditionsOnACallAreAboutTheChildsResult(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {handler: a, config: {start: true, flow: child}}
  b: {handler: b}
connections:
  - {from: "step:a", to: b, condition: payload.of.child > 1}
`)
	h.succeed("a", `"input of the child"`)
	h.wantOpen(flow.StatusRunning, "a")
	h.do(flow.ChildEnded{Token: h.token("a"), Status: flow.StatusCompleted, Result: json.RawMessage(`{"of":{"child":2}}`)})
	h.wantOpen(flow.StatusRunning, "b")
}

// An emission that an AwaitAfter holds back is delivered without its payload, so an await that looks at a field missed it.
func TestFound_AnEmissionThatWasHeldBackResolvesAwaits(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {handler: a, config: {start: true, emits: [e], awaitAfter: {type: time, for: 1h}}}
  b: {handler: b, config: {start: true, awaitBefore: {type: event, event: e, field: f, key: input.a}}}
connections: []
`)
	h.succeed("a", "1", emit("e", `{"f":"no"}`), emit("e", `{"f":"A"}`))
	h.now = h.now.Add(time.Hour)
	h.do(flow.Fire{})
	if it := h.s.OpenIteration(h.token("b")); it == nil || it.Phase != flow.PhaseRun {
		t.Errorf("b is %+v", it)
	}
}

// A step that waits before and after took what it had waited for before as what it waits for after, and both waits looked for
// the key of the later one.
func TestFound_TheTwoAwaitsOfAStepAreTwo(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {handler: a, config: {start: true, emits: [e]}}
  b:
    handler: b
    config:
      awaitBefore: {type: event, event: e, field: f, key: input.a}
      awaitAfter: {type: event, event: other, field: f, key: input.b}
connections:
  - {from: "step:a", to: b}
`)
	h.succeed("a", "1", emit("e", `{"f":"A"}`))
	h.succeed("b", "1")
	if it := h.s.OpenIteration(h.token("b")); it == nil || it.Phase != flow.PhaseAfter {
		t.Errorf("b is %+v", it)
	}
	if open := h.s.OpenAwaits(h.d, "run"); len(open) != 1 || open[0].Event != "other" || open[0].Value != "B" {
		t.Errorf("it waits for %+v", open)
	}
}

// Every item left a note in the state of the run, of an event that it had emitted and that a step awaits.
func TestFound_TheStateDoesNotGrowWithItems(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {handler: a, config: {start: true, emitsAll: [g]}}
  b: {handler: b, config: {emits: [e], parallel: 2}}
  c: {handler: c, config: {awaitBefore: {type: event, event: e}}}
  d: {handler: d}
connections:
  - {from: g, to: b}
  - {from: "step:b", to: c}
  - {from: "step:c", to: d, repeat: collect}
`)
	h.succeed("a", "1", emitAll("g", strings.Split(strings.Repeat("1,", 100)+"1", ",")...))
	size := 0
	for i := range 101 {
		h.succeed("b", "1", emit("e", "1"))
		h.succeed("c", "1")
		if n := len(h.s.Encode()); i == 10 {
			size = n
		} else if i > 10 && n > size+100 {
			t.Fatalf("the state has %d bytes after item %d, and %d after item 10", n, i, size)
		}
	}
	h.wantOpen(flow.StatusRunning, "d")
}

// What follows from the ends of a step that runs for each event had one idempotency key: a charge would have been made once
// for all of them.
func TestFound_TheWorkOfEachEventHasAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, config, from string }{
		{"failed", "{}", "step:b:failed"},
		{"held back", "{awaitAfter: {type: time, for: 1h}}", "step:b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := byHand(t, `
steps:
  a: {handler: a, config: {start: true, emits: [e]}}
  b: {handler: b, config: `+c.config+`}
  c: {handler: c}
connections:
  - {from: e, to: b, repeat: each}
  - {from: "`+c.from+`", to: c, repeat: each}
`)
			h.succeed("a", "1", emit("e", "1"), emit("e", "2"))
			for _, tok := range h.tokens("b") {
				o := flow.Outcome{Token: tok, Result: json.RawMessage("1")}
				if c.name == "failed" {
					o.Err = &flow.AttemptError{Message: "no"}
				}
				h.do(o)
			}
			if c.name != "failed" {
				h.now = h.now.Add(time.Hour)
				h.do(flow.Fire{})
			}
			list := h.tokens("c")
			if len(list) != 2 || h.s.IdempotencyKey(list[0]) == h.s.IdempotencyKey(list[1]) {
				t.Errorf("%v have the key %s", list, h.s.IdempotencyKey(list[0]))
			}
		})
	}
}

// An event that waited for a place in the window of a step lost the delay of its connection.
func TestFound_ADelayOutlastsAWindow(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {handler: a, config: {start: true, emits: [e]}}
  b: {handler: b, config: {parallel: 1}}
connections:
  - {from: e, to: b, repeat: each, delay: 1h, until: payload}
`)
	h.succeed("a", "1", emit("e", "0"), emit("e", `"2026-02-01T00:00:00Z"`))
	h.now = h.now.Add(time.Hour)
	h.do(flow.Fire{})
	h.succeed("b", "1")
	if it := h.s.OpenIteration(h.token("b")); it == nil || it.Phase != flow.PhaseDelay {
		t.Errorf("b is %+v", it)
	}
}

// An item beyond the window was opened without its payload, which the time that its step waits for is about.
func TestFound_ATimeToWaitForIsReadFromLaterItemsToo(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {handler: a, config: {start: true, emitsAll: [g]}}
  b: {handler: b, config: {awaitBefore: {type: time, until: payload}}}
  c: {handler: c, config: {parallel: 1}}
connections:
  - {from: g, to: b}
  - {from: g, to: c}
`)
	h.succeed("a", "1", emitAll("g", "0", "0"))
	for range 2 {
		h.do(flow.Fire{})
		h.succeed("b", "1")
		h.succeed("c", "1")
	}
	h.wantOpen(flow.StatusCompleted)
}
