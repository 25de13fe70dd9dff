package flow

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nvent-go/nvent/internal/document"
)

// Longest names, in bytes.
const (
	maxName  = 128
	maxEvent = 256
)

// Compile analyses a document. The error lists every mistake; it is an [*Invalid]. The definition keeps the document: the
// caller must not change it afterwards.
func Compile(w Wiring) (*Definition, error) {
	d, problems := analyse(w, nil)
	if len(problems) > 0 {
		return nil, &Invalid{Flow: w.Name, Problems: problems}
	}
	return d, nil
}

// analyse checks a document and compiles it.
func analyse(w Wiring, incomplete map[string]bool) (*Definition, []Problem) {
	a := &analysis{w: w, steps: slices.Sorted(maps.Keys(w.Steps)), emitters: map[string][]string{}, incomplete: incomplete,
		awaits: map[string]*awaiting{}}
	a.checkFlow()
	for _, name := range a.steps {
		a.checkStep(name, w.Steps[name])
	}
	a.findEmitters()
	a.checkConnections()
	for _, name := range a.steps {
		a.checkSlots(name, w.Steps[name])
	}
	a.checkCycles()
	if len(a.problems) == 0 {
		a.checkLevels()
	}
	if len(a.problems) > 0 {
		return nil, a.problems
	}
	return a.definition(), nil
}

// analysis is the working place of one document.
type analysis struct {
	w        Wiring
	steps    []string             // names, sorted
	emitters map[string][]string  // event -> steps, sorted
	programs []program            // by connection: the condition
	untils   []program            // by connection
	awaits   map[string]*awaiting // by step and position: "pay/before"
	levels   map[string]int       // by step
	starts   bool                 // it has a start step
	// incomplete are steps whose connections are not all in the document, because of mistakes that are reported already.
	incomplete map[string]bool
	problems   []Problem
}

func (a *analysis) report(p Problem) { a.problems = append(a.problems, p) }

func (a *analysis) checkFlow() {
	if a.w.Config.Timeout < 0 {
		a.report(Problem{What: fmt.Sprintf("config.timeout is negative: %s", time.Duration(a.w.Config.Timeout)), Fix: "use 0 or more"})
	}
	if what := badName(a.w.Name); what != "" {
		a.report(Problem{What: fmt.Sprintf("the flow's name %s", what), Fix: nameFix})
	}
	if len(a.steps) == 0 {
		a.report(Problem{What: "it has no steps", Fix: "add at least a start step"})
		return
	}
	var returns []string
	for _, name := range a.steps {
		if a.w.Steps[name].Config.Start {
			a.starts = true
		}
		if a.w.Steps[name].Config.Returns {
			returns = append(returns, name)
		}
	}
	if !a.starts {
		a.report(Problem{What: "no step is a start step, so nothing would ever run",
			Fix: "set config.start of the step that takes the flow's input; in Go, add it with flow.Start"})
	}
	if len(returns) > 1 {
		a.report(Problem{What: fmt.Sprintf("%d steps return the flow's result: %s", len(returns), quoted(returns)),
			Fix: "keep config.returns on one of them"})
	}
}

const nameFix = "use letters, digits, _ . and -, at most 128 of them"

// badName says what is wrong with the name of a flow, step or queue, or returns "".
func badName(name string) string {
	if name == "" {
		return "is empty"
	}
	if len(name) > maxName {
		return fmt.Sprintf("%.20q... has %d characters", name, len(name))
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_.-", r) {
			return fmt.Sprintf("%q has a %q in it", name, r)
		}
	}
	return ""
}

// badEvent says what is wrong with the name of an event that a step emits, and how to fix it, or returns "".
func badEvent(name string) (what, fix string) {
	switch {
	case name == "":
		return "an event has an empty name", "name it"
	case len(name) > maxEvent:
		return fmt.Sprintf("event %.20q... has a name of %d bytes", name, len(name)), fmt.Sprintf("use at most %d", maxEvent)
	case strings.HasPrefix(name, "step:"):
		return fmt.Sprintf("event %q begins with \"step:\", which is reserved for the ends of steps", name),
			"rename it; a step's end is emitted by itself"
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Sprintf("event %q has a name with control characters or broken UTF-8", name), "use printable characters"
	}
	return "", ""
}

func (a *analysis) checkStep(name string, s StepDefinition) {
	report := func(what, fix string) { a.report(Problem{Step: name, What: what, Fix: fix}) }
	if name == "" {
		a.report(Problem{What: "one of its steps has an empty name", Fix: nameFix})
	} else if what := badName(name); what != "" {
		report("its name "+what, nameFix)
	}
	if s.Name != "" && s.Name != name {
		report(fmt.Sprintf("it is named %q inside", s.Name), "make its name equal to its key, or leave the name out")
	}
	c := s.Config
	switch {
	case s.Handler == "" && !c.External && c.Flow == "":
		report("it has no handler", "set handler to the name that its code is registered under")
	case c.External && c.Flow != "":
		report(fmt.Sprintf("it is external and calls flow %q", c.Flow), "keep one of config.external and config.flow")
	case len(s.Handler) > 2*maxName || strings.ContainsFunc(s.Handler, unicode.IsControl) || !utf8.ValidString(s.Handler):
		report(fmt.Sprintf("handler %.20q is no good name", s.Handler), "use at most 256 printable characters")
	}
	if c.Queue != "" {
		if what := badName(c.Queue); what != "" {
			report("the name of its queue "+what, nameFix)
		}
	}
	if c.Flow != "" {
		if what := badName(c.Flow); what != "" {
			report("the name of the flow that it calls "+what, nameFix)
		}
		if len(c.Emits)+len(c.EmitsAll) > 0 {
			report(fmt.Sprintf("it calls flow %q but emits %s", c.Flow, quoted(slices.Concat(c.Emits, c.EmitsAll))),
				fmt.Sprintf("a call emits nothing but its end: drop emits, and subscribe to %q", StepEvent(name)))
		}
	}
	if c.Parallel < 0 {
		report("parallel is less than 1", "use 1 or more, or leave it out")
	}
	a.checkAwaits(name, s)
	a.checkEmits(name, c)
	a.checkChoice(name, "config.onFailure", c.OnFailure, OnFailureFail, OnFailureContinue)
	retry := Retry{Attempts: 1}
	if s.Retry != nil {
		retry = *s.Retry
	}
	for _, p := range checkRetry(retry, c.Timeout) {
		p.Step = name
		a.report(p)
	}
}

func (a *analysis) checkEmits(name string, c StepConfig) {
	all := slices.Concat(c.Emits, c.EmitsAll)
	if c.External && len(all) > 0 {
		a.report(Problem{Step: name, What: fmt.Sprintf("it is external but emits %s", quoted(all)),
			Fix: fmt.Sprintf("foreign workers cannot emit: drop emits, and subscribe to %q", StepEvent(name))})
	}
	for i, event := range all {
		if what, fix := badEvent(event); what != "" {
			a.report(Problem{Step: name, What: what, Fix: fix})
		}
		if slices.Index(all, event) < i {
			fix := "keep one"
			if slices.Contains(c.Emits, event) && slices.Contains(c.EmitsAll, event) {
				fix = "keep it in emits, for one at a time, or in emitsAll, for many items at once"
			}
			a.report(Problem{Step: name, What: fmt.Sprintf("it declares event %q twice", event), Fix: fix})
		}
	}
}

// checkChoice reports a value that is neither empty nor one of the choices.
func (a *analysis) checkChoice(step, key, value string, choices ...string) bool {
	if value == "" || slices.Contains(choices, value) {
		return true
	}
	a.report(Problem{Step: step, What: fmt.Sprintf("%s is %q", key, value), Near: document.Nearest(value, choices),
		Fix: "use " + orList(choices)})
	return false
}

// checkRetry finds what is wrong with a step's attempts and timeout.
func checkRetry(r Retry, timeout Duration) []Problem {
	var found []Problem
	report := func(what, fix string) { found = append(found, Problem{What: what, Fix: fix}) }
	if r.Attempts < 1 {
		report(fmt.Sprintf("it has %d attempts", r.Attempts), "attempts are tries in total: use at least 1")
	}
	b := r.Backoff
	switch b.Kind {
	case "", BackoffFixed, BackoffExponential:
	default:
		kinds := []string{BackoffFixed, BackoffExponential}
		found = append(found, Problem{What: fmt.Sprintf("the kind of its back-off is %q", b.Kind), Near: document.Nearest(b.Kind, kinds),
			Fix: "use " + orList(kinds)})
	}
	if b.Kind == "" && b.Base != 0 {
		report("its back-off has a base but no kind", "set kind to "+BackoffFixed+" or "+BackoffExponential)
	}
	for _, d := range []struct {
		what  string
		value Duration
	}{{"the base of its back-off", b.Base}, {"the longest delay of its back-off", b.Max}, {"its timeout", timeout}} {
		if d.value < 0 {
			report(fmt.Sprintf("%s is negative: %s", d.what, time.Duration(d.value)), "use 0 or more")
		}
	}
	if !(b.Jitter >= 0 && b.Jitter <= 1) {
		report(fmt.Sprintf("the jitter of its back-off is %v", b.Jitter), "it is the part of a delay that is random: use 0 to 1")
	}
	return found
}

// orList returns "a, b or c".
func orList(choices []string) string {
	last := len(choices) - 1
	if last == 0 {
		return choices[0]
	}
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}

func quoted(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(q, ", ")
}
