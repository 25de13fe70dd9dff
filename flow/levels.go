package flow

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// checkLevels finds out how many groups each step is inside of. Start steps are outside of all; an event that is emitted for
// many items leads into a group, collecting leads out of it again. What is emitted on one level never meets what is emitted
// on another.
func (a *analysis) checkLevels() {
	a.levels = map[string]int{}
	done := map[string]bool{}
	var level func(step string) int
	eventLevel := func(event string) (int, string) {
		first, by := -1, ""
		for _, e := range a.emitters[event] {
			l := level(e)
			if slices.Contains(a.w.Steps[e].Config.EmitsAll, event) {
				l++
			}
			if first >= 0 && l != first {
				return first, fmt.Sprintf("%q emits it %s, and %q emits it %s", by, groups(first), e, groups(l))
			}
			first, by = l, e
		}
		return max(first, 0), ""
	}
	level = func(step string) int {
		if done[step] {
			return a.levels[step]
		}
		done[step] = true // the graph has no cycles
		from, found := "", false
		for i, c := range a.w.Connections {
			if c.To != step {
				continue
			}
			l, mixed := eventLevel(c.From)
			if mixed != "" {
				a.report(Problem{Connection: i + 1, From: c.From, To: c.To, Step: step, What: "its event is ambiguous: " + mixed,
					Fix: "emit events of different names"})
			}
			if c.Repeat == RepeatCollect {
				l = max(l-1, 0)
			}
			if found && l != a.levels[step] {
				a.report(Problem{Connection: i + 1, From: c.From, To: c.To, Step: step,
					What: fmt.Sprintf("it joins %q, %s, with %q, %s: they never meet", from, groups(a.levels[step]), c.From, groups(l)),
					Fix:  "collect the items first, with repeat: collect or flow.Collect, and join the end of that step"})
				continue
			}
			a.levels[step], from, found = l, c.From, true
		}
		return a.levels[step]
	}
	for _, name := range a.steps {
		l := level(name)
		if a.w.Steps[name].Config.Returns && l > 0 {
			a.report(Problem{Step: name, What: fmt.Sprintf("it returns the flow's result %s, where it runs for each item", groups(l)),
				Fix: "collect the items, and return what the collecting step makes of them"})
		}
		if c := a.w.Steps[name].Config; c.Partial && !a.collects(name) {
			a.report(Problem{Step: name, What: "config.partial is set, but it collects nothing",
				Fix: "set it on the step that collects: the one with repeat: collect, or of flow.Collect"})
		}
	}
}

func (a *analysis) collects(step string) bool {
	return slices.ContainsFunc(a.w.Connections, func(c Connection) bool { return c.To == step && c.Repeat == RepeatCollect })
}

func groups(level int) string {
	switch level {
	case 0:
		return "outside of groups"
	case 1:
		return "inside of a group"
	}
	return fmt.Sprintf("inside of %d groups", level)
}

// derive computes what the transitions need to know of how the steps are connected.
func (a *analysis) derive(d *Definition) {
	d.conditional, d.feeds, d.partial = map[string]bool{}, map[string][]*Step{}, map[string]bool{}
	d.awaited = map[string][]*Step{}
	for _, subs := range d.subs {
		d.fallible = d.fallible || slices.ContainsFunc(subs, func(sub subscription) bool { return sub.cond != nil || sub.until != nil })
	}
	for _, s := range d.steps {
		s.level = a.levels[s.Name]
		d.fallible = d.fallible || s.Before != nil && s.Before.until != nil || s.After != nil && s.After.until != nil
		if s.collect {
			d.collects = append(d.collects, s)
		}
		var seen []string
		for _, w := range s.awaits() {
			if w.Type == AwaitEvent && !slices.Contains(seen, w.Event) {
				d.awaited[w.Event] = append(d.awaited[w.Event], s)
				seen = append(seen, w.Event)
			}
		}
	}
	for _, s := range d.steps {
		for _, event := range a.w.Steps[s.Name].Config.EmitsAll {
			d.conditional[event] = slices.ContainsFunc(d.subs[event], func(sub subscription) bool {
				return sub.cond != nil || sub.until != nil || sub.step.Before != nil && sub.step.Before.until != nil
			})
			d.feeds[event] = d.fedBy(event, s.level+1)
			d.partial[event] = slices.ContainsFunc(d.feeds[event], func(c *Step) bool { return a.w.Steps[c.Name].Config.Partial })
		}
	}
	for _, c := range d.collects {
		c.upstream = map[string]bool{}
		d.addUpstream(a, c.Slots[0].Event, c)
	}
}

// events returns what a step emits.
func (s *Step) events() []string {
	list := slices.Concat(s.Emits, []string{s.event, s.failEvent, s.resolvedEvent})
	for e := range s.emitsAll {
		list = append(list, e)
	}
	return list
}

// fedBy returns the collect steps just outside of the level that event, and what follows from it inside of the level, lead
// to.
func (d *Definition) fedBy(event string, level int) []*Step {
	var fed []*Step
	seen := map[string]bool{}
	var visit func(event string)
	visit = func(event string) {
		if seen[event] {
			return
		}
		seen[event] = true
		for _, sub := range d.subs[event] {
			if sub.step.collect && sub.step.level == level-1 {
				if !slices.Contains(fed, sub.step) {
					fed = append(fed, sub.step)
				}
				continue
			}
			for _, e := range sub.step.events() {
				visit(e)
			}
		}
	}
	visit(event)
	slices.SortFunc(fed, func(a, b *Step) int { return strings.Compare(a.Name, b.Name) })
	return fed
}

// addUpstream notes the steps that may lead to an event that c collects.
func (d *Definition) addUpstream(a *analysis, event string, c *Step) {
	for _, by := range a.emitters[event] {
		if c.upstream[by] {
			continue
		}
		c.upstream[by] = true
		for _, slot := range d.byName[by].Slots {
			d.addUpstream(a, slot.Event, c)
		}
		for _, w := range d.byName[by].awaits() {
			if w.Type == AwaitEvent {
				d.addUpstream(a, w.Event, c)
			}
		}
	}
}

// window returns how many items of a group of an event may be in progress at once.
func (d *Definition) window(event string) int {
	window := 0
	for _, sub := range d.subs[event] {
		if p := sub.step.Parallel; p > 0 && (window == 0 || p < window) {
			window = p
		}
	}
	if window == 0 {
		return defaultWindow
	}
	return window
}

// due returns when what an event opens through the connection begins, in Unix milliseconds; 0: at once.
func (s subscription) due(now time.Time, event string, payload []byte) (int64, error) {
	var at time.Time
	if s.delay > 0 {
		at = now.Add(s.delay)
	}
	if s.until != nil {
		until, err := evalTime(s.until, s.untilText, event, payload)
		if err != nil {
			return 0, fmt.Errorf("connection from %q to step %q: %w", event, s.step.Name, err)
		}
		if until.After(at) {
			at = until
		}
	}
	if !at.After(now) {
		return 0, nil
	}
	return noEarlier(at), nil
}
