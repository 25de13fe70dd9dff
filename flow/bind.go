package flow

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/nvent-go/nvent/internal/document"
)

// Bind finds the handler of every step of a definition, and checks that it fits: that it exists, takes as many inputs as the
// step has connections, and takes the results of the steps that it subscribes to. handlers are all that are known.
// The result is by step; external steps have none. The error lists every mistake; it is an [*Invalid].
func Bind(d *Definition, handlers []Handler) (map[string]Handler, error) {
	known := make(map[string]Handler, len(handlers))
	for _, h := range handlers {
		known[h.name] = h
	}
	bound := make(map[string]Handler, len(d.steps))
	var problems []Problem
	for _, s := range d.steps {
		if s.External || (s.Flow != "" && s.Handler == "") {
			continue
		}
		h, ok := known[s.Handler]
		switch {
		case !ok:
			names := slices.Sorted(maps.Keys(known))
			fix := "no handlers are registered; register it with flow.Func"
			if len(names) > 0 {
				fix = "register it with flow.Func; registered are " + few(names)
			}
			problems = append(problems, Problem{Step: s.Name, What: fmt.Sprintf("handler %q is not registered", s.Handler),
				Near: document.Nearest(s.Handler, names), Fix: fix})
			continue
		case h.call == nil:
			problems = append(problems, Problem{Step: s.Name, What: fmt.Sprintf("handler %q is nil", s.Handler),
				Fix: "register a function"})
			continue
		}
		if h.group != s.collect {
			problems = append(problems, groupProblem(s, h))
			continue
		}
		if slots := max(len(s.Slots), 1); !h.anyIn && len(h.in) != slots {
			problems = append(problems, arityProblem(s, h))
			continue
		} else if !h.anyIn && s.need < len(s.Slots) {
			problems = append(problems, Problem{Step: s.Name,
				What: fmt.Sprintf("it may run with %d of its %d connections, and handler %q needs them all", s.need, slots, h.name),
				Fix:  "register the handler with flow.FuncN, or join all"})
		}
		bound[s.Name] = h
	}
	problems = append(problems, resultProblems(d, bound)...)
	if len(problems) > 0 {
		return nil, &Invalid{Flow: d.Name(), Problems: problems}
	}
	return bound, nil
}

func groupProblem(s *Step, h Handler) Problem {
	if s.collect {
		return Problem{Step: s.Name, What: fmt.Sprintf("it collects a group, and handler %q takes one event", h.name),
			Fix: "register the handler with flow.FuncGroup, or drop repeat: collect"}
	}
	return Problem{Step: s.Name, What: fmt.Sprintf("handler %q takes a group, and the step does not collect", h.name),
		Fix: "set repeat: collect on its connection (in Go: flow.Collect), or register the handler with flow.Func"}
}

func arityProblem(s *Step, h Handler) Problem {
	has := "it is a start step, which has one input"
	if n := len(s.Slots); n > 0 {
		events := make([]string, n)
		for i, slot := range s.Slots {
			events[i] = slot.Event
		}
		has = fmt.Sprintf("%s: %s", leads(n), quoted(events))
	}
	takes := "1 input"
	if len(h.in) > 1 {
		takes = fmt.Sprintf("%d inputs", len(h.in))
	}
	return Problem{Step: s.Name, What: fmt.Sprintf("handler %q takes %s, but %s", h.name, takes, has),
		Fix: "give the handler one parameter for each connection, in their order, or register it with flow.FuncN"}
}

// resultProblems compares the results of handlers with the parameters of the handlers that get them.
func resultProblems(d *Definition, bound map[string]Handler) []Problem {
	var found []Problem
	for _, s := range d.steps {
		h, ok := bound[s.Name]
		if !ok || h.anyIn {
			continue
		}
		for i, slot := range s.Slots {
			name, isStep := strings.CutPrefix(slot.Event, "step:")
			if !isStep {
				continue
			}
			var result reflect.Type
			from := ""
			if name, failed := strings.CutSuffix(name, ":failed"); failed {
				result, from = reflect.TypeFor[Failure](), fmt.Sprintf("the failure of step %q", name)
			} else if strings.HasSuffix(slot.Event, ":resolved") || d.byName[name] != nil && d.byName[name].Flow != "" {
				continue // what comes from outside of the flow has no type that is known here
			} else if by, ok := bound[name]; ok {
				result, from = by.out, fmt.Sprintf("the result of step %q (handler %q)", name, by.name)
			}
			if result != nil && !fits(result, h.in[i]) {
				found = append(found, Problem{Step: s.Name,
					What: fmt.Sprintf("%s is %s, but handler %q takes %s as input %d", from, result, h.name, h.in[i], i+1),
					Fix:  "make the types equal, or take json.RawMessage"})
			}
		}
	}
	return found
}

// few lists names, the first ten of them.
func few(names []string) string {
	if len(names) > 10 {
		return fmt.Sprintf("%s and %d more", quoted(names[:10]), len(names)-10)
	}
	return quoted(names)
}
