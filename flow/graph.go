package flow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/vm"

	"github.com/nvent-go/nvent/internal/document"
)

// program is a compiled condition; nil means always.
type program = *vm.Program

// findEmitters notes which steps emit which events, implicit ones included.
func (a *analysis) findEmitters() {
	for _, name := range a.steps {
		c := a.w.Steps[name].Config
		events := append([]string{StepEvent(name), FailedEvent(name)}, slices.Concat(c.Emits, c.EmitsAll)...)
		if c.AwaitAfter != nil {
			events = append(events, ResolvedEvent(name))
		}
		for _, e := range events {
			if !slices.Contains(a.emitters[e], name) {
				a.emitters[e] = append(a.emitters[e], name)
			}
		}
	}
}

func (a *analysis) checkConnections() {
	type edge struct{ from, to string }
	seen := map[edge]int{}
	a.programs = make([]program, len(a.w.Connections))
	for i, c := range a.w.Connections {
		report := func(what, near, fix string) {
			a.report(Problem{Connection: i + 1, From: c.From, To: c.To, Step: c.To, What: what, Near: near, Fix: fix})
		}
		if _, ok := a.w.Steps[c.To]; !ok {
			report("it leads to a step that does not exist", document.Nearest(c.To, a.steps), "set `to` to one of the flow's steps")
		}
		a.checkSource(c.From, report)
		if first, ok := seen[edge{c.From, c.To}]; ok {
			report(fmt.Sprintf("it repeats connection %d", first), "", "drop one; to choose between conditions, join them with ||")
		} else {
			seen[edge{c.From, c.To}] = i + 1
		}
		if c.Repeat != "" && c.Repeat != RepeatFirst && c.Repeat != RepeatEach && c.Repeat != RepeatCollect {
			choices := []string{RepeatFirst, RepeatEach, RepeatCollect}
			report(fmt.Sprintf("repeat is %q", c.Repeat), document.Nearest(c.Repeat, choices), "use "+orList(choices))
		}
		a.checkTimes(i, c, report)
		if strings.TrimSpace(c.Condition) == "" {
			if c.Condition != "" {
				report("its condition is blank", "", "write an expression, or drop it")
			}
			continue
		}
		p, err := compileCondition(c.Condition)
		if err != nil {
			report(fmt.Sprintf("condition `%s` does not compile: %s", c.Condition, err), "", "a condition reads like: payload.total > 100")
		}
		a.programs[i] = p
	}
}

// checkSource reports an event that nobody emits.
func (a *analysis) checkSource(from string, report func(what, near, fix string)) {
	if len(a.emitters[from]) > 0 {
		return
	}
	if step, ok := strings.CutPrefix(from, "step:"); ok {
		step, failed := strings.CutSuffix(step, ":failed")
		step, resolved := strings.CutSuffix(step, ":resolved")
		if _, known := a.w.Steps[step]; known && resolved {
			report(fmt.Sprintf("step %q awaits nothing after it has succeeded", step), "",
				"set its config.awaitAfter, in Go with flow.AwaitAfter, or subscribe to "+StepEvent(step))
			return
		}
		near := document.Nearest(step, a.steps)
		switch {
		case near == "":
		case failed:
			near = FailedEvent(near)
		case resolved:
			near = ResolvedEvent(near)
		default:
			near = StepEvent(near)
		}
		report(fmt.Sprintf("the flow has no step %q", step), near, "write step:<name>, step:<name>:failed or step:<name>:resolved")
		return
	}
	if _, ok := a.w.Steps[from]; ok {
		report(fmt.Sprintf("no step emits an event %q", from), StepEvent(from), "the end of a step is written step:<name>")
		return
	}
	var events []string
	for e := range a.emitters {
		if !strings.HasPrefix(e, "step:") {
			events = append(events, e)
		}
	}
	what := fmt.Sprintf("no step emits event %q", from)
	if from == "" {
		what = "it comes from nowhere: `from` is empty"
	}
	report(what, document.Nearest(from, events), "declare the event in the emits of the step that emits it")
}

// checkSlots checks a step together with the connections that lead to it.
func (a *analysis) checkSlots(name string, s StepDefinition) {
	report := func(what, fix string) { a.report(Problem{Step: name, What: what, Fix: fix}) }
	var slots []int // indexes of connections
	for i, c := range a.w.Connections {
		if c.To == name {
			slots = append(slots, i)
		}
	}
	if s.Config.Start {
		if len(slots) > 0 {
			report(fmt.Sprintf("it is a start step, and %s", leads(len(slots))),
				"a start step runs once, with the flow's input: drop config.start, or the connections")
		} else if s.Config.Join != nil {
			report("it is a start step with a join", "drop config.join; a start step waits for nothing")
		}
		return
	}
	if a.incomplete[name] {
		return
	}
	if len(slots) == 0 {
		if !a.starts {
			return // which is reported
		}
		report("it can never run: no connection leads to it, and it is not a start step",
			"connect it to an event or to the end of a step, or set config.start")
		return
	}
	a.checkJoin(name, s.Config.Join, len(slots))
	if a.collects(name) && (s.Config.External || s.Config.Flow != "" && s.Handler == "") {
		report("it collects, and has no handler", "a group is read by a handler: let a step before it make one value of the group")
	}
	for _, i := range slots {
		c := a.w.Connections[i]
		edge := Problem{Connection: i + 1, From: c.From, To: c.To, Step: name}
		switch by := a.emitters[c.From]; {
		case len(slots) > 1 && c.Repeat == RepeatCollect:
			edge.What = fmt.Sprintf("repeat is collect, but %q joins %d connections", name, len(slots))
			edge.Fix = "a step that collects has one connection: add a step that joins its end with the others"
			a.report(edge)
		case len(slots) > 1 && c.Repeat == RepeatEach:
			edge.What = fmt.Sprintf("repeat is each, but %q joins %d connections", name, len(slots))
			edge.Fix = "a join fires once: use first, or a step of its own for each event"
			a.report(edge)
		case len(slots) > 1 && len(by) > 1 && c.Repeat == "":
			edge.What = fmt.Sprintf("%q joins an event that %d steps emit: %s", name, len(by), quoted(by))
			edge.Fix = "say that the first one counts, with repeat: first (in Go: flow.First()), or emit events of different names"
			a.report(edge)
		}
	}
}

func leads(n int) string {
	if n == 1 {
		return "a connection leads to it"
	}
	return fmt.Sprintf("%d connections lead to it", n)
}

func (a *analysis) checkJoin(name string, j *Join, slots int) {
	if j == nil {
		return
	}
	if j.Mode == "" {
		a.report(Problem{Step: name, What: "config.join has no mode", Fix: "use all, any or n"})
		return
	}
	if !a.checkChoice(name, "config.join.mode", j.Mode, JoinModeAll, JoinModeAny, JoinModeN) {
		return
	}
	switch {
	case j.Mode == JoinModeN && (j.N < 1 || j.N > slots):
		a.report(Problem{Step: name, What: fmt.Sprintf("its join wants %d of %d connections", j.N, slots),
			Fix: fmt.Sprintf("set n to 1 to %d", slots)})
	case j.Mode != JoinModeN && j.N != 0:
		a.report(Problem{Step: name, What: fmt.Sprintf("its join has mode %s and n = %d", j.Mode, j.N),
			Fix: "drop n, or set the mode to n"})
	}
}

// checkCycles reports the cycles of steps that feed themselves, one for each step that closes some.
func (a *analysis) checkCycles() {
	type link struct{ event, to string }
	next := map[string][]link{}
	for _, c := range a.w.Connections {
		for _, by := range a.emitters[c.From] {
			if _, ok := a.w.Steps[c.To]; ok {
				next[by] = append(next[by], link{c.From, c.To})
			}
		}
	}
	const (
		unseen = iota
		open
		done
	)
	state, reported := map[string]int{}, map[string]bool{}
	var path []link // the links that lead to the step being visited
	var visit func(step string)
	visit = func(step string) {
		state[step] = open
		for _, l := range next[step] {
			switch state[l.to] {
			case unseen:
				path = append(path, l)
				visit(l.to)
				path = path[:len(path)-1]
			case open:
				if reported[l.to] {
					continue
				}
				reported[l.to] = true
				begin := slices.IndexFunc(path, func(p link) bool { return p.to == l.to }) + 1
				var b strings.Builder
				b.WriteString(l.to)
				for _, p := range append(path[begin:len(path):len(path)], l) {
					fmt.Fprintf(&b, " -(%s)-> %s", p.event, p.to)
				}
				a.report(Problem{Step: l.to, What: "it feeds itself: " + b.String(),
					Fix: "steps cannot form a cycle; drop one of these connections, or start another run of the flow"})
			}
		}
		state[step] = done
	}
	for _, name := range a.steps {
		if state[name] == unseen {
			visit(name)
		}
	}
}

// definition builds the compiled form of a document without mistakes.
func (a *analysis) definition() *Definition {
	w := a.w
	w.Steps = make(map[string]StepDefinition, len(a.w.Steps))
	d := &Definition{byName: make(map[string]*Step, len(a.steps)), subs: map[string][]subscription{}, timeout: time.Duration(w.Config.Timeout)}
	for _, name := range a.steps {
		s := a.w.Steps[name]
		s.Name = name
		w.Steps[name] = s
		step := compileStep(w.Name, s)
		step.Before, step.After = a.awaits[name+"/before"], a.awaits[name+"/after"]
		d.steps = append(d.steps, step)
		d.byName[name] = step
		if step.Start {
			d.starts = append(d.starts, step)
		}
		if step.Returns {
			d.returns = step
		}
	}
	for i, c := range w.Connections {
		step := d.byName[c.To]
		d.subs[c.From] = append(d.subs[c.From], subscription{step: step, slot: len(step.Slots), cond: a.programs[i],
			delay: time.Duration(c.Delay), until: a.untils[i], untilText: c.Until})
		step.Slots = append(step.Slots, Slot{Event: c.From, Condition: c.Condition})
		step.each = c.Repeat == RepeatEach
		step.collect = c.Repeat == RepeatCollect
	}
	for _, step := range d.steps {
		step.need = needed(w.Steps[step.Name].Config.Join, len(step.Slots))
	}
	for _, subs := range d.subs { // whose order must not depend on the order of the document
		slices.SortStableFunc(subs, func(a, b subscription) int { return strings.Compare(a.step.Name, b.step.Name) })
	}
	d.wiring = w
	d.hash = hash(w)
	a.derive(d)
	return d
}

// compileStep compiles a step but for its connections.
func compileStep(flow string, s StepDefinition) *Step {
	c := s.Config
	step := &Step{
		Name: s.Name, Handler: s.Handler, Queue: c.Queue, Emits: c.Emits, Attempts: 1, Timeout: time.Duration(c.Timeout),
		Start: c.Start, Returns: c.Returns, External: c.External, Continue: c.OnFailure == OnFailureContinue,
		Flow: c.Flow, Parallel: c.Parallel,
		emitsSet: make(map[string]bool, len(c.Emits)), emitsAll: make(map[string]bool, len(c.EmitsAll)),
		event: StepEvent(s.Name), failEvent: FailedEvent(s.Name), resolvedEvent: ResolvedEvent(s.Name),
	}
	if step.Queue == "" {
		step.Queue = flow
	}
	if s.Retry != nil {
		step.Attempts, step.Backoff = s.Retry.Attempts, s.Retry.Backoff
	}
	for _, e := range c.Emits {
		step.emitsSet[e] = true
	}
	for _, e := range c.EmitsAll {
		step.emitsAll[e] = true
	}
	return step
}
