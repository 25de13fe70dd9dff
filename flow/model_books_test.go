package flow_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nvent-go/nvent/flow"
)

// books are what the invariants are checked against: a second account of a run, kept from what transitions say.
type books struct {
	open    map[string]flow.Iteration // by token, what was open after the last transition
	awaits  map[uint64]bool           // events from outside that are waited for, by what was announced
	keys    map[string]string         // by idempotency key: the identity of the work
	ended   map[string]bool           // iterations with a terminal outcome
	closed  map[int]bool              // groups
	ignored int
	result  uint64
	isOver  bool // the run has ended
	resumed bool // the last transition dispatched again
	chunk   *flow.Chunk

	in  flow.Input
	out *flow.Changes
}

func newBooks() books {
	return books{open: map[string]flow.Iteration{}, awaits: map[uint64]bool{}, keys: map[string]string{}, ended: map[string]bool{},
		closed: map[int]bool{}}
}

// transition takes in what an accepted input has decided, before it is committed.
func (b *books) transition(in flow.Input, out *flow.Changes, after *flow.State) error {
	b.in, b.out = in, out
	_, b.resumed = in.(flow.Resume)
	if o, ok := in.(flow.Outcome); ok && o.Err != nil {
		for _, r := range out.Records {
			if r.Step == o.Token.Step && r.Scope == o.Token.Scope && (r.Type == flow.RecordEmit || r.Type == flow.RecordState) {
				return fmt.Errorf("record %s of a failed attempt is seen", r.Type)
			}
		}
		if len(out.Ops)+len(out.Launches) > 0 || slices.ContainsFunc(after.Tokens, func(t flow.SignalToken) bool { return t.Hash == "failed" }) {
			return errors.New("state, launches or signals of a failed attempt are seen")
		}
	}
	switch in.(type) {
	case flow.Restart:
		b.isOver, b.result, b.ignored = false, 0, after.IgnoredCount
	case flow.Cancel:
		b.isOver = false
	}
	return nil
}

// check holds the invariants of a stored state.
func (b *books) check(w *modelWorld, s *flow.State) error {
	if err := b.readLog(w, s); err != nil {
		return err
	}
	if err := recount(s, flow.RootScope, &s.Scope, w); err != nil {
		return err
	}
	if (s.Open == 0) == (s.Status == flow.StatusRunning) {
		return fmt.Errorf("status %s with %d outstanding", s.Status, s.Open)
	}
	if err := b.checkWork(w, s); err != nil {
		return err
	}
	if b.out == nil {
		return nil
	}
	for _, c := range b.out.Awaits {
		if c.Closed {
			delete(b.awaits, c.Seq)
		} else {
			b.awaits[c.Seq] = true
		}
	}
	open := s.OpenAwaits(w.d, modelRun)
	for _, a := range open {
		if !b.awaits[a.Seq] {
			return fmt.Errorf("nobody was told that %s waits for an event (%d)", a.Token, a.Seq)
		}
	}
	if len(open) != len(b.awaits) {
		return fmt.Errorf("%d awaits are open, and %d are known outside", len(open), len(b.awaits))
	}
	return b.checkTimers(s)
}

// recount counts the open work of a scope, and compares.
func recount(s *flow.State, path string, sc *flow.Scope, w *modelWorld) error {
	n := 0
	for _, st := range sc.Steps {
		n += len(st.Iters) + len(st.Waiting)
		if p := w.d.Step(st.Step).Parallel; p > 0 && len(st.Iters) > p && len(st.Waiting) > 0 {
			return fmt.Errorf("%s: %d iterations of %s, which has a window of %d", path, len(st.Iters), st.Step, p)
		}
	}
	for _, g := range sc.Groups {
		if g.Closed == 0 {
			n++
		}
		next, ended, missing := 0, 0, 0
		var live []int
		for k := 0; ; k++ {
			c := chunkOf(w, flow.ChunkRef{Group: g.N, N: k})
			if c == nil {
				break
			}
			open := 0
			for i := range c.Items {
				next++
				it := &c.Items[i]
				if it.State != flow.ItemOpen {
					ended++
					if it.State == flow.ItemFailed {
						missing++
					}
					if len(it.Steps) > 0 || it.Open != 0 {
						return fmt.Errorf("%s: item %d of group %d has ended and holds work", path, k*flow.ChunkItems+i, g.N)
					}
					continue
				}
				open++
				sub := fmt.Sprintf("%s/g%d:%d", strings.TrimSuffix(path, "/"), g.N, k*flow.ChunkItems+i)
				if it.Open == 0 && s.Status == flow.StatusRunning {
					return fmt.Errorf("%s is open, and nothing is open in it", sub)
				}
				if err := recount(s, sub, &it.Scope, w); err != nil {
					return err
				}
			}
			if open != c.Open {
				return fmt.Errorf("chunk %d of group %d counts %d open items, there are %d", k, g.N, c.Open, open)
			}
			if open > 0 {
				live = append(live, k)
			}
		}
		if next != g.Next || ended != g.Ended || missing != g.Missing || !slices.Equal(live, slices.Sorted(slices.Values(g.Live))) {
			return fmt.Errorf("%s: group %d counts next %d, ended %d, missing %d, live %v; there are %d, %d, %d, %v", path, g.N,
				g.Next, g.Ended, g.Missing, g.Live, next, ended, missing, live)
		}
		if (g.Closed != 0) != (g.Ended == g.Items) && s.Status == flow.StatusRunning {
			return fmt.Errorf("%s: group %d is closed at %d with %d of %d items", path, g.N, g.Closed, g.Ended, g.Items)
		}
	}
	if n != sc.Open && (s.Status == flow.StatusRunning) {
		return fmt.Errorf("%s: outstanding is %d, recounted %d", path, sc.Open, n)
	}
	return nil
}

func chunkOf(w *modelWorld, r flow.ChunkRef) *flow.Chunk {
	b, ok := w.stored.chunks[r]
	if !ok {
		return nil
	}
	c, err := flow.DecodeChunk(b)
	if err != nil {
		panic(err)
	}
	return c
}

// checkWork: what is open was dispatched, what is not open any more was taken back, and no two works share a key.
func (b *books) checkWork(w *modelWorld, s *flow.State) error {
	open := map[string]flow.Iteration{}
	keys := map[string]string{}
	var err error
	s.EachOpen(modelRun, func(t flow.Token, it *flow.Iteration) bool {
		name := t.String()
		open[name] = *it
		switch it.Phase {
		case flow.PhaseRun:
			if !s.Paused && !w.issued[name] {
				err = fmt.Errorf("%s is open and was never dispatched", name)
			}
		case flow.PhaseChild:
			if !s.Paused && !w.called[name] {
				err = fmt.Errorf("%s is open and its child was never started", name)
			}
		}
		key := s.IdempotencyKey(t)
		work := fmt.Sprintf("%s %d", t.Scope+t.Step, it.N)
		if old, ok := keys[key]; ok {
			err = fmt.Errorf("%s and %s have one idempotency key, %s", old, work, key)
		}
		keys[key] = work
		return err == nil
	})
	if err != nil {
		return err
	}
	if b.out != nil {
		taken := map[string]bool{}
		for _, t := range slices.Concat(b.out.Remove, b.out.Orphans) {
			taken[t.String()] = true
		}
		own := ""
		switch in := b.in.(type) {
		case flow.Outcome:
			own = in.Token.String()
		case flow.ChildEnded:
			own = in.Token.String()
		case flow.Lost:
			own = in.Token.String()
		}
		for name, it := range b.open {
			_, still := open[name]
			if still || taken[name] || name == own || it.Failed {
				continue
			}
			if it.Phase == flow.PhaseRun || it.Phase == flow.PhaseChild {
				return fmt.Errorf("%s is dropped, and its job or child is not taken back (phase %q)", name, it.Phase)
			}
		}
	}
	b.open = open
	return nil
}

// checkTimers: every timer is about something that is open, once, and the earliest is first.
func (b *books) checkTimers(s *flow.State) error {
	seen := map[flow.Timer]bool{}
	last := int64(0)
	for _, tm := range s.Timers {
		if tm.At < last {
			return errors.New("the timers are out of order")
		}
		last = tm.At
		what := tm
		what.At = 0
		if seen[what] {
			return fmt.Errorf("there are two timers for %+v", what)
		}
		seen[what] = true
	}
	want := 0
	s.EachOpen(modelRun, func(t flow.Token, it *flow.Iteration) bool {
		if it.Phase == flow.PhaseDelay {
			want++
			if !seen[flow.Timer{Kind: flow.TimerStart, Scope: t.Scope, Step: t.Step, N: t.Iteration}] {
				want = -1 << 20
			}
		}
		return true
	})
	for tm := range seen {
		if tm.Kind == flow.TimerStart {
			want--
		}
	}
	if want != 0 {
		return fmt.Errorf("the timers of delayed work do not match it: %d", want)
	}
	return nil
}

// readLog keeps the second account from the log, and compares it with the state.
func (b *books) readLog(w *modelWorld, s *flow.State) error {
	records := w.log
	if b.out != nil {
		records = w.log[len(w.log)-len(b.out.Records):]
	}
	for _, r := range records {
		if b.isOver {
			return fmt.Errorf("record %s after the end", r.Type)
		}
		key := iterKey(r.Epoch, r.Scope, r.Step, r.Iteration)
		switch r.Type {
		case flow.RecordStepCompleted, flow.RecordStepFailed:
			if b.ended[key] {
				return fmt.Errorf("%s has two outcomes", key)
			}
			b.ended[key] = true
			if r.Type == flow.RecordStepCompleted && w.d.Step(r.Step).Returns && w.d.Returns() != nil {
				b.result = r.Seq
			}
		case flow.RecordIgnored:
			b.ignored++
		case flow.RecordFlowCompleted, flow.RecordFlowFailed, flow.RecordFlowCanceled:
			b.isOver = true
		}
	}
	if b.isOver != s.Status.Ended() || s.Seq != uint64(len(w.log)) || s.Result != b.result || s.IgnoredCount != b.ignored {
		return fmt.Errorf("the log gives over %t, seq %d, result %d, ignored %d; the state %s, %d, %d, %d", b.isOver, len(w.log), b.result,
			b.ignored, s.Status, s.Seq, s.Result, s.IgnoredCount)
	}
	return nil
}
