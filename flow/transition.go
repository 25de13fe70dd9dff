package flow

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// The types of log records.
const (
	RecordFlowStarted     = "flow.started"
	RecordFlowCompleted   = "flow.completed"
	RecordFlowFailed      = "flow.failed"
	RecordFlowCanceled    = "flow.canceled"
	RecordFlowPaused      = "flow.paused"
	RecordFlowResumed     = "flow.resumed"
	RecordFlowAdmitted    = "flow.admitted"
	RecordStepStarted     = "step.started"
	RecordStepRetry       = "step.retry"
	RecordStepCompleted   = "step.completed"
	RecordStepFailed      = "step.failed"
	RecordEmit            = "emit"
	RecordEmitAll         = "emit.all" // an event for many items at once, which are a group
	RecordIgnored         = "emit.ignored"
	RecordGroupClosed     = "group.closed"
	RecordChildStarted    = "child.started"
	RecordRunLaunched     = "run.launched"
	RecordAwaitRegistered = "await.registered"
	RecordAwaitResolved   = "await.resolved"
	RecordAwaitTimeout    = "await.timeout"
	RecordSignal          = "await.signal" // a signal that came before somebody waited for it
	RecordState           = "state"
	RecordLog             = "log"
)

// Changes collects what transitions decided, in their order. The changed state, its changed chunks and the changes are one
// commit; what is said to be done follows it.
type Changes struct {
	Records []adapter.Record // to append; Seq is what the store will assign
	Ops     []StateOp        // to the run's state documents
	Parts   []NewPart        // payloads of items, to be stored
	Awaits  []AwaitChange    // to what can be found by events from outside

	Dispatch []Token         // to enqueue once the commit is known to be applied
	Remove   []Token         // whose jobs are not needed any more
	Children []ChildStart    // runs to start for steps that call a flow
	Orphans  []Token         // steps whose child runs are not needed any more
	Launches []PendingLaunch // runs to start for nobody
	// Again: there is more to open than one transition does; apply [Looked] again.
	Again bool
}

// NewPart is a document with the payloads of items.
type NewPart struct {
	PartRef
	Part
}

// ChildStart is a run to start for a step that calls a flow.
type ChildStart struct {
	Token Token
	Flow  string
	Input uint64 // seq of the record that holds its input; 0: the input of the step
}

// AwaitChange says that a step begins to wait for an event from outside, or that it does not wait any more.
type AwaitChange struct {
	Seq    uint64 // of await.registered
	Closed bool
	Wait   OpenAwait // not if it is closed
}

// OpenAwait is a step that waits for an event from outside.
type OpenAwait struct {
	Token    Token         `json:"token"`
	Seq      uint64        `json:"seq"`
	Event    string        `json:"event"`
	Field    string        `json:"field,omitempty"` // of the event's payload
	Value    string        `json:"value,omitempty"` // what the field must be
	LookBack time.Duration `json:"lookBack,omitempty"`
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

// Input is something that happened to a run.
type Input interface {
	decide(t *transition) Verdict
}

// scoped is an input that is about an iteration in a scope.
type scoped interface{ scopePath() string }

// Apply changes the state of a run by an input, and adds what follows to out. What [Definition.Missing] names must be loaded.
// It is pure: the time comes in as now (the store's clock), chance in fields of inputs.
func (d *Definition) Apply(run string, s *State, in Input, now time.Time, out *Changes) Verdict {
	t := &transition{def: d, run: run, s: s, now: now, out: out}
	v := in.decide(t)
	t.finish()
	switch in.(type) {
	case Looked, Sought:
	default:
		if v == Accepted {
			s.Quiet, s.Sought = 0, false
		}
	}
	return v
}

// Beginning is what a run begins with.
type Beginning struct {
	Input   json.RawMessage
	Parent  *Token            // the step of another run that waits for this one
	Due     time.Time         // when its start steps begin; zero: at once
	Limited bool              // it begins when it is admitted: see [Admit]
	Headers map[string]string // for its jobs
	Paused  bool              // its flow is paused
}

// Begin returns the state of a new run and adds its first record and dispatches to out. An await whose key cannot be taken
// from the input is an error.
func (d *Definition) Begin(run string, b Beginning, now time.Time, out *Changes) (*State, error) {
	s := &State{Format: Format, Flow: d.Name(), Definition: d.hash, Status: StatusRunning, Epoch: 1, Headers: b.Headers, FlowPaused: b.Paused}
	if b.Parent != nil {
		s.Parent = &Parent{Token: *b.Parent}
	}
	var err error
	if s.Keys, err = d.awaitKeys(b.Input); err != nil {
		return nil, err
	}
	t := &transition{def: d, run: run, s: s, now: now, out: out}
	s.Input = t.record(adapter.Record{Type: RecordFlowStarted, Data: b.Input})
	if b.Limited {
		return s, t.line(b)
	}
	t.start(b.Due)
	t.finish()
	return s, nil
}

// transition is the working place of one input.
type transition struct {
	def *Definition
	run string
	s   *State
	now time.Time
	out *Changes
	// later is what an emission causes that may end iterations, items or the run. It happens when all that the input emits has
	// reached its subscribers: what they open is counted by then.
	later []func()
}

// finish does what had to wait.
func (t *transition) finish() {
	for len(t.later) > 0 {
		f := t.later[0]
		t.later = t.later[1:]
		f()
	}
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
func (t *transition) start(due time.Time) {
	root := t.root()
	var at int64
	from := t.now
	if due.After(t.now) {
		at, from = noEarlier(due), due
	}
	if d := t.def.timeout; d > 0 {
		t.timer(Timer{At: from.Add(d).UnixMilli(), Kind: TimerRun, Scope: RootScope})
	}
	for _, step := range t.def.starts {
		t.open(root, step, opening{in: []uint64{t.s.Input}, due: at})
	}
}

// place is a scope with the way to it.
type place struct {
	path  string
	scope *Scope
	up    *place      // nil: the run itself
	group *GroupState // whose item it is
	chunk *Chunk
	item  *Item
	n     int // number of the item
}

func (t *transition) root() *place { return &place{path: RootScope, scope: &t.s.Scope} }

// place finds a scope in which work is open, or nil.
func (t *transition) place(path string) *place {
	list, ok := hops(path)
	if !ok {
		return nil
	}
	p := t.root()
	for _, h := range list {
		g := p.scope.group(h.group)
		if g == nil || g.Closed != 0 {
			return nil
		}
		if p = t.child(p, g, h.item); p == nil || p.item.State != ItemOpen {
			return nil
		}
	}
	return p
}

// child returns the scope of an item, or nil.
func (t *transition) child(up *place, g *GroupState, n int) *place {
	c, item := t.s.chunks.item(ChunkRef{g.N, n / ChunkItems}, n%ChunkItems)
	if item == nil {
		return nil
	}
	return &place{path: childPath(up.path, g.N, n), scope: &item.Scope, up: up, group: g, chunk: c, item: item, n: n}
}

// find returns the open iteration that a token names, whatever the token's dispatch, or nil.
func (t *transition) find(tok Token) (*place, *Iteration) {
	if tok.Epoch != t.s.Epoch || t.s.Status != StatusRunning {
		return nil, nil
	}
	p := t.place(tok.Scope)
	if p == nil {
		return nil, nil
	}
	_, it := p.scope.iteration(tok.Step, tok.Iteration)
	return p, it
}

// scheduled returns the iteration that a token names if it is the token that counts and its handler may run.
func (t *transition) scheduled(tok Token) (*place, *Iteration) {
	p, it := t.find(tok)
	if it == nil || it.Dispatch != tok.Dispatch || it.Phase != PhaseRun {
		return nil, nil
	}
	return p, it
}

func (t *transition) token(p *place, step string, it *Iteration) Token {
	return t.s.token(t.run, p.path, step, it)
}

// opening is what a new iteration begins with.
type opening struct {
	in     []uint64
	groups []int
	origin string
	due    int64 // Unix milliseconds; 0: at once
	// payload of the emission that opened it, if it is at hand.
	payload json.RawMessage
}

// open begins an iteration of a step.
func (t *transition) open(p *place, step *Step, o opening) {
	st := p.scope.stepOrNew(step.Name)
	it := Iteration{N: st.Opened, Attempt: 1, Dispatch: 1, In: o.in, Groups: o.groups, Origin: o.origin}
	st.Opened++
	p.scope.Open++
	if o.due > t.now.UnixMilli() {
		it.Phase, it.RunAt = PhaseDelay, o.due
		t.timer(Timer{At: o.due, Kind: TimerStart, Scope: p.path, Step: step.Name, N: it.N})
	}
	st.Iters = append(st.Iters, it)
	if it.Phase == PhaseRun {
		t.begin(p, step, &st.Iters[len(st.Iters)-1], o.payload)
	}
}

// begin lets an iteration wait for its AwaitBefore, or run.
func (t *transition) begin(p *place, step *Step, it *Iteration, payload json.RawMessage) {
	if step.Before != nil && it.Awaited == 0 {
		t.await(p, step, it, PhaseBefore, payload)
		return
	}
	t.proceed(p, step, it)
}

// proceed dispatches an iteration, or starts the child flow of a step without a handler.
func (t *transition) proceed(p *place, step *Step, it *Iteration) {
	it.Phase = PhaseRun
	if step.Flow != "" && step.Handler == "" {
		t.startChild(p, step, it, nil)
		return
	}
	t.dispatch(p, step.Name, it)
}

// dispatch asks for a job. While the run is paused nothing is asked for; resuming does it.
func (t *transition) dispatch(p *place, step string, it *Iteration) {
	if step := t.def.Step(step); step.External && step.Timeout > 0 {
		from := t.now
		if due := time.UnixMilli(it.RunAt); due.After(from) {
			from = due // the queue holds the job back until then
		}
		t.timer(Timer{At: from.Add(step.Timeout).UnixMilli(), Kind: TimerStep, Scope: p.path, Step: step.Name, N: it.N})
	}
	if !t.s.Held() {
		t.out.Dispatch = append(t.out.Dispatch, t.token(p, step, it))
	}
}

// close ends an iteration, and opens what waited for its place.
func (t *transition) close(p *place, step string, n int) {
	st := p.scope.step(step)
	if st == nil {
		return
	}
	i := slices.IndexFunc(st.Iters, func(it Iteration) bool { return it.N == n })
	if i < 0 {
		return
	}
	if it := &st.Iters[i]; it.Await != 0 {
		t.closeAwait(t.def.Step(step), it)
	}
	st.Iters = slices.Delete(st.Iters, i, i+1)
	p.scope.Open--
	t.dropTimers(func(tm *Timer) bool { return tm.Scope == p.path && tm.Step == step && tm.N == n })
	def := t.def.Step(step)
	if def.collect {
		t.forgetGroups(p)
	}
	if len(st.Waiting) > 0 && len(st.Iters) < def.Parallel {
		next := st.Waiting[0]
		st.Waiting = slices.Clone(st.Waiting[1:])
		p.scope.Open-- // it was counted as it waited
		t.open(p, def, opening{in: []uint64{next.Seq}, origin: next.Origin, due: next.Due})
	}
}

// redispatch sends an iteration again under a new dispatch number: no number is ever used for two purposes.
func (t *transition) redispatch(p *place, step *Step, it *Iteration, runAt time.Time) {
	it.Dispatch++
	it.Owner = ""
	it.RunAt = 0
	t.dropTimers(func(tm *Timer) bool { return tm.Scope == p.path && tm.Step == step.Name && tm.N == it.N })
	later := runAt.After(t.now)
	if later {
		it.RunAt = noEarlier(runAt)
	}
	switch {
	case later && (runAt.Sub(t.now) > queueDelay || step.Flow != ""):
		it.Phase = PhaseDelay
		t.timer(Timer{At: it.RunAt, Kind: TimerStart, Scope: p.path, Step: step.Name, N: it.N})
	case step.Flow != "" && step.Handler == "":
		t.startChild(p, step, it, nil)
	default:
		it.Phase = PhaseRun
		t.dispatch(p, step.Name, it)
	}
}

// queueDelay is the longest delay of a retry that is left to the queue. Longer ones are timers of the run.
const queueDelay = 15 * time.Minute

// settle ends what has drained, from a scope outwards: groups close, collect steps run, the run ends.
func (t *transition) settle(p *place) {
	for q := p; ; q = q.up {
		if t.s.Status != StatusRunning {
			return
		}
		t.fireCollects(q)
		if q.scope.Open > 0 {
			return
		}
		if q.up == nil {
			t.settleRun()
			return
		}
		if q.item.State == ItemOpen {
			t.endItem(q, ItemDone, 0)
		}
		if q.group.Closed == 0 {
			return
		}
	}
}

// settleRun ends the run if nothing is left to happen.
func (t *transition) settleRun() {
	if t.s.Open > 0 || len(t.s.Launches) > 0 || t.s.Status != StatusRunning {
		return
	}
	var causes []uint64
	if t.s.Result != 0 {
		causes = []uint64{t.s.Result}
	}
	t.end(StatusCompleted, RecordFlowCompleted, "", causes, t.summary())
}

// end ends the run: jobs, timers and children of open iterations are removed. A failed run keeps its open iterations, so that
// it can be restarted where it failed.
func (t *transition) end(status Status, typ, step string, causes []uint64, data Summary) {
	t.dropOpen(status == StatusFailed)
	t.s.Status = status
	t.s.Paused, t.s.FlowPaused = false, false
	t.s.End = t.record(adapter.Record{Type: typ, Step: step, Causes: causes, Data: raw(data)})
}

// dropOpen takes back what is open. Joins that wait keep their fill, for the summary and for people.
func (t *transition) dropOpen(keep bool) {
	t.s.eachScope(RootScope, &t.s.Scope, func(path string, sc *Scope) bool {
		t.dropWork(path, sc)
		return true
	})
	for i := range t.s.Steps {
		for j := range t.s.Steps[i].Iters {
			t.s.Steps[i].Iters[j].Await = 0
		}
	}
	t.s.Timers = nil
	t.s.Open = 0
	if keep {
		return
	}
	for i := range t.s.Steps {
		t.s.Steps[i].Iters = nil
	}
	t.s.Groups = nil
}

// dropWork takes back the jobs, children and awaits of a scope's open iterations.
func (t *transition) dropWork(path string, sc *Scope) {
	for i := range sc.Steps {
		step := t.def.Step(sc.Steps[i].Step)
		for j := range sc.Steps[i].Iters {
			it := &sc.Steps[i].Iters[j]
			tok := t.s.token(t.run, path, step.Name, it)
			switch {
			case it.Failed: // whoever ran it settles its job
			case it.Phase == PhaseRun:
				t.out.Remove = append(t.out.Remove, tok)
			case it.Phase == PhaseChild:
				t.out.Orphans = append(t.out.Orphans, tok)
			}
			t.unregister(step, it) // and no more: the item may be shared with the state before
		}
	}
}

// dropScope takes back everything that is open in an item.
func (t *transition) dropScope(p *place) {
	t.s.eachScope(p.path, p.scope, func(path string, sc *Scope) bool {
		t.dropWork(path, sc)
		return true
	})
	t.dropTimers(func(tm *Timer) bool { return tm.Scope == p.path || strings.HasPrefix(tm.Scope, p.path+"/") })
}
