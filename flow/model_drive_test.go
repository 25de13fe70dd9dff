package flow_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// drive moves a run on until it has ended, in an order that chance decides.
func (w *modelWorld) drive() error {
	for step := 0; ; step++ {
		s, err := w.full()
		if err != nil {
			return err
		}
		if s.Status.Ended() {
			return nil
		}
		if step > 20000 {
			return fmt.Errorf("the run does not end: status %s", s.Status)
		}
		if err := w.move(s); err != nil {
			return err
		}
		if len(w.past) > 0 && w.r.IntN(3) == 0 { // what was accepted comes once more
			in := w.past[w.r.IntN(len(w.past))]
			if v, err := w.apply(in); err != nil || v != flow.Stale {
				return fmt.Errorf("%T %+v is accepted twice: %w", in, in, err)
			}
		}
	}
}

// move makes one move.
func (w *modelWorld) move(s *flow.State) error {
	if w.again && w.r.IntN(2) == 0 {
		w.again = false
		_, err := w.apply(flow.Fill{})
		return err
	}
	if s.Paused && w.r.IntN(4) == 0 {
		return w.must(flow.Resume{})
	}
	if !s.Paused && w.r.IntN(60) == 0 {
		return w.must(flow.Pause{Reason: "test"})
	}
	moves, patient := w.moves(s)
	timer := s.FirstTimer() > 0 && (len(moves) == 0 || !patient || w.lenient)
	switch {
	case timer && (len(moves) == 0 || w.r.IntN(8) == 0):
		if at := time.UnixMilli(s.FirstTimer()); at.After(w.now) {
			w.now = at
		}
		return w.must(flow.Fire{})
	case len(moves) > 0:
		return w.try(moves[w.r.IntN(len(moves))])
	case s.Paused:
		return w.must(flow.Resume{})
	case w.again:
		w.again = false
		_, err := w.apply(flow.Fill{})
		return err
	}
	// Nothing is left but to wait for an event that no step emits any more: it comes from outside.
	waits := s.OpenAwaits(w.d, modelRun)
	if len(waits) == 0 {
		return fmt.Errorf("stuck: nothing can happen, and %d are outstanding", s.Open)
	}
	a := waits[w.r.IntN(len(waits))]
	return w.must(flow.Arrived{Token: a.Token, Await: a.Seq, Payload: w.arrival(a)})
}

func (w *modelWorld) arrival(a flow.OpenAwait) json.RawMessage {
	return w.m.payload(id("outside", w.iters[iterKey(a.Token.Epoch, a.Token.Scope, a.Token.Step, a.Token.Iteration)])).json()
}

// must applies an input that cannot be stale.
func (w *modelWorld) must(in flow.Input) error {
	v, err := w.apply(in)
	if err == nil && v != flow.Accepted {
		err = fmt.Errorf("%T %+v is refused", in, in)
	}
	return err
}

// try applies an input that may be repeated later.
func (w *modelWorld) try(in flow.Input) error {
	if err := w.must(in); err != nil {
		return err
	}
	if sig, ok := in.(flow.Signal); ok {
		g := w.given[sig.Hash]
		g.used = true
		w.given[sig.Hash] = g
	}
	w.past = append(w.past, in)
	if o, ok := in.(flow.Outcome); ok && o.Err == nil {
		for _, sig := range o.Signals {
			w.given[sig.Hash] = signal{scope: o.Token.Scope, step: sig.Step}
		}
	}
	return nil
}

// moves returns what can happen next, and whether something that is awaited is on its way, so that time has to wait for it.
func (w *modelWorld) moves(s *flow.State) (list []flow.Input, patient bool) {
	s.EachOpen(modelRun, func(t flow.Token, it *flow.Iteration) bool {
		step := w.d.Step(t.Step)
		iter := w.iters[iterKey(t.Epoch, t.Scope, t.Step, t.Iteration)]
		if iter == "" {
			iter = w.iterID(t.Step, t.Scope, it.In)
		}
		a := w.m.act(t.Step, iter)
		switch it.Phase {
		case flow.PhaseRun:
			if !w.issued[t.String()] {
				break // the run is paused
			}
			list = append(list, w.outcome(t, it, step, a, iter))
			if w.r.IntN(20) == 0 {
				list = append(list, flow.Lost{Token: t, Deliveries: 1, Max: 1000})
			}
		case flow.PhaseChild:
			if !w.called[t.String()] {
				break
			}
			end := flow.ChildEnded{Token: t, Status: flow.StatusCompleted, Result: w.m.payload(id("result", iter)).json()}
			if it.Attempt <= a.fails {
				end = flow.ChildEnded{Token: t, Status: flow.StatusFailed, Error: "no"}
				if a.final {
					end.Status = flow.StatusCanceled
				}
			}
			list = append(list, end)
		case flow.PhaseBefore, flow.PhaseAfter:
			c := w.m.w.Steps[t.Step].Config
			aw := c.AwaitBefore
			if it.Phase == flow.PhaseAfter {
				aw = c.AwaitAfter
			}
			comes := aw.Timeout == 0 || a.arrives
			if aw.Type == flow.AwaitSignal {
				comes = aw.Timeout == 0 || w.m.act(t.Step, id("signal", t.Step, w.scopeID(pathOf(t.Scope)))).arrives
			}
			if aw.Type == flow.AwaitEvent && aw.Event == "outside" && comes {
				open := flow.OpenAwait{Token: t, Seq: it.Await}
				list = append(list, flow.Arrived{Token: t, Await: it.Await, Payload: w.arrival(open)})
				patient = patient || aw.Timeout > 0
			}
			if aw.Type == flow.AwaitSignal && comes && aw.Timeout > 0 {
				patient = true
			}
		case flow.PhaseDelay:
		}
		return true
	})
	for hash, g := range w.given {
		c := w.m.w.Steps[g.step].Config
		aw := c.AwaitBefore
		if aw == nil || aw.Type != flow.AwaitSignal {
			aw = c.AwaitAfter
		}
		iter := id("signal", g.step, w.scopeID(pathOf(g.scope)))
		if g.used || (aw.Timeout > 0 && !w.m.act(g.step, iter).arrives) {
			continue
		}
		if w.scopeOpen(s, g.scope) && slices.ContainsFunc(s.Tokens, func(t flow.SignalToken) bool { return t.Hash == hash }) {
			list = append(list, flow.Signal{Hash: hash, Scope: g.scope, Payload: w.m.payload(iter).json()})
		}
	}
	slices.SortFunc(list, func(a, b flow.Input) int { // given is a map
		x, ok1 := a.(flow.Signal)
		y, ok2 := b.(flow.Signal)
		switch {
		case ok1 && ok2:
			return compare(x.Hash, y.Hash)
		case ok1:
			return 1
		case ok2:
			return -1
		}
		return 0
	})
	return list, patient
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// scopeOpen reports whether a scope is open: in its item something is left to happen.
func (w *modelWorld) scopeOpen(s *flow.State, scope string) bool {
	path := pathOf(scope)
	at := ""
	for _, p := range path {
		up := at
		if up == "" {
			up = flow.RootScope
		}
		if g := s.GroupIn(up, p[0]); g == nil || g.Closed != 0 {
			return false
		}
		c := chunkOf(w, flow.ChunkRef{Group: p[0], N: p[1] / flow.ChunkItems})
		if c == nil || c.Items[p[1]%flow.ChunkItems].State != flow.ItemOpen {
			return false
		}
		at += fmt.Sprintf("/g%d:%d", p[0], p[1])
	}
	return true
}

// outcome returns how an attempt ends.
func (w *modelWorld) outcome(t flow.Token, it *flow.Iteration, step *flow.Step, a act, iter string) flow.Outcome {
	o := flow.Outcome{Token: t, Result: w.m.payload(id("result", iter)).json()}
	for _, e := range a.emits {
		if e.items < 0 {
			o.Emissions = append(o.Emissions, flow.Emission{Event: e.event, Payload: w.m.payload(e.id).json()})
			continue
		}
		g := &flow.EmittedGroup{Count: e.items}
		for n := range e.items {
			g.Items = append(g.Items, w.m.payload(itemID(e.id, n)).json())
		}
		if e.items > flow.ChunkItems {
			g.Stage = "stage-" + e.id
			for n := 0; n < e.items; n += flow.ChunkItems {
				w.stored.parts[flow.PartRef{Stage: g.Stage, N: n / flow.ChunkItems}] = flow.Part{Items: g.Items[n:min(e.items, n+flow.ChunkItems)]}
			}
			g.Items = nil
		}
		o.Emissions = append(o.Emissions, flow.Emission{Event: e.event, Group: g})
	}
	failed := it.Attempt <= a.fails && step.Flow == ""
	for _, to := range w.m.gives[t.Step] {
		hash := id("token", to, t.Scope, iter)
		if failed {
			hash = "failed"
		}
		o.Signals = append(o.Signals, flow.NewSignal{Hash: hash, Step: to})
	}
	if step.Flow != "" {
		o.Result = w.m.payload(id("mapped", iter)).json()
	}
	if failed {
		o.Err = &flow.AttemptError{Message: "no", Final: a.final}
		o.Ops = []flow.StateOp{{Op: flow.OpAdd, Key: "k", Value: json.RawMessage("1")}}
		o.Launches = []flow.NewLaunch{{Flow: "x", Input: json.RawMessage("1")}}
	}
	return o
}
