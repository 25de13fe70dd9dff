package flow_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nvent-go/nvent/flow"
)

// reference says what a run of a model comes to. It is written from what is promised and not from the code: it evaluates
// scope by scope, the items of a group each to their end, and counts nothing. Where the order of events decides (the first
// one of several, any, n of) it says that the run is a race.
type reference struct {
	m         *model
	subs      map[string][]flow.Connection
	must, may map[string]int // entries of the log; may: what the failure of its scope may have cut off
	raced     bool
	failed    bool
	result    string
}

// refScope is the run itself, or an item.
type refScope struct {
	ref      *reference
	id       string
	level    int
	queue    []refEmission
	steps    map[string]*refStep
	got      map[string][]string // by collect step: what it gets, of groups their contents
	waits    []refWait
	seen     map[string][]refEmission
	fallback map[string]bool // events that came from outside because nobody emitted them any more
	log      []string
	failed   bool
	used     bool
}

type refStep struct {
	fill           map[int]string
	opened, failed int
	armed          bool
}

type refEmission struct {
	event, id string
	attempts  int // of the failure of a step
	items     int // -1: not a group
}

type refWait struct {
	step string
	on   *flow.Await
	iter string
	then func(what string)
}

// refer evaluates a model.
func refer(m *model) *reference {
	ref := &reference{m: m, subs: map[string][]flow.Connection{}, must: map[string]int{}, may: map[string]int{}}
	for _, c := range m.w.Connections {
		ref.subs[c.From] = append(ref.subs[c.From], c)
	}
	root := ref.scope(flow.RootScope, 0)
	for _, name := range ref.names() {
		if m.w.Steps[name].Config.Start {
			root.open(name, []string{"input"})
		}
	}
	root.run()
	ref.failed = root.failed
	ref.raced = ref.raced || m.w.Config.Timeout > 0
	into := ref.must
	if root.failed {
		into = ref.may
	} else {
		root.log = append(root.log, root.summary())
	}
	for _, e := range root.log {
		into[e]++
	}
	return ref
}

func (r *reference) names() []string {
	var names []string
	for name := range r.m.w.Steps {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (r *reference) scope(id string, level int) *refScope {
	return &refScope{ref: r, id: id, level: level, steps: map[string]*refStep{}, got: map[string][]string{}, seen: map[string][]refEmission{},
		fallback: map[string]bool{}}
}

func (s *refScope) step(name string) *refStep {
	if s.steps[name] == nil {
		s.steps[name] = &refStep{fill: map[int]string{}}
	}
	return s.steps[name]
}

func (s *refScope) note(what string, of ...any) {
	s.log = append(s.log, what+" "+strings.TrimSuffix(fmt.Sprintln(of...), "\n"))
}

// run evaluates until nothing is left to happen.
func (s *refScope) run() {
	for {
		for len(s.queue) > 0 {
			e := s.queue[0]
			s.queue = s.queue[1:]
			s.deliver(e)
		}
		if s.collect() {
			continue
		}
		if len(s.waits) == 0 {
			return
		}
		waits := s.waits
		s.waits = nil
		for _, w := range waits {
			s.fallback[w.on.Event] = true
			w.then(id("outside", w.iter))
		}
	}
}

// collect opens the collect steps that nothing before them can give anything more.
func (s *refScope) collect() bool {
	for _, name := range s.ref.names() {
		st := s.steps[name]
		if st == nil || !st.armed || st.opened > 0 || s.blocked(name) {
			continue
		}
		in := s.got[name]
		slices.Sort(in)
		s.open(name, in)
		return true
	}
	return false
}

func (s *refScope) blocked(name string) bool {
	for other, st := range s.steps {
		if other != name && st.armed && st.opened == 0 && s.ref.leads(other, name) {
			return true
		}
	}
	return slices.ContainsFunc(s.waits, func(w refWait) bool { return s.ref.leads(w.step, name) })
}

// leads reports whether what a step emits may lead to another step.
func (r *reference) leads(from, to string) bool {
	seen := map[string]bool{}
	var visit func(from string) bool
	visit = func(from string) bool {
		if from == to {
			return true
		}
		if seen[from] {
			return false
		}
		seen[from] = true
		return slices.ContainsFunc(r.events(from), func(e string) bool {
			return slices.ContainsFunc(r.subs[e], func(c flow.Connection) bool { return visit(c.To) }) ||
				slices.ContainsFunc(r.waiting(e), visit)
		})
	}
	return visit(from)
}

// waiting returns the steps that await an event.
func (r *reference) waiting(event string) (list []string) {
	for name, s := range r.m.w.Steps {
		for _, a := range []*flow.Await{s.Config.AwaitBefore, s.Config.AwaitAfter} {
			if a != nil && a.Event == event {
				list = append(list, name)
			}
		}
	}
	return list
}

func (r *reference) events(step string) []string {
	c := r.m.w.Steps[step].Config
	return slices.Concat(c.Emits, c.EmitsAll, []string{flow.StepEvent(step), flow.FailedEvent(step), flow.ResolvedEvent(step)})
}

// feeds returns the collect steps just outside of a level that an event inside of it may lead to.
func (r *reference) feeds(event string, level int) []string {
	set := map[string]bool{}
	var visit func(event string)
	visit = func(event string) {
		for _, c := range r.subs[event] {
			if c.Repeat == flow.RepeatCollect && r.m.level[c.To] == level-1 {
				set[c.To] = true
				continue
			}
			for _, e := range r.events(c.To) {
				visit(e)
			}
		}
	}
	visit(event)
	var list []string
	for _, name := range r.names() {
		if set[name] {
			list = append(list, name)
		}
	}
	return list
}

// holds evaluates a condition.
func (r *reference) holds(c flow.Connection, e refEmission) (ok, fails bool) {
	switch c.Condition {
	case "":
		return true, false
	case "payload.n > 3":
		return r.m.payload(e.id).N > 3, false
	case "payload.attempts > 1":
		return e.attempts > 1, false
	}
	return false, true
}

// deliver brings an emission to whoever subscribes to it, or waits for it.
func (s *refScope) deliver(e refEmission) {
	if e.items >= 0 {
		s.group(e)
		return
	}
	s.seen[e.event] = append(s.seen[e.event], e)
	s.ref.raced = s.ref.raced || s.fallback[e.event] || len(s.seen[e.event]) > 1 && len(s.ref.waiting(e.event)) > 0
	for i := 0; i < len(s.waits); i++ {
		if w := s.waits[i]; w.on.Event == e.event && s.ref.matches(w.on, e) {
			s.waits = slices.Delete(s.waits, i, i+1)
			i = -1
			w.then(e.id)
		}
	}
	for _, c := range s.ref.subs[e.event] {
		if ok, _ := s.ref.holds(c, e); ok {
			s.reach(c, e)
		}
	}
}

func (r *reference) matches(a *flow.Await, e refEmission) bool {
	return a.Key == "" || r.m.payload(e.id).K == r.m.payload("input").K
}

// reach brings an emission to one step.
func (s *refScope) reach(c flow.Connection, e refEmission) {
	s.used = true
	def := s.ref.m.w.Steps[c.To]
	switch {
	case c.Repeat == flow.RepeatCollect && s.level > 0:
		s.got[c.To] = append(s.got[c.To], e.id)
		return
	case c.Repeat == flow.RepeatCollect:
		st := s.step(c.To)
		st.armed = true
		s.ref.raced = s.ref.raced || st.opened > 0
		s.got[c.To] = append(s.got[c.To], e.id)
		return
	case c.Repeat == flow.RepeatEach:
		s.open(c.To, []string{e.id})
		return
	}
	st := s.step(c.To)
	slot, slots := 0, 0
	for _, o := range s.ref.m.w.Connections {
		if o.To == c.To {
			if o.From == c.From {
				slot = slots
			}
			slots++
		}
	}
	if _, full := st.fill[slot]; full || st.opened > 0 {
		s.ref.raced = true
		return
	}
	need := slots
	if j := def.Config.Join; j != nil {
		need = map[string]int{flow.JoinModeAll: slots, flow.JoinModeAny: 1, flow.JoinModeN: j.N}[j.Mode]
	}
	if st.fill[slot] = e.id; len(st.fill) == need {
		var in []string
		for i := range slots {
			if what, ok := st.fill[i]; ok {
				in = append(in, what)
			}
		}
		s.open(c.To, in)
	}
}

// group evaluates the items of a group.
func (s *refScope) group(e refEmission) {
	fed := s.ref.feeds(e.event, s.level+1)
	partial := slices.ContainsFunc(fed, func(c string) bool { return s.ref.m.w.Steps[c].Config.Partial })
	items := map[string][]refItem{}
	missing := 0
	for n := range e.items {
		in := s.ref.scope(itemID(e.id, n), s.level+1)
		bad := in.enter(e.event)
		state := "done"
		switch {
		case (in.failed || bad) && !partial:
			s.failed = true
			state = "failed"
		case in.failed || bad:
			missing++
			state = "failed"
		case !in.used:
			state = "skipped"
		}
		if in.failed {
			for _, entry := range in.log {
				s.ref.may[entry]++
			}
		} else {
			s.log = append(s.log, in.log...)
		}
		for _, c := range fed {
			it := refItem{state: state}
			if state != "failed" {
				it.got = in.got[c]
			}
			items[c] = append(items[c], it)
		}
	}
	s.note("closed", e.id, e.items, missing)
	for _, c := range fed {
		s.step(c).armed = true
		s.got[c] = append(s.got[c], contents(e.id, items[c]))
	}
}

// enter evaluates an item. It reports whether a condition cannot be evaluated.
func (s *refScope) enter(event string) (bad bool) {
	e := refEmission{event: event, id: s.id, items: -1}
	subs := slices.Clone(s.ref.subs[event])
	slices.SortStableFunc(subs, func(a, b flow.Connection) int { return strings.Compare(a.To, b.To) })
	for _, c := range subs {
		if _, fails := s.ref.holds(c, e); fails {
			s.note("failed", id(subs[0].To, s.id, s.id), 0)
			return true
		}
	}
	for _, c := range subs {
		if ok, _ := s.ref.holds(c, e); ok {
			s.reach(c, e)
		}
	}
	s.run()
	return false
}
