package flow

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"
)

// draft is a flow under construction, whatever its types.
type draft struct {
	name     string
	config   FlowConfig
	steps    []*stepDraft
	problems []Problem
}

// stepDraft is a step under construction.
type stepDraft struct {
	def        StepDefinition
	handler    Handler
	on         []AnyEvent
	emits      []AnyEvent
	emitsAll   []AnyEvent
	delay      time.Duration
	until      string
	conditions []condition
	repeat     []string
}

func (d *draft) handlerName(step string) string { return d.name + "/" + step }

func (d *draft) problem(step, what, fix string) {
	d.problems = append(d.problems, Problem{Step: step, What: what, Fix: fix})
}

// add adds a step. A step whose name is taken is kept out of the flow, but returned, so that the caller can go on.
func (d *draft) add(name string, h Handler, on []AnyEvent, options []Option) *stepDraft {
	s := &stepDraft{def: StepDefinition{Name: name, Handler: h.name}, handler: h, on: on}
	for _, o := range options {
		if o.apply != nil {
			o.apply(s)
		}
	}
	if slices.ContainsFunc(d.steps, func(t *stepDraft) bool { return t.def.Name == name }) {
		d.problem(name, "there are two steps of this name", "rename one of them")
		return s
	}
	d.steps = append(d.steps, s)
	return s
}

func (d *draft) handlers() []Handler {
	var hs []Handler
	for _, s := range d.steps {
		if s.handler.call != nil {
			hs = append(hs, s.handler)
		}
	}
	return hs
}

func (d *draft) wiring() Wiring {
	return d.build().wiring
}

func (d *draft) definition() (*Definition, error) {
	b := d.build()
	def, found := analyse(b.wiring, b.incomplete)
	if problems := slices.Concat(d.problems, b.problems, found); len(problems) > 0 {
		return nil, &Invalid{Flow: d.name, Problems: problems}
	}
	return def, nil
}

// built is the document of a draft, with the mistakes that a document cannot contain.
type built struct {
	wiring     Wiring
	problems   []Problem
	incomplete map[string]bool // steps with connections that are left out
	uses       map[string][]typeUse
}

// build makes the document.
func (d *draft) build() *built {
	b := &built{
		wiring:     Wiring{Name: d.name, Steps: make(map[string]StepDefinition, len(d.steps)), Connections: []Connection{}, Config: d.config},
		incomplete: map[string]bool{}, uses: map[string][]typeUse{},
	}
	for _, s := range d.steps {
		b.add(d, s)
	}
	b.problems = append(b.problems, typeProblems(b.uses)...)
	return b
}

func (b *built) add(d *draft, s *stepDraft) {
	def := s.def
	report := func(what, fix string) { b.problems = append(b.problems, Problem{Step: def.Name, What: what, Fix: fix}) }
	use := func(e AnyEvent, how string) {
		b.uses[e.Name()] = append(b.uses[e.Name()], typeUse{e.describe().typ, fmt.Sprintf("step %q %s it", def.Name, how)})
	}
	switch {
	case def.Config.External && s.handler.call != nil:
		report("it is external but has a handler", "pass nil as the handler, or drop flow.External()")
	case def.Config.External:
		def.Handler = ""
	case def.Config.Flow != "" && s.handler.call == nil:
		def.Handler = ""
	case s.handler.call == nil:
		report("its handler is nil", "pass a function; only a step with flow.External() has none")
	}
	for _, e := range s.emits {
		if nilEvent(e) {
			report("flow.Emits got nil instead of an event", "declare the event with flow.NewEvent before it is used")
			continue
		}
		def.Config.Emits = append(def.Config.Emits, e.Name())
		use(e, "emits")
	}
	for _, e := range s.emitsAll {
		if nilEvent(e) {
			report("flow.EmitsAll got nil instead of an event", "declare the event with flow.NewEvent before it is used")
			continue
		}
		def.Config.EmitsAll = append(def.Config.EmitsAll, e.Name())
		use(e, "emits")
	}
	var edges []Connection
	for _, e := range s.on {
		if nilEvent(e) {
			report("it subscribes to nil instead of an event", "declare the event with flow.NewEvent before it is used")
		} else if owner := e.describe().owner; owner != nil && owner != d {
			report(fmt.Sprintf("it subscribes to %q of another flow, %q", e.Name(), owner.name), "subscribe to steps of this flow only")
		} else {
			edges = append(edges, Connection{From: e.Name(), To: def.Name})
			use(e, "subscribes to")
		}
	}
	s.setEdges(edges, report)
	b.incomplete[def.Name] = len(edges) < len(s.on)
	b.wiring.Steps[def.Name] = def
	b.wiring.Connections = append(b.wiring.Connections, edges...)
}

// setEdges writes conditions and repeat modes to the step's connections.
func (s *stepDraft) setEdges(edges []Connection, report func(what, fix string)) {
	for _, c := range s.conditions {
		switch {
		case !c.named && len(edges) == 1:
			c.setOn(&edges[0], report)
			continue
		case !c.named && len(s.on) == 0:
			report("flow.When has no effect on a start step", "drop it; a start step always runs")
			continue
		case !c.named && len(edges) == 0: // it subscribes to nil, which is reported
			continue
		case !c.named:
			report("flow.When does not say which of the step's events it is about", "use flow.WhenEvent(event, expression)")
			continue
		case nilEvent(c.event):
			report("flow.WhenEvent got nil instead of an event", "pass one of the events that the step subscribes to")
			continue
		}
		i := slices.IndexFunc(edges, func(e Connection) bool { return e.From == c.event.Name() })
		if i < 0 {
			report(fmt.Sprintf("flow.WhenEvent names %q, which the step does not subscribe to", c.event.Name()),
				"pass one of the events that the step subscribes to")
			continue
		}
		c.setOn(&edges[i], report)
	}
	if len(s.repeat) > 1 {
		report("it has more than one of flow.Each() and flow.First()", "keep one")
	}
	if len(s.repeat) > 0 && len(s.on) == 0 {
		report("flow.Each() and flow.First() have no effect on a start step", "drop them; a start step runs once")
	}
	if (s.delay != 0 || s.until != "") && len(s.on) == 0 {
		report("flow.Delay and flow.Until have no effect on a start step", "drop them; to start a run later, use nvent.WithDelay")
	}
	for i := range edges {
		if len(s.repeat) > 0 {
			edges[i].Repeat = s.repeat[0]
		}
		edges[i].Delay, edges[i].Until = Duration(s.delay), s.until
	}
}

func (c condition) setOn(edge *Connection, report func(what, fix string)) {
	if edge.Condition != "" {
		report(fmt.Sprintf("the connection from %q has two conditions", edge.From), "join them with &&")
		return
	}
	if c.expr == "" {
		report(fmt.Sprintf("the condition of the connection from %q is empty", edge.From), "write an expression, or drop it")
		return
	}
	edge.Condition = c.expr
}

// nilEvent reports whether e is nil, or a nil *Event.
func nilEvent(e AnyEvent) bool {
	return e == nil || reflect.ValueOf(e).IsNil()
}

// typeProblems reports events that are used with different Go types.
func typeProblems(uses map[string][]typeUse) []Problem {
	var found []Problem
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		first := uses[name][0]
		for _, u := range uses[name][1:] {
			if !fits(first.typ, u.typ) {
				found = append(found, Problem{
					What: fmt.Sprintf("event %q has two types: %s (%s) and %s (%s)", name, first.typ, first.where, u.typ, u.where),
					Fix:  "declare the event once, with flow.NewEvent, and use that variable everywhere",
				})
				break
			}
		}
	}
	return found
}

// typeUse is a place where an event is used with a Go type.
type typeUse struct {
	typ   reflect.Type
	where string
}
