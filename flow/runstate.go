package flow

import (
	"maps"
	"strconv"
	"strings"
)

// Format is the number of the layout of [State]. An engine that meets a newer one hands the work back.
const Format = 2

// Status is where a run is in its life.
type Status string

// The statuses. The last three are ends; a restart begins a new epoch.
const (
	StatusRunning   Status = "running"
	StatusCanceling Status = "canceling" // fenced; queued jobs and children are being removed
	StatusCompleted Status = "completed"
	StatusFailed    Status = "failed"
	StatusCanceled  Status = "canceled"
)

// Ended reports whether the status is an end.
func (s Status) Ended() bool {
	return s == StatusCompleted || s == StatusFailed || s == StatusCanceled
}

// State is the state of a run: its open work. Payloads are not in it; they are in the log, and the state refers to them by
// sequence number. It is stored as one document and changed by [Definition.Apply] only. What happens inside of the items of
// a dynamic fan-out is in documents of its own, [Chunk], which are loaded as they are needed.
type State struct {
	Format     int    `json:"format"`
	Flow       string `json:"flow"`
	Definition string `json:"def"` // hash
	Status     Status `json:"status"`
	Paused     bool   `json:"paused,omitempty"`     // nothing new is dispatched, no timer fires
	FlowPaused bool   `json:"flowPaused,omitempty"` // likewise, because its flow is paused
	Epoch      int    `json:"epoch"`
	Seq        uint64 `json:"seq"`   // of the last record of the log
	Input      uint64 `json:"input"` // seq of the record that holds the run's input
	Scope             // what happens outside of every group; its outstanding work ends the run when it is zero
	// NextGroup is the number of the next group. Numbers are never used again, in no epoch.
	NextGroup int `json:"nextGroup,omitempty"`
	// Timers are what the run waits for, the earliest first.
	Timers  []Timer   `json:"timers,omitempty"`
	Ignored []Ignored `json:"ignored,omitempty"` // the first maxIgnored of them
	// IgnoredCount counts all ignored emissions.
	IgnoredCount int    `json:"ignoredCount,omitempty"`
	Result       uint64 `json:"result,omitempty"` // seq of the completion of the step that the flow returns
	End          uint64 `json:"end,omitempty"`    // seq of the record that ended the run
	Reason       string `json:"reason,omitempty"` // of a cancellation
	// Headers are carried by every job of the run: trace context and the like.
	Headers map[string]string `json:"headers,omitempty"`
	// Data names the state documents of the run, so that clean-up finds them.
	Data []string `json:"data,omitempty"`
	// Keys holds, by await, what the events that it waits for must carry: it is taken from the run's input.
	Keys map[string]string `json:"keys,omitempty"`
	// Tokens are the signals that may still come, or have come before somebody waits for them.
	Tokens []SignalToken `json:"tokens,omitempty"`
	// Launches are the runs that steps have started, until it is known that they are in the store.
	Launches []PendingLaunch `json:"launches,omitempty"`
	// Parent is the step that waits for this run to end.
	Parent *Parent `json:"parent,omitempty"`
	// Admission is the run's place among those that the flow's limits count. Nil: it is not counted.
	Admission *Admission `json:"admission,omitempty"`
	// WakeAt is when the run is looked at again if nothing happens, in Unix milliseconds of the store's clock: LookAt, or the
	// first of Timers. Absent when nothing is open.
	WakeAt int64 `json:"wakeAt,omitempty"`
	LookAt int64 `json:"lookAt,omitempty"` // when the reconciler looks at the run
	Quiet  int   `json:"quiet,omitempty"`  // how often it was looked at since something happened
	// Sought says that since then somebody has looked for the events from outside that came before the awaits of the run.
	Sought bool `json:"sought,omitempty"`
	// Commit is a random number of the last commit, by which an engine recognises its own after an unknown outcome.
	Commit uint64 `json:"commit,omitempty"`

	chunks chunkCache
}

// Held reports whether the run is paused, by itself or with its flow.
func (s *State) Held() bool { return s.Paused || s.FlowPaused }

// Scope is what has happened in one place: in the run itself, or in one item of a group.
type Scope struct {
	Open int `json:"open"` // outstanding work: open iterations and open groups
	// Steps holds what has happened to the steps that something has happened to, in this epoch.
	Steps  []StepState   `json:"steps,omitempty"`
	Groups []*GroupState `json:"groups,omitempty"` // opened here, as long as somebody needs them
	// Seen holds, by await, the last emission that it may look back to.
	Seen map[string]Sighting `json:"seen,omitempty"`
}

// Ignored is an emission that a step did not need any more.
type Ignored struct {
	Seq   uint64 `json:"seq"`
	Event string `json:"event"`
	Step  string `json:"step"`
	Scope string `json:"scope,omitempty"` // empty: the run itself
}

const maxIgnored = 100

// Sighting is an emission that an await may look back to.
type Sighting struct {
	Seq uint64 `json:"seq"`
	At  int64  `json:"at"` // Unix milliseconds
	To  []Via  `json:"to,omitempty"`
}

// PendingLaunch is a run that a step has started.
type PendingLaunch struct {
	Seq  uint64 `json:"seq"` // of the record that holds its input
	Flow string `json:"flow"`
}

// Parent is the step of another run that waits for this run.
type Parent struct {
	Token Token `json:"token"`
	Told  bool  `json:"told,omitempty"` // it knows how this run ended
}

// StepState is what has happened to one step in one scope.
type StepState struct {
	Step    string      `json:"step"`
	Fill    []uint64    `json:"fill,omitempty"`    // a join that waits: the emission in each slot, 0 = empty
	Due     int64       `json:"due,omitempty"`     // a join that waits: it opens no earlier than this, Unix milliseconds
	Waiting []Waiting   `json:"waiting,omitempty"` // emissions beyond the step's window
	Armed   bool        `json:"armed,omitempty"`   // a collect step that runs once everything upstream has drained
	Opened  int         `json:"opened,omitempty"`  // iterations begun
	Done    int         `json:"done,omitempty"`    // iterations that succeeded
	Failed  int         `json:"failed,omitempty"`  // iterations that failed for good
	Iters   []Iteration `json:"iters,omitempty"`   // iterations that are open
}

// Waiting is an emission that waits for a place in the window of a step.
type Waiting struct {
	Seq    uint64 `json:"seq"`
	Origin string `json:"origin"`
	Due    int64  `json:"due,omitempty"` // what it opens begins no earlier, Unix milliseconds
}

// Phase is what an open iteration is doing.
type Phase string

// The phases of an iteration, in their order. Only a dispatched one has a job.
const (
	PhaseDelay  Phase = "delay"  // waits for the time of its connection, or of its retry
	PhaseBefore Phase = "before" // waits for its AwaitBefore
	PhaseRun    Phase = ""       // is dispatched
	PhaseChild  Phase = "child"  // its child flow runs
	PhaseAfter  Phase = "after"  // has succeeded, and waits for its AwaitAfter
)

// Iteration is an open execution of a step.
type Iteration struct {
	N        int      `json:"n"` // from 0
	Phase    Phase    `json:"phase,omitempty"`
	Attempt  int      `json:"attempt"`
	Dispatch int      `json:"dispatch"`          // number of the dispatch that counts
	Crashes  int      `json:"crashes,omitempty"` // deliveries of this attempt that were lost
	In       []uint64 `json:"in"`                // the emission in each slot, 0 = empty
	Origin   string   `json:"origin,omitempty"`  // of a step that runs for each event: what emitted it, whatever came first
	Groups   []int    `json:"groups,omitempty"`  // of a collect step: the groups whose items it gets
	RunAt    int64    `json:"runAt,omitempty"`   // Unix milliseconds of the store's clock; 0 = at once
	Started  bool     `json:"started,omitempty"` // step.started of this attempt is in the log
	Owner    string   `json:"owner,omitempty"`   // the instance whose queue holds the dispatch, where queues are not shared
	Failed   bool     `json:"failed,omitempty"`  // it failed the run, which can be restarted here
	Await    uint64   `json:"await,omitempty"`   // seq of the await.registered that counts
	Tries    int      `json:"tries,omitempty"`   // how often the await began again after a timeout
	Awaited  uint64   `json:"awaited,omitempty"` // seq of the record that resolved AwaitBefore
	Done     uint64   `json:"done,omitempty"`    // seq of step.completed, while AwaitAfter waits
	Held     []Held   `json:"held,omitempty"`    // what AwaitAfter holds back
}

// Held is an emission that is delivered when an AwaitAfter resolves.
type Held struct {
	Event  string      `json:"event"`
	Seq    uint64      `json:"seq"`
	To     []Via       `json:"to,omitempty"`     // the subscriptions that it reaches
	Sights []Sight     `json:"sights,omitempty"` // the awaits that it resolves
	Origin string      `json:"origin,omitempty"`
	Group  *GroupState `json:"group,omitempty"`
}

// Sight is an await that an emission resolves.
type Sight struct {
	Step  string `json:"step"`
	Phase Phase  `json:"phase"`        // which of its two
	To    []Via  `json:"to,omitempty"` // the subscriptions that the end of the wait reaches
}

// Via is a subscription that an emission reaches.
type Via struct {
	Sub int   `json:"sub"`           // its place among the subscriptions of the event
	Due int64 `json:"due,omitempty"` // what it opens begins no earlier, Unix milliseconds
}

// Token names one dispatch of one iteration. Only the token that the state holds can change it.
type Token struct {
	Run       string `json:"run"`
	Epoch     int    `json:"epoch"`
	Step      string `json:"step"`
	Scope     string `json:"scope"` // "/": the run itself
	Iteration int    `json:"iteration"`
	Dispatch  int    `json:"dispatch"`
}

// RootScope is the scope of everything outside of a dynamic fan-out.
const RootScope = "/"

// String returns the token as one string. Different tokens have different strings.
func (t Token) String() string {
	var b strings.Builder
	b.Grow(len(t.Run) + len(t.Step) + len(t.Scope) + 24)
	b.WriteString(t.Run)
	b.WriteByte('|')
	b.WriteString(strconv.Itoa(t.Epoch))
	b.WriteByte('|')
	b.WriteString(t.Step)
	b.WriteByte('|')
	b.WriteString(t.Scope)
	b.WriteByte('|')
	b.WriteString(strconv.Itoa(t.Iteration))
	b.WriteByte('|')
	b.WriteString(strconv.Itoa(t.Dispatch))
	return b.String()
}

// IdempotencyKey names the work of a token, whatever its attempt, dispatch or epoch. The numbers of groups, and those of the
// iterations of a step that runs for each event, depend on what came first; the key names what made them instead.
func (s *State) IdempotencyKey(t Token) string {
	var b strings.Builder
	b.WriteString(t.Run)
	b.WriteByte('/')
	b.WriteString(t.Step)
	b.WriteByte('/')
	sc := &s.Scope
	path := RootScope
	list, _ := hops(t.Scope)
	for _, h := range list {
		name := "g" + strconv.Itoa(h.group)
		if sc != nil {
			if g := sc.group(h.group); g != nil {
				name = g.From
			}
		}
		path = childPath(path, h.group, h.item)
		sc = s.scope(path)
		b.WriteString(name)
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(h.item))
		b.WriteByte('/')
	}
	if sc != nil {
		if _, it := sc.iteration(t.Step, t.Iteration); it != nil && it.Origin != "" {
			b.WriteString(it.Origin)
			return b.String()
		}
	}
	b.WriteString(strconv.Itoa(t.Iteration))
	return b.String()
}

// Clone returns a copy that can be changed without changing s. Chunks are shared until they are changed.
func (s *State) Clone() *State {
	c := *s
	c.Scope = s.clone()
	c.Timers = append([]Timer(nil), s.Timers...)
	c.Ignored = append([]Ignored(nil), s.Ignored...)
	c.Data = append([]string(nil), s.Data...)
	c.Tokens = append([]SignalToken(nil), s.Tokens...)
	c.Launches = append([]PendingLaunch(nil), s.Launches...)
	if s.Parent != nil {
		p := *s.Parent
		c.Parent = &p
	}
	c.chunks = s.chunks.share()
	return &c
}

func (sc *Scope) clone() Scope {
	c := Scope{Open: sc.Open, Seen: maps.Clone(sc.Seen)}
	if len(sc.Steps) > 0 {
		c.Steps = make([]StepState, len(sc.Steps), len(sc.Steps)+1)
	}
	for i, st := range sc.Steps {
		st.Fill = append([]uint64(nil), st.Fill...)
		st.Waiting = append([]Waiting(nil), st.Waiting...)
		st.Iters = append([]Iteration(nil), st.Iters...) // In, Groups and Held are never changed once set
		c.Steps[i] = st
	}
	for _, g := range sc.Groups {
		c.Groups = append(c.Groups, g.clone())
	}
	return c
}

// step returns the state of a step, or nil. The pointer is good until a step or an iteration is added.
func (sc *Scope) step(name string) *StepState {
	for i := range sc.Steps {
		if sc.Steps[i].Step == name {
			return &sc.Steps[i]
		}
	}
	return nil
}

// stepOrNew returns the state of a step, which it adds if need be. The pointer is good until the next call.
func (sc *Scope) stepOrNew(name string) *StepState {
	if st := sc.step(name); st != nil {
		return st
	}
	sc.Steps = append(sc.Steps, StepState{Step: name})
	return &sc.Steps[len(sc.Steps)-1]
}

// iteration returns an open iteration of a step, or nil.
func (sc *Scope) iteration(step string, n int) (*StepState, *Iteration) {
	st := sc.step(step)
	if st == nil {
		return nil, nil
	}
	for i := range st.Iters {
		if st.Iters[i].N == n {
			return st, &st.Iters[i]
		}
	}
	return nil, nil
}

// group returns a group that was opened here, or nil.
func (sc *Scope) group(n int) *GroupState {
	for _, g := range sc.Groups {
		if g.N == n {
			return g
		}
	}
	return nil
}

// Scheduled returns the iteration if t is the token that counts, and nil if it is not: consumed, superseded, or fenced. The
// chunks of t's scope must be loaded: see [State.Missing]. The caller must not change the iteration.
func (s *State) Scheduled(t Token) *Iteration {
	if t.Epoch != s.Epoch || s.Status != StatusRunning {
		return nil
	}
	sc := s.scope(t.Scope)
	if sc == nil {
		return nil
	}
	_, it := sc.iteration(t.Step, t.Iteration)
	if it == nil || it.Dispatch != t.Dispatch || it.Phase != PhaseRun {
		return nil
	}
	return it
}

// OpenTokens calls yield for every open iteration that is dispatched and its token, until it returns false; those in chunks
// that are not loaded are left out.
func (s *State) OpenTokens(run string) func(yield func(Token, *Iteration) bool) {
	return func(yield func(Token, *Iteration) bool) {
		s.EachOpen(run, func(t Token, it *Iteration) bool {
			return it.Phase != PhaseRun || yield(t, it)
		})
	}
}

// EachOpen calls yield for every open iteration of a run that has not ended, whatever its phase, until it returns false;
// those in chunks that are not loaded are left out.
func (s *State) EachOpen(run string, yield func(Token, *Iteration) bool) {
	if !s.Status.Ended() {
		s.eachIteration(run, yield)
	}
}

// eachIteration is EachOpen for runs that have ended too: one that failed keeps what was open.
func (s *State) eachIteration(run string, yield func(Token, *Iteration) bool) {
	s.eachScope(RootScope, &s.Scope, func(path string, sc *Scope) bool {
		for i := range sc.Steps {
			st := &sc.Steps[i]
			for j := range st.Iters {
				it := &st.Iters[j]
				if !yield(s.token(run, path, st.Step, it), it) {
					return false
				}
			}
		}
		return true
	})
}

// eachScope calls yield for a scope and the open ones inside of it.
func (s *State) eachScope(path string, sc *Scope, yield func(path string, sc *Scope) bool) bool {
	if !yield(path, sc) {
		return false
	}
	for _, g := range sc.Groups {
		for _, k := range g.Live {
			c := s.chunks.get(ChunkRef{g.N, k})
			if c == nil {
				continue
			}
			for i := range c.Items {
				it := &c.Items[i]
				if it.State == ItemOpen && !s.eachScope(childPath(path, g.N, k*ChunkItems+i), &it.Scope, yield) {
					return false
				}
			}
		}
	}
	return true
}

func (s *State) token(run, scope, step string, it *Iteration) Token {
	return Token{Run: run, Epoch: s.Epoch, Step: step, Scope: scope, Iteration: it.N, Dispatch: it.Dispatch}
}

// References calls f with the seq of every record whose payload open work needs.
func (s *State) References(f func(seq uint64)) {
	each := func(list []uint64) {
		for _, seq := range list {
			if seq != 0 {
				f(seq)
			}
		}
	}
	s.eachScope(RootScope, &s.Scope, func(_ string, sc *Scope) bool {
		for i := range sc.Steps {
			st := &sc.Steps[i]
			each(st.Fill)
			for _, w := range st.Waiting {
				f(w.Seq)
			}
			for j := range st.Iters {
				each(st.Iters[j].In)
				if seq := st.Iters[j].Awaited; seq != 0 {
					f(seq)
				}
			}
		}
		return true
	})
}

// CompletedSteps counts the iterations outside of groups that succeeded in this epoch.
func (s *State) CompletedSteps() int {
	n := 0
	for i := range s.Steps {
		n += s.Steps[i].Done
	}
	return n
}

// OpenIteration returns the open iteration of a token, whatever its phase, if its dispatch is the one that counts, else nil.
// The chunks of the token's scope must be loaded. The caller must not change it.
func (s *State) OpenIteration(t Token) *Iteration {
	if t.Epoch != s.Epoch || s.Status != StatusRunning {
		return nil
	}
	sc := s.scope(t.Scope)
	if sc == nil {
		return nil
	}
	_, it := sc.iteration(t.Step, t.Iteration)
	if it == nil || it.Dispatch != t.Dispatch {
		return nil
	}
	return it
}

// OpenAwaits returns the steps that wait for events from outside; those in chunks that are not loaded are left out.
func (s *State) OpenAwaits(d *Definition, run string) []OpenAwait {
	var list []OpenAwait
	s.EachOpen(run, func(t Token, it *Iteration) bool {
		step := d.Step(t.Step)
		a := step.Before
		if it.Phase == PhaseAfter {
			a = step.After
		}
		if it.Await != 0 && a != nil && a.Type == AwaitEvent {
			list = append(list, OpenAwait{Token: t, Seq: it.Await, Event: a.Event, Field: a.Field, Value: s.Keys[awaitKey(t.Step, it.Phase)],
				LookBack: a.lookBack()})
		}
		return true
	})
	return list
}
