package flow_test

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// model is a random flow and what its handlers do. The seed decides everything: the same seed is the same model.
type model struct {
	seed  uint64
	w     flow.Wiring
	gives map[string][]string // by step: the steps that it gives a signal token for
	level map[string]int      // by step: how many groups it is inside of
	big   bool                // some of its groups have more items than fit one chunk
}

// source is an event that steps to come may subscribe to.
type source struct {
	event, by       string
	level           int
	failed, awaited bool // the failure of a step; what a step awaited
	group, taken    bool // of an EmitAll; somebody subscribes to it
}

// newModel generates a model. Steps subscribe only to what steps before them emit, so there are no cycles.
func newModel(seed uint64) *model {
	r := rand.New(rand.NewPCG(seed, 42))
	m := &model{seed: seed, w: flow.Wiring{Name: "model", Steps: map[string]flow.StepDefinition{}},
		gives: map[string][]string{}, level: map[string]int{}}
	m.big = r.IntN(400) == 0
	if r.IntN(20) == 0 {
		m.w.Config.Timeout = flow.Duration(time.Duration(1+r.IntN(5000)) * time.Second)
	}
	var sources []*source
	n := 2 + r.IntN(9)
	for i := range n {
		name := fmt.Sprintf("s%02d", i)
		def := flow.StepDefinition{Name: name, Handler: name, Retry: &flow.Retry{Attempts: 1 + r.IntN(3)}}
		if r.IntN(4) == 0 {
			def.Retry.Backoff = flow.Fixed(time.Duration(1+r.IntN(100)) * 2 * time.Second)
		}
		if r.IntN(4) == 0 {
			def.Config.OnFailure = flow.OnFailureContinue
		}
		level, each, collects, giver := 0, false, false, ""
		if i == 0 || r.IntN(16) == 0 {
			def.Config.Start = true
		} else {
			var cs []flow.Connection
			cs, level, giver = m.connect(r, name, sources)
			each, collects = cs[0].Repeat == flow.RepeatEach, cs[0].Repeat == flow.RepeatCollect
			m.w.Connections = append(m.w.Connections, cs...)
			if k := len(cs); k > 1 && r.IntN(2) == 0 {
				def.Config.Join = &flow.Join{Mode: []string{flow.JoinModeAll, flow.JoinModeAny}[r.IntN(2)]}
				if r.IntN(3) == 0 {
					def.Config.Join = &flow.Join{Mode: flow.JoinModeN, N: 1 + r.IntN(k)}
				}
			}
			def.Config.Partial = collects && r.IntN(2) == 0
			if r.IntN(3) == 0 {
				def.Config.Parallel = 1 + r.IntN(3)
			}
		}
		switch {
		case r.IntN(8) == 0 && (!collects):
			def.Config.Flow = "child"
			if r.IntN(2) == 0 {
				def.Handler = ""
			}
		case r.IntN(16) == 0 && !collects:
			def.Config.External = true
		default:
			sources = m.emissions(r, &def, level, sources)
		}
		m.awaits(r, &def, level, each, collects, giver, sources)
		sources = append(sources, &source{event: flow.StepEvent(name), by: name, level: level},
			&source{event: flow.FailedEvent(name), by: name, level: level, failed: true})
		if def.Config.AwaitAfter != nil {
			sources = append(sources, &source{event: flow.ResolvedEvent(name), by: name, level: level, awaited: true})
		}
		m.w.Steps[name], m.level[name] = def, level
	}
	m.finish(r)
	return m
}

// connect chooses what a step subscribes to.
func (m *model) connect(r *rand.Rand, to string, sources []*source) (cs []flow.Connection, level int, giver string) {
	usable := slices.Clone(sources)
	var fresh []*source // groups, and what happens in them, are interesting
	for _, s := range usable {
		if !s.taken && (s.group || s.level > 0) && !s.failed {
			fresh = append(fresh, s)
		}
	}
	first := usable[r.IntN(len(usable))]
	for first.failed && r.IntN(3) > 0 {
		first = usable[r.IntN(len(usable))]
	}
	if len(fresh) > 0 && r.IntN(2) == 0 {
		first = fresh[r.IntN(len(fresh))]
	}
	level = first.level
	chosen := []*source{first}
	c := flow.Connection{From: first.event, To: to}
	switch k := r.IntN(8); {
	case k < 2:
		c.Repeat = flow.RepeatEach
	case k == 2 || k == 3 && level > 0 || k == 4 && level > 0 && !first.group:
		c.Repeat = flow.RepeatCollect
		level = max(level-1, 0)
	case k > 4:
		for range r.IntN(3) {
			s := sources[r.IntN(len(sources))]
			if s.level == first.level && !slices.ContainsFunc(chosen, func(o *source) bool { return o.event == s.event }) {
				chosen = append(chosen, s)
			}
		}
	}
	if len(chosen) == 1 && c.Repeat == "" && !first.group && !first.failed && !first.awaited {
		giver = first.by
	}
	for i, s := range chosen {
		s.taken = true
		if i > 0 {
			c = flow.Connection{From: s.event, To: to}
		}
		plain := !s.failed && !s.awaited
		switch k := r.IntN(60); {
		case k < 12 && plain:
			c.Condition = "payload.n > 3"
		case k < 12 && s.failed:
			c.Condition = "payload.attempts > 1"
		case k == 12 && plain:
			c.Condition = "payload.no.way > 3" // which cannot be evaluated
		}
		if c.Repeat != flow.RepeatCollect && r.IntN(8) == 0 {
			c.Delay = flow.Duration(time.Duration(r.IntN(3000)) * time.Second)
		}
		if c.Repeat != flow.RepeatCollect && plain && r.IntN(16) == 0 {
			c.Until = "payload.at"
		}
		cs = append(cs, c)
	}
	return cs, level, giver
}

// emissions chooses what a step emits.
func (m *model) emissions(r *rand.Rand, def *flow.StepDefinition, level int, sources []*source) []*source {
	for j := range r.IntN(3) {
		event := fmt.Sprintf("e%s%c", def.Name[1:], 'a'+j)
		if old := sources; len(old) > 0 && r.IntN(6) == 0 { // two steps that emit one event
			s := old[r.IntN(len(old))]
			if !s.taken && s.level == level && !s.group && strings.HasPrefix(s.event, "e") && !slices.Contains(def.Config.Emits, s.event) {
				s.taken = true // only one more, and nobody is given a token by it
				def.Config.Emits = append(def.Config.Emits, s.event)
				continue
			}
		}
		def.Config.Emits = append(def.Config.Emits, event)
		sources = append(sources, &source{event: event, by: def.Name, level: level})
	}
	if level < 2 && r.IntN(4) == 0 {
		event := "g" + def.Name[1:]
		def.Config.EmitsAll = append(def.Config.EmitsAll, event)
		sources = append(sources, &source{event: event, by: def.Name, level: level + 1, group: true})
	}
	return sources
}

// awaits chooses what a step waits for.
func (m *model) awaits(r *rand.Rand, def *flow.StepDefinition, level int, each, collects bool, giver string, sources []*source) {
	choose := func(signal bool) *flow.Await {
		var a flow.Await
		switch k := r.IntN(4); {
		case k == 0:
			a = flow.ForTime(time.Duration(1+r.IntN(5000)) * time.Second)
		case k == 1 && signal:
			a = flow.ForSignal()
		case k == 2:
			a = flow.Await{Type: flow.AwaitEvent, Event: "outside", LookBack: flow.Duration(flow.MaxLookBack)}
		default:
			a = flow.Await{Type: flow.AwaitEvent, Event: "outside", LookBack: flow.Duration(flow.MaxLookBack)}
			for _, s := range sources {
				if s.level == level && strings.HasPrefix(s.event, "e") && !slices.Contains(def.Config.Emits, s.event) && r.IntN(3) == 0 {
					a.Event = s.event
				}
			}
			if r.IntN(3) == 0 {
				a = a.Matching("k", "input.k")
			}
			if a.Event != "outside" {
				return &a // when it times out is a race
			}
		}
		if a.Type != flow.AwaitTime && a.Type != flow.AwaitSchedule {
			bound := time.Duration(1+r.IntN(1000)) * time.Second
			switch r.IntN(5) {
			case 0:
				a = a.OrFail(bound)
			case 1:
				a = a.OrRetry(bound)
			case 2:
				a = flow.OrContinue(a, bound, payload{ID: "default"})
			}
		}
		return &a
	}
	if r.IntN(8) == 0 {
		handled := def.Handler != "" && !def.Config.External && def.Config.Flow == ""
		def.Config.AwaitAfter = choose(handled && !each)
		if def.Config.AwaitAfter.Type == flow.AwaitSignal {
			m.gives[def.Name] = append(m.gives[def.Name], def.Name)
		}
		if def.Config.AwaitAfter.Type == flow.AwaitTime && r.IntN(2) == 0 {
			until := flow.UntilTime("payload.at")
			def.Config.AwaitAfter = &until
		}
	}
	if r.IntN(8) == 0 {
		by := m.w.Steps[giver]
		gives := giver != "" && by.Handler != "" && !by.Config.External && by.Config.Flow == "" &&
			(def.Config.AwaitAfter == nil || def.Config.AwaitAfter.Type != flow.AwaitSignal)
		def.Config.AwaitBefore = choose(gives && !collects)
		if def.Config.AwaitBefore.Type == flow.AwaitSignal {
			m.gives[giver] = append(m.gives[giver], def.Name)
		}
	}
}

// finish adds what depends on all steps.
func (m *model) finish(r *rand.Rand) {
	emitters, slots := map[string]int{}, map[string]int{}
	for _, s := range m.w.Steps {
		for _, e := range s.Config.Emits {
			emitters[e]++
		}
	}
	for _, c := range m.w.Connections {
		slots[c.To]++
	}
	for i, c := range m.w.Connections {
		if slots[c.To] > 1 && emitters[c.From] > 1 {
			m.w.Connections[i].Repeat = flow.RepeatFirst
		}
	}
	for name, s := range m.w.Steps { // a single step cannot race with itself for the result
		if s.Config.Start && r.IntN(2) == 0 && name == "s00" {
			s.Config.Returns = true
			m.w.Steps[name] = s
		}
	}
}

// payload is what every handler of a model emits and returns. Its ID names the work that made it, whatever came first.
type payload struct {
	ID string `json:"id"`
	N  int    `json:"n"`
	K  int    `json:"k"`
	At int64  `json:"at"`
}

// id returns a name for something that happened: what it is, and a hash of what led to it.
func id(what string, from ...string) string {
	h := fnv.New64a()
	h.Write([]byte(what))
	for _, s := range from {
		h.Write([]byte{0})
		h.Write([]byte(s))
	}
	return what + "#" + strconv.FormatUint(h.Sum64(), 36)
}

func (m *model) payload(id string) payload {
	r := m.rand(id)
	return payload{ID: id, N: r.IntN(10), K: r.IntN(2), At: modelTime.Add(time.Duration(r.IntN(9000)-1000) * time.Second).UnixMilli()}
}

func (p payload) json() json.RawMessage {
	b, _ := json.Marshal(p) // never fails
	return b
}

func (m *model) rand(id string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(id))
	return rand.New(rand.NewPCG(m.seed, h.Sum64()))
}

// act is what the handler of an iteration does: the same in every order of events.
type act struct {
	fails   int  // attempts that fail
	final   bool // the first failure is final
	emits   []emits
	arrives bool // what it awaits comes, and not the end of its patience
}

type emits struct {
	event string
	id    string
	items int // -1: one emission; else the items of an EmitAll
}

// act returns what the handler of the iteration of this identity does.
func (m *model) act(step, iter string) act {
	r := m.rand("act " + iter)
	c := m.w.Steps[step].Config
	a := act{arrives: r.IntN(2) == 0}
	if r.IntN(7) == 0 {
		a.fails, a.final = 1+r.IntN(3), r.IntN(4) == 0
	}
	for _, e := range c.Emits {
		for i := range []int{1, 1, 1, 1, 0, 2}[r.IntN(6)] {
			a.emits = append(a.emits, emits{e, id(e, iter, strconv.Itoa(i)), -1})
		}
	}
	for _, e := range c.EmitsAll {
		n := r.IntN(5)
		if m.big && r.IntN(4) == 0 {
			n = 500 + r.IntN(600)
		}
		a.emits = append(a.emits, emits{e, id(e, iter), n})
	}
	return a
}

// item returns the identity of an item, which is that of its scope too.
func itemID(group string, n int) string { return id("item", group, strconv.Itoa(n)) }
