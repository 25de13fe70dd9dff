package flow_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// simulation runs a model through a queue that loses and repeats, with engines that die between any two actions. One
// source of chance decides everything.
type simulation struct {
	w        *modelWorld
	jobs     []*simJob
	engines  [3]simEngine
	version  int
	faults   int  // that are left; then everything must settle
	deaf     bool // a mutant: nobody looks for what is lost
	reckless bool // a mutant: it commits over what others have committed
}

type simJob struct {
	token  flow.Token
	active bool
	done   adapter.JobState
}

// simEngine is what an engine has in memory of a delivery.
type simEngine struct {
	job     *simJob
	version int
	work    *flow.State
	in      flow.Outcome
	out     *flow.Changes
	phase   int
	next    []flow.Token
	verdict flow.Verdict
}

func (s *simulation) fault(n int) bool {
	if s.faults == 0 || s.w.r.IntN(n) > 0 {
		return false
	}
	s.faults--
	return true
}

func (s *simulation) enqueue(tokens []flow.Token) {
	for _, t := range tokens {
		if s.fault(8) {
			continue // dropped
		}
		known := false
		for _, j := range s.jobs {
			known = known || j.token == t
		}
		if !known || s.fault(8) { // repeated
			s.jobs = append(s.jobs, &simJob{token: t})
		}
	}
}

// step does the next action of an engine.
func (s *simulation) step(e *simEngine) error {
	if e.job != nil && s.fault(12) { // it dies, and its lease runs out
		e.job.active = false
		*e = simEngine{}
		return nil
	}
	w := s.w
	switch {
	case e.job == nil:
		if len(s.jobs) > 0 {
			if j := s.jobs[w.r.IntN(len(s.jobs))]; !j.active && j.done == "" {
				j.active, e.job = true, j
			}
		}
	case e.phase == 0: // load and decide
		st, err := flow.DecodeState(w.stored.state)
		if err != nil {
			return err
		}
		full, err := w.full()
		if err != nil {
			return err
		}
		if !flow.MayRun(full, e.job.token) {
			e.verdict, e.phase = flow.Stale, 3
			return nil
		}
		t, it := e.job.token, full.Scheduled(e.job.token)
		iter := w.iters[iterKey(t.Epoch, t.Scope, t.Step, t.Iteration)]
		if iter == "" {
			iter = w.iterID(t.Step, t.Scope, it.In)
		}
		e.in = w.outcome(t, it, w.d.Step(t.Step), w.m.act(t.Step, iter), iter)
		if err := w.load(st, e.in); err != nil {
			return err
		}
		e.version, e.work, e.out = s.version, st, &flow.Changes{}
		e.verdict = w.d.Apply(modelRun, st, e.in, w.now, e.out)
		e.phase = 1
		if e.verdict != flow.Accepted {
			e.phase = 3
		}
	case e.phase == 1: // commit
		if e.version != s.version && !s.reckless || s.fault(10) { // a conflict, or it failed before it was applied: decide again
			e.phase = 0
			return nil
		}
		if err := w.books.transition(e.in, e.out, e.work); err != nil {
			return err
		}
		if err := w.commit(e.work, e.out); err != nil {
			return err
		}
		s.version++
		if e.in.Err == nil {
			for _, sig := range e.in.Signals {
				w.given[sig.Hash] = signal{scope: e.in.Token.Scope, step: sig.Step}
			}
		}
		e.next, e.phase = e.out.Dispatch, 2
		if s.fault(10) { // applied, and nobody says so: it is decided again, and is stale
			e.phase = 0
		}
	case e.phase == 2:
		s.enqueue(e.next)
		e.phase = 3
	default:
		e.job.active, e.job.done = false, adapter.JobCompleted
		if e.verdict == flow.Stale { // discarded: the queue forgets it
			s.jobs = slices.DeleteFunc(s.jobs, func(j *simJob) bool { return j == e.job })
		}
		*e = simEngine{}
	}
	return nil
}

// apply applies what does not come through the queue.
func (s *simulation) apply(in flow.Input) error {
	v, err := s.w.apply(in)
	if err != nil || v != flow.Accepted {
		return err
	}
	s.version++
	if sig, ok := in.(flow.Signal); ok {
		g := s.w.given[sig.Hash]
		g.used = true
		s.w.given[sig.Hash] = g
	}
	s.enqueue(s.w.books.out.Dispatch)
	return nil
}

// look is the reconciler: it asks the queue about the open work.
func (s *simulation) look(full *flow.State) error {
	var open []flow.Token
	full.EachOpen(modelRun, func(t flow.Token, it *flow.Iteration) bool {
		if it.Phase == flow.PhaseRun && !full.Paused {
			open = append(open, t)
		}
		return true
	})
	if len(open) == 0 || s.deaf {
		return nil
	}
	t := open[s.w.r.IntN(len(open))]
	var job *adapter.Job
	for _, j := range s.jobs {
		if j.token == t && (job == nil || j.done == "") {
			job = &adapter.Job{State: j.done}
			if j.done == "" {
				job.State = adapter.JobWaiting
			}
		}
	}
	in := s.w.d.Reconcile(t, job)
	if l, ok := in.(flow.Lost); ok {
		l.Max = 1000 // the model decides which attempts fail, not the losses
		in = l
	}
	if in == nil {
		return nil
	}
	return s.apply(in)
}

func (s *simulation) run() error {
	for n := 0; ; n++ {
		full, err := s.w.full()
		if err != nil || full.Status.Ended() {
			return err
		}
		if n > 40000 {
			return fmt.Errorf("the run does not end: status %s, %d jobs", full.Status, len(s.jobs))
		}
		switch k := s.w.r.IntN(12); {
		case k < 8:
			err = s.step(&s.engines[s.w.r.IntN(len(s.engines))])
		case k == 8:
			err = s.look(full)
		default:
			err = s.other(full)
		}
		if err != nil {
			return err
		}
	}
}

// other lets something happen outside of the queue: time passes, a child ends, an event or a signal comes.
func (s *simulation) other(full *flow.State) error {
	w := s.w
	if w.again {
		w.again = false
		return s.apply(flow.Fill{})
	}
	if full.Paused {
		return s.apply(flow.Resume{})
	}
	if !s.deaf && s.fault(60) { // to resume dispatches again, which would hide what a mutant has lost
		return s.apply(flow.Pause{Reason: "test"})
	}
	moves, patient := w.moves(full)
	if at := full.FirstTimer(); at > 0 && (len(moves) == 0 || !patient || w.lenient) && w.r.IntN(8) == 0 {
		w.now = time.UnixMilli(max(at, w.now.UnixMilli()))
		return s.apply(flow.Fire{})
	}
	if len(moves) == 0 {
		waits := full.OpenAwaits(w.d, modelRun)
		if len(waits) == 0 || full.FirstTimer() > 0 {
			return nil
		}
		a := waits[w.r.IntN(len(waits))]
		return s.apply(flow.Arrived{Token: a.Token, Await: a.Seq, Payload: w.arrival(a)})
	}
	switch in := moves[w.r.IntN(len(moves))].(type) {
	case flow.Outcome, flow.Lost: // they come through the queue
		return nil
	default:
		return s.apply(in)
	}
}

func simulate(t *testing.T, seed uint64, mutate func(*simulation)) error {
	m := newModel(seed)
	w, err := newWorld(m, compiled(t, m), rand.New(rand.NewPCG(seed, 3)))
	if err != nil {
		return err
	}
	w.lenient = m.w.Config.Timeout > 0
	s := &simulation{w: w, faults: 60}
	mutate(s)
	s.enqueue(w.books.out.Dispatch)
	if err = s.run(); err == nil {
		err = refer(m).compare(w)
	}
	if *seedFlag >= 0 {
		w.print(t)
	}
	return err
}

// TestSimulation: whatever the queue loses and repeats, and whichever engine dies, the log is the one that the reference
// expects. A seed replays exactly: go test ./flow -run TestSimulation -seed 42 -v.
func TestSimulation(t *testing.T) {
	t.Parallel()
	n := 2000
	if raceEnabled || testing.Short() {
		n = 100
	}
	seeds(t, n, func(seed uint64) error { return simulate(t, seed, func(*simulation) {}) })
}

// TestSimulationFindsMistakes: a simulation that finds nothing proves nothing, so it is shown some wrong engines.
func TestSimulationFindsMistakes(t *testing.T) {
	t.Parallel()
	for name, mutate := range map[string]func(*simulation){
		"nobody looks for lost work":           func(s *simulation) { s.deaf = true },
		"a conflict is committed all the same": func(s *simulation) { s.reckless = true },
	} {
		found := false
		for seed := uint64(0); seed < 20 && !found; seed++ {
			found = simulate(t, seed, mutate) != nil
		}
		if !found {
			t.Errorf("%s: not found", name)
		}
	}
}
