package flow

import (
	"encoding/json"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// The types of log records.
const (
	RecordFlowStarted   = "flow.started"
	RecordFlowCompleted = "flow.completed"
	RecordFlowFailed    = "flow.failed"
	RecordFlowCanceled  = "flow.canceled"
	RecordStepStarted   = "step.started"
	RecordStepRetry     = "step.retry"
	RecordStepCompleted = "step.completed"
	RecordStepFailed    = "step.failed"
	RecordEmit          = "emit"
	RecordIgnored       = "emit.ignored"
	RecordState         = "state"
	RecordLog           = "log"
)

// Changes collects what transitions decided, in their order. The changed state and the changes are one commit.
type Changes struct {
	Records  []adapter.Record // to append; Seq is what the store will assign
	Ops      []StateOp        // to the run's state documents
	Dispatch []Token          // to enqueue once the commit is known to be applied
	Remove   []Token          // whose jobs are not needed any more
}

// Verdict is what became of an input.
type Verdict int

// The verdicts.
const (
	// Accepted: the state has changed.
	Accepted Verdict = iota
	// Stale: the token is consumed, superseded or fenced, or the run is past what was asked for. Nothing has changed.
	Stale
)

// Input is something that happened to a run: an [Outcome], [Lost], [Logged], [Looked], [Cancel],
// [Canceled] or [Restart].
type Input interface {
	decide(t *transition) Verdict
}

// Apply changes the state of a run by an input, and adds what follows to out. It is pure: the time comes in as now (the
// store's clock), chance in fields of inputs.
func (d *Definition) Apply(run string, s *State, in Input, now time.Time, out *Changes) Verdict {
	v := in.decide(&transition{def: d, run: run, s: s, now: now, out: out})
	if _, looked := in.(Looked); v == Accepted && !looked {
		s.Quiet = 0
	}
	return v
}

// Begin returns the state of a new run and adds its first record and dispatches to out.
func (d *Definition) Begin(run string, input json.RawMessage, now time.Time, out *Changes) *State {
	s := &State{Format: Format, Flow: d.Name(), Definition: d.hash, Status: StatusRunning, Epoch: 1}
	t := &transition{def: d, run: run, s: s, now: now, out: out}
	s.Input = t.record(adapter.Record{Type: RecordFlowStarted, Data: input})
	t.start()
	return s
}

// transition is the working place of one input.
type transition struct {
	def *Definition
	run string
	s   *State
	now time.Time
	out *Changes
}

// record adds a record and returns its seq.
func (t *transition) record(r adapter.Record) uint64 {
	t.s.Seq++
	r.Seq = t.s.Seq
	r.Flow = t.def.Name()
	r.Epoch = t.s.Epoch
	if r.Scope == "" {
		r.Scope = RootScope
	}
	t.out.Records = append(t.out.Records, r)
	return r.Seq
}

// start opens the start steps of an epoch.
func (t *transition) start() {
	for _, step := range t.def.starts {
		t.open(step, t.s.stepOrNew(step.Name), []uint64{t.s.Input})
	}
}

// open begins an iteration of a step and dispatches it.
func (t *transition) open(step *Step, st *StepState, in []uint64) {
	it := Iteration{N: st.Opened, Attempt: 1, Dispatch: 1, In: in}
	st.Opened++
	st.Iters = append(st.Iters, it)
	t.s.Open++
	t.out.Dispatch = append(t.out.Dispatch, t.s.token(t.run, step.Name, &it))
}

// close ends an iteration.
func (t *transition) close(st *StepState, n int) {
	for i := range st.Iters {
		if st.Iters[i].N == n {
			st.Iters = append(st.Iters[:i], st.Iters[i+1:]...)
			t.s.Open--
			return
		}
	}
}

// redispatch sends an iteration again under a new dispatch number: no number is ever used for two purposes.
func (t *transition) redispatch(step string, it *Iteration, runAt time.Time) {
	it.Dispatch++
	it.Owner = ""
	it.RunAt = 0
	if runAt.After(t.now) {
		it.RunAt = runAt.UnixMilli()
	}
	t.out.Dispatch = append(t.out.Dispatch, t.s.token(t.run, step, it))
}

// route is one way that an emission takes.
type route struct {
	sub *subscription
}

// routes returns the subscriptions that an event with this payload reaches.
func (t *transition) routes(event string, payload json.RawMessage) ([]route, error) {
	subs := t.def.subs[event]
	if len(subs) == 0 {
		return nil, nil
	}
	taken := make([]route, 0, len(subs))
	for i := range subs {
		ok, err := subs[i].holds(event, payload)
		if err != nil {
			return nil, err
		}
		if ok {
			taken = append(taken, route{&subs[i]})
		}
	}
	return taken, nil
}

// deliver brings the emission recorded at seq to its subscribers: joins are decided here, inside the commit.
func (t *transition) deliver(event string, seq uint64, taken []route) {
	for _, r := range taken {
		step := r.sub.step
		st := t.s.stepOrNew(step.Name)
		switch {
		case step.each:
			t.open(step, st, []uint64{seq})
		case st.Opened > 0 || (len(st.Fill) > 0 && st.Fill[r.sub.slot] != 0):
			t.ignore(event, seq, step.Name)
		default:
			if st.Fill == nil {
				st.Fill = make([]uint64, len(step.Slots))
			}
			st.Fill[r.sub.slot] = seq
			if filled(st.Fill) == step.need {
				in := st.Fill
				st.Fill = nil
				t.open(step, st, in)
			}
		}
	}
}

func filled(fill []uint64) int {
	n := 0
	for _, seq := range fill {
		if seq != 0 {
			n++
		}
	}
	return n
}

func (t *transition) ignore(event string, seq uint64, step string) {
	t.record(adapter.Record{Type: RecordIgnored, Step: step, Key: event, Causes: []uint64{seq}})
	t.s.IgnoredCount++
	if len(t.s.Ignored) < maxIgnored {
		t.s.Ignored = append(t.s.Ignored, Ignored{Seq: seq, Event: event, Step: step})
	}
}

// settleRun ends the run if nothing is left to happen.
func (t *transition) settleRun() {
	if t.s.Open > 0 || t.s.Status != StatusRunning {
		return
	}
	var causes []uint64
	if t.s.Result != 0 {
		causes = []uint64{t.s.Result}
	}
	t.end(StatusCompleted, RecordFlowCompleted, "", causes, t.summary())
}

// end ends the run: open iterations are dropped and their jobs removed.
func (t *transition) end(status Status, typ, step string, causes []uint64, data Summary) {
	t.dropOpen()
	t.s.Status = status
	t.s.End = t.record(adapter.Record{Type: typ, Step: step, Causes: causes, Data: raw(data)})
}

// dropOpen closes everything that is open. Joins that wait keep their fill, for the summary and for people.
func (t *transition) dropOpen() {
	for tok := range t.s.OpenTokens(t.run) {
		t.out.Remove = append(t.out.Remove, tok)
	}
	for i := range t.s.Steps {
		t.s.Steps[i].Iters = nil
	}
	t.s.Open = 0
}

// Summary is the data of the record that ends a run: what the run did not do, and why.
type Summary struct {
	Result    uint64      `json:"result,omitempty"`    // seq of the record whose data is the flow's result
	Error     *Failure    `json:"error,omitempty"`     // what failed the run
	Reason    string      `json:"reason,omitempty"`    // of a cancellation
	Skipped   []string    `json:"skipped,omitempty"`   // steps that no event reached
	Unreached []Unreached `json:"unreached,omitempty"` // joins that were left partly filled
	Failed    []string    `json:"failed,omitempty"`    // steps whose failure did not fail the run
	Ignored   []Ignored   `json:"ignored,omitempty"`   // emissions that were not needed any more, the first 100
	// IgnoredCount is how many there were.
	IgnoredCount int `json:"ignoredCount,omitempty"`
}

// Unreached is a join that was left partly filled.
type Unreached struct {
	Step    string   `json:"step"`
	Have    []string `json:"have"`
	Waiting []string `json:"waiting"`
}

func (t *transition) summary() Summary {
	sum := Summary{Result: t.s.Result, Ignored: t.s.Ignored, IgnoredCount: t.s.IgnoredCount}
	for _, step := range t.def.steps {
		st := t.s.step(step.Name)
		switch {
		case st == nil:
			sum.Skipped = append(sum.Skipped, step.Name)
		case st.Failed > 0:
			sum.Failed = append(sum.Failed, step.Name)
		case st.Opened == 0:
			u := Unreached{Step: step.Name}
			for i, slot := range step.Slots {
				if i < len(st.Fill) && st.Fill[i] != 0 {
					u.Have = append(u.Have, slot.Event)
				} else {
					u.Waiting = append(u.Waiting, slot.Event)
				}
			}
			sum.Unreached = append(sum.Unreached, u)
		}
	}
	return sum
}
