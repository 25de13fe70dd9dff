package flow_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// The exhaustive search: every order in which two workers, a queue that repeats, delays and loses, a reconciler, kills, a
// cancellation and a restart can drive the production transition function and dispatch rules, to a bounded depth of faults.

const (
	searchRun     = "run"
	searchWorkers = 2
	maxDispatch   = 3 // deliveries that an iteration may use
)

var searchTime = time.UnixMilli(1_000_000)

// rules are the decisions under search. The zero value of a mutation is the production rule.
type rules struct {
	apply       func(d *flow.Definition, s *flow.State, in flow.Input, out *flow.Changes) flow.Verdict
	mayRun      func(s *flow.State, t flow.Token) bool
	reconcile   func(d *flow.Definition, t flow.Token, job *adapter.Job) flow.Input
	settleFirst bool // settle before the commit
	enqueueLast bool // production order is commit, enqueue, settle; true: enqueue before the commit
}

func production() rules {
	return rules{
		apply: func(d *flow.Definition, s *flow.State, in flow.Input, out *flow.Changes) flow.Verdict {
			return d.Apply(searchRun, s, in, searchTime, out)
		},
		mayRun: flow.MayRun,
		reconcile: func(d *flow.Definition, t flow.Token, job *adapter.Job) flow.Input {
			in := d.Reconcile(t, job)
			if l, ok := in.(flow.Lost); ok {
				l.Max = maxDispatch
				return l
			}
			return in
		},
	}
}

// phase is where a worker is with its delivery.
type phase int

const (
	idle      phase = iota
	taken           // has a delivery, has not checked it
	running         // its handler runs
	decided         // its handler has returned
	committed       // its outcome is in the store, what follows is not issued
	issued          // what follows is issued, its delivery is not settled
)

type worker struct {
	Phase   phase
	Token   flow.Token
	Receipt int // the delivery that it holds
	Failed  bool
	Verdict flow.Verdict
	Next    []flow.Token // to enqueue
}

type job struct {
	Active   bool
	Finished adapter.JobState // "" while it is not
	Receipt  int              // of the current delivery
	Count    int              // deliveries
}

// world is one state of everything.
type world struct {
	State                                    *flow.State
	Log                                      []string       // what happened, for the invariants: "type epoch step iteration"
	Jobs                                     map[string]job // by token
	Tokens                                   map[string]flow.Token
	Late                                     []flow.Token // enqueues of dead workers that may still arrive
	Workers                                  [searchWorkers]worker
	Look                                     *look          // what the reconciler saw and has not acted on
	Issued                                   map[string]int // how often each token was dispatched by a commit
	Lost                                     map[string]int // deliveries that an iteration lost, as reported
	Kills, Zombies, Fails, Cancels, Restarts int            // budgets left
	Flow                                     bool           // Canceled is due
}

type look struct {
	Token flow.Token
	Job   *adapter.Job
}

func (w *world) clone() *world {
	c := *w
	c.State = w.State.Clone()
	c.Log = slices.Clone(w.Log)
	c.Jobs = map[string]job{}
	maps.Copy(c.Jobs, w.Jobs)
	c.Tokens = map[string]flow.Token{}
	maps.Copy(c.Tokens, w.Tokens)
	c.Late = slices.Clone(w.Late)
	c.Issued, c.Lost = map[string]int{}, map[string]int{}
	maps.Copy(c.Issued, w.Issued)
	maps.Copy(c.Lost, w.Lost)
	for i := range c.Workers {
		c.Workers[i].Next = slices.Clone(w.Workers[i].Next)
	}
	return &c
}

// key identifies the world by what decides its future: not by its past, and whichever worker is which.
func (w *world) key(seed maphash.Seed) [2]uint64 {
	var b []byte
	st := w.State
	b = fmt.Appendf(b, "%s %d %d|", st.Status, st.Epoch, st.Open)
	for _, s := range st.Steps {
		b = fmt.Appendf(b, "%s %d %d %d:", s.Step, s.Opened, s.Done, s.Failed)
		for _, it := range s.Iters {
			b = fmt.Appendf(b, "%d %d %d %d,", it.N, it.Attempt, it.Dispatch, it.Crashes)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.Jobs)) {
		j := w.Jobs[name]
		b = fmt.Appendf(b, "|%s %t %s %d", name, j.Active, j.Finished, j.Count)
	}
	late := make([]string, len(w.Late))
	for i, t := range w.Late {
		late[i] = t.String()
	}
	slices.Sort(late)
	b = fmt.Appendf(b, "|%v|", late)
	var workers [searchWorkers]string
	for i, k := range w.Workers {
		if k.Phase != idle {
			holds := w.Jobs[k.Token.String()].Receipt == k.Receipt
			workers[i] = fmt.Sprint(k.Phase, k.Token, holds, k.Failed, k.Verdict, k.Next)
		}
	}
	slices.Sort(workers[:])
	b = fmt.Appendf(b, "%v|%d %d %d %d %d", workers, w.Kills, w.Zombies, w.Fails, w.Cancels, w.Restarts)
	if w.Look != nil {
		b = append(b, w.Look.Token.String()...)
		if w.Look.Job != nil {
			b = fmt.Appendf(b, "%s %d", w.Look.Job.State, w.Look.Job.Delivery)
		}
	}
	sum := [2]uint64{maphash.Bytes(seed, b), 0}
	sum[1] = maphash.Bytes(seed, append(b, 'x'))
	return sum
}

// search explores from the start and returns the states visited and the first violation.
type search struct {
	def    *flow.Definition
	r      rules
	faults faults
	err    error
}

// faults is how often each may happen in one history.
type faults struct{ kills, zombies, fails, cancels, restarts int }

// searches are the combinations of faults that are explored, the smallest first. Under the race detector only the first is;
// make test runs all of them without it.
func searches() []faults {
	all := []faults{
		{kills: 1, zombies: 1, fails: 1},
		{zombies: 1, cancels: 1, restarts: 1},
		{kills: 2, cancels: 1, restarts: 1},
	}
	if raceEnabled {
		return all[:1]
	}
	return all
}

func (s *search) run() (states int, err error) {
	seed := maphash.MakeSeed()
	out := &flow.Changes{}
	w := &world{Jobs: map[string]job{}, Tokens: map[string]flow.Token{}, Issued: map[string]int{}, Lost: map[string]int{},
		Kills: s.faults.kills, Zombies: s.faults.zombies, Fails: s.faults.fails, Cancels: s.faults.cancels, Restarts: s.faults.restarts}
	w.State, _ = s.def.Begin(searchRun, flow.Beginning{Input: json.RawMessage(`{}`)}, searchTime, out) // it awaits nothing, so nothing can fail
	s.note(w, out)
	w.Late = slices.Clone(out.Dispatch) // the starter may die before its enqueue, which may arrive late
	seen := map[[2]uint64]struct{}{w.key(seed): {}}
	todo := []*world{w}
	for len(todo) > 0 && s.err == nil {
		w := todo[0]
		todo[0] = nil
		todo = todo[1:]
		progress := false
		s.moves(w, func(next *world, fault bool) {
			progress = progress || !fault
			s.check(next)
			k := next.key(seed)
			if _, ok := seen[k]; !ok {
				seen[k] = struct{}{}
				todo = append(todo, next)
			}
		})
		if !progress && !w.State.Status.Ended() {
			s.fail("stuck: nothing can happen any more and the run has not ended")
		}
	}
	return len(seen), s.err
}

func (s *search) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

// note takes in what a commit decided: the log, and that no dispatch number is used twice.
func (s *search) note(w *world, out *flow.Changes) {
	for _, r := range out.Records {
		w.Log = append(w.Log, fmt.Sprintf("%s %d %s %d", r.Type, r.Epoch, r.Step, r.Iteration))
	}
	for _, t := range out.Dispatch {
		w.Issued[t.String()]++
		w.Tokens[t.String()] = t
		if w.Issued[t.String()] > 1 {
			s.fail("dispatch %s is used for two purposes", t)
		}
	}
}

// commit applies an input to the stored state.
func (s *search) commit(w *world, in flow.Input, out *flow.Changes) flow.Verdict {
	before := w.State.Clone()
	seq := before.Seq
	v := s.r.apply(s.def, w.State, in, out)
	if v != flow.Accepted {
		return v
	}
	for _, r := range out.Records {
		if seq++; r.Seq != seq {
			s.fail("record %s has seq %d, want %d", r.Type, r.Seq, seq)
		}
	}
	switch in := in.(type) {
	case flow.Outcome:
		if before.Scheduled(in.Token) == nil {
			s.fail("outcome of %s is accepted, which does not count", in.Token)
		}
	case flow.Cancel:
		if w.State.Epoch != before.Epoch+1 {
			s.fail("cancel does not fence the epoch")
		}
	case flow.Lost:
		key := fmt.Sprintf("%d %s %d", in.Token.Epoch, in.Token.Step, in.Token.Iteration)
		w.Lost[key] += max(in.Deliveries, 1)
		if crashed(out.Records) && w.Lost[key] < maxDispatch {
			s.fail("step %s is given up after %d lost deliveries", in.Token.Step, w.Lost[key])
		}
	}
	s.note(w, out)
	return v
}

func crashed(records []adapter.Record) bool {
	for _, r := range records {
		if r.Type == flow.RecordStepFailed && bytes.Contains(r.Data, []byte("crashed")) {
			return true
		}
	}
	return false
}

// check holds the invariants of a state.
func (s *search) check(w *world) {
	open := 0
	for range w.State.OpenTokens(searchRun) {
		open++
	}
	st := w.State
	if open != st.Open {
		s.fail("outstanding is %d, recounted %d", st.Open, open)
	}
	if (st.Open == 0) != (st.Status != flow.StatusRunning) {
		s.fail("status %s with %d outstanding", st.Status, st.Open)
	}
	ends := map[string]int{}
	for _, l := range w.Log {
		typ, rest, _ := strings.Cut(l, " ")
		switch typ {
		case flow.RecordStepCompleted, flow.RecordStepFailed:
			if ends[rest]++; ends[rest] > 1 {
				s.fail("two outcomes of %s", rest)
			}
		}
	}
}

func TestExhaustiveSearchOfDispatchRules(t *testing.T) {
	t.Parallel()
	for _, f := range searches() {
		t.Run(fmt.Sprintf("%+v", f), func(t *testing.T) {
			t.Parallel()
			states, err := (&search{def: searchFlow(t), r: production(), faults: f}).run()
			if err != nil {
				t.Fatalf("after %d states: %v", states, err)
			}
			t.Logf("visited all %d states", states)
		})
	}
}

// searchFlow has one step, which is tried twice. Dispatches of different steps meet only in the state's counters, which the
// model tests cover; one step keeps the search exhaustive.
func searchFlow(t *testing.T) *flow.Definition {
	t.Helper()
	d, err := flow.Compile(flow.Wiring{
		Name: "search",
		Steps: map[string]flow.StepDefinition{
			"a": {Name: "a", Handler: "a", Config: flow.StepConfig{Start: true, Returns: true}, Retry: &flow.Retry{Attempts: 2}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}
