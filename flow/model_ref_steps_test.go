package flow_test

import (
	"fmt"
	"slices"

	"github.com/nvent-go/nvent/flow"
)

// open evaluates an iteration of a step.
func (s *refScope) open(step string, in []string) {
	s.step(step).opened++
	iter := id(step, append([]string{s.id}, in...)...)
	c := s.ref.m.w.Steps[step].Config
	if c.AwaitBefore == nil {
		s.attempts(step, iter)
		return
	}
	s.await(step, iter, "before", c.AwaitBefore, func(string) { s.attempts(step, iter) },
		func() { s.note("failed", iter, 1); s.fail(step, id("failed", iter), 1) })
}

// await evaluates a wait: then when it is over, fails when nothing comes.
func (s *refScope) await(step, iter, position string, a *flow.Await, then func(what string), fails func()) {
	resolved := func(what string) { s.note("awaited", iter, position, what); then(what) }
	var comes bool
	what := ""
	switch {
	case a.Type == flow.AwaitTime:
		resolved("")
		return
	case a.Type == flow.AwaitSignal:
		what = id("signal", step, s.id)
		comes = a.Timeout == 0 || s.ref.m.act(step, what).arrives
	case a.Event == "outside":
		what = id("outside", iter)
		comes = a.Timeout == 0 || s.ref.m.act(step, iter).arrives
	default:
		var seen []refEmission
		for _, e := range s.seen[a.Event] {
			if s.ref.matches(a, e) {
				seen = append(seen, e)
			}
		}
		s.ref.raced = s.ref.raced || len(seen) > 1
		if len(seen) > 0 {
			resolved(seen[0].id)
			return
		}
		s.waits = append(s.waits, refWait{step, a, iter, resolved})
		return
	}
	switch {
	case comes:
		resolved(what)
	case a.OnTimeout == flow.TimeoutContinue:
		s.note("timeout", iter)
		resolved("default")
	case a.OnTimeout == flow.TimeoutRetry:
		for range s.ref.m.w.Steps[step].Retry.Attempts {
			s.note("timeout", iter)
		}
		fails()
	default:
		s.note("timeout", iter)
		fails()
	}
}

// attempts evaluates what an iteration does once it may run.
func (s *refScope) attempts(step, iter string) {
	def := s.ref.m.w.Steps[step]
	a := s.ref.m.act(step, iter)
	for n := 1; ; n++ {
		if def.Config.Flow != "" {
			s.note("child", iter, n)
		}
		ways, ok := s.ways(step, iter, a)
		switch {
		case n <= a.fails && !a.final && n < def.Retry.Attempts:
			s.note("retry", iter, n)
			continue
		case n <= a.fails, !ok:
			s.note("failed", iter, n)
			s.fail(step, id("failed", iter), n)
			return
		}
		s.note("completed", iter, n)
		if def.Config.Returns {
			s.ref.result = id("result", iter)
		}
		for _, e := range ways[:len(ways)-1] {
			if e.items >= 0 {
				s.note("group", e.id, e.items)
			} else {
				s.note("emit", e.id)
			}
		}
		if def.Config.AwaitAfter == nil {
			s.queue = append(s.queue, ways...)
			return
		}
		s.await(step, iter, "after", def.Config.AwaitAfter, func(what string) {
			s.queue = append(append(s.queue, ways...), refEmission{event: flow.ResolvedEvent(step), id: what, items: -1})
		}, func() { s.fail(step, id("timeout", iter), n) })
		return
	}
}

// ways returns what an iteration emits, its end included. ok is false if a condition about it cannot be evaluated.
func (s *refScope) ways(step, iter string, a act) (ways []refEmission, ok bool) {
	for _, e := range a.emits {
		ways = append(ways, refEmission{event: e.event, id: e.id, items: e.items})
	}
	ways = append(ways, refEmission{event: flow.StepEvent(step), id: id("result", iter), items: -1})
	for _, e := range ways {
		for _, c := range s.ref.subs[e.event] {
			if _, fails := s.ref.holds(c, e); fails && e.items < 0 {
				return nil, false
			}
		}
	}
	return ways, true
}

// fail evaluates the final failure of an iteration.
func (s *refScope) fail(step, emission string, attempts int) {
	s.step(step).failed++
	e := refEmission{event: flow.FailedEvent(step), id: emission, attempts: attempts, items: -1}
	handled := slices.ContainsFunc(s.ref.subs[e.event], func(c flow.Connection) bool { ok, _ := s.ref.holds(c, e); return ok })
	switch {
	case handled:
		s.queue = append(s.queue, e)
	case s.ref.m.w.Steps[step].Config.OnFailure != flow.OnFailureContinue:
		s.failed = true
	}
}

// summary is the entry of the end of the run.
func (s *refScope) summary() string {
	var skipped, failed, unreached []string
	for _, name := range s.ref.names() {
		st := s.steps[name]
		switch {
		case s.ref.m.level[name] > 0:
		case st == nil:
			skipped = append(skipped, name)
		case st.failed > 0:
			failed = append(failed, name)
		case st.opened == 0:
			unreached = append(unreached, fmt.Sprint(name, " ", len(st.fill)))
		}
	}
	return fmt.Sprintf("end %s skipped %v failed %v unreached %v", s.ref.result, skipped, failed, unreached)
}
