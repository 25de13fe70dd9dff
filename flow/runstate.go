package flow

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Format is the number of the layout of [State]. An engine that meets a newer one hands the work back.
const Format = 1

// Status is where a run is in its life.
type Status string

// The statuses. The last three are ends; a restart begins a new epoch.
const (
	StatusRunning   Status = "running"
	StatusCanceling Status = "canceling" // fenced; queued jobs are being removed
	StatusCompleted Status = "completed"
	StatusFailed    Status = "failed"
	StatusCanceled  Status = "canceled"
)

// Ended reports whether the status is an end.
func (s Status) Ended() bool {
	return s == StatusCompleted || s == StatusFailed || s == StatusCanceled
}

// State is the state of a run: its open work. Payloads are not in it; they are in the log, and the state refers to them by
// sequence number. It is stored as one document and changed by [Definition.Apply] only.
type State struct {
	Format     int    `json:"format"`
	Flow       string `json:"flow"`
	Definition string `json:"def"` // hash
	Status     Status `json:"status"`
	Epoch      int    `json:"epoch"`
	Seq        uint64 `json:"seq"`   // of the last record of the log
	Input      uint64 `json:"input"` // seq of the record that holds the run's input
	Open       int    `json:"open"`  // outstanding work; zero ends the run
	// Steps holds what has happened to the steps that something has happened to, in this epoch.
	Steps   []StepState `json:"steps,omitempty"`
	Ignored []Ignored   `json:"ignored,omitempty"` // the first maxIgnored of them
	// IgnoredCount counts all ignored emissions.
	IgnoredCount int    `json:"ignoredCount,omitempty"`
	Result       uint64 `json:"result,omitempty"` // seq of the completion of the step that the flow returns
	End          uint64 `json:"end,omitempty"`    // seq of the record that ended the run
	Reason       string `json:"reason,omitempty"` // of a cancellation
	// Headers are carried by every job of the run: trace context and the like.
	Headers map[string]string `json:"headers,omitempty"`
	// Data names the state documents of the run, so that clean-up finds them.
	Data []string `json:"data,omitempty"`
	// WakeAt is when the run is looked at again if nothing happens, in Unix milliseconds of the store's clock. Absent when
	// nothing is open.
	WakeAt int64 `json:"wakeAt,omitempty"`
	Quiet  int   `json:"quiet,omitempty"` // how often it was looked at since something happened
	// Commit is a random number of the last commit, by which an engine recognises its own after an unknown outcome.
	Commit uint64 `json:"commit,omitempty"`
}

// Ignored is an emission that a step did not need any more.
type Ignored struct {
	Seq   uint64 `json:"seq"`
	Event string `json:"event"`
	Step  string `json:"step"`
}

const maxIgnored = 100

// StepState is what has happened to one step.
type StepState struct {
	Step   string      `json:"step"`
	Fill   []uint64    `json:"fill,omitempty"`   // a join that waits: the emission in each slot, 0 = empty
	Opened int         `json:"opened,omitempty"` // iterations begun
	Done   int         `json:"done,omitempty"`   // iterations that succeeded
	Failed int         `json:"failed,omitempty"` // iterations that failed for good
	Iters  []Iteration `json:"iters,omitempty"`  // iterations that are open
}

// Iteration is an open execution of a step.
type Iteration struct {
	N        int      `json:"n"` // from 0
	Attempt  int      `json:"attempt"`
	Dispatch int      `json:"dispatch"`          // number of the dispatch that counts
	Crashes  int      `json:"crashes,omitempty"` // deliveries of this attempt that were lost
	In       []uint64 `json:"in"`                // the emission in each slot, 0 = empty
	RunAt    int64    `json:"runAt,omitempty"`   // Unix milliseconds of the store's clock; 0 = at once
	Started  bool     `json:"started,omitempty"` // step.started of this attempt is in the log
	Owner    string   `json:"owner,omitempty"`   // the instance whose queue holds the dispatch, where queues are not shared
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

// IdempotencyKey names the iteration, whatever its attempt, dispatch or epoch.
func (t Token) IdempotencyKey() string {
	return t.Run + "/" + t.Step + t.Scope + strconv.Itoa(t.Iteration)
}

// Clone returns a deep copy.
func (s *State) Clone() *State {
	c := *s
	c.Steps = make([]StepState, len(s.Steps), len(s.Steps)+2)
	for i, st := range s.Steps {
		st.Fill = append([]uint64(nil), st.Fill...)
		st.Iters = append([]Iteration(nil), st.Iters...) // In is never changed once set
		c.Steps[i] = st
	}
	c.Ignored = append([]Ignored(nil), s.Ignored...)
	c.Data = append([]string(nil), s.Data...)
	return &c
}

// step returns the state of a step, or nil.
func (s *State) step(name string) *StepState {
	for i := range s.Steps {
		if s.Steps[i].Step == name {
			return &s.Steps[i]
		}
	}
	return nil
}

// stepOrNew returns the state of a step, which it adds if need be. The pointer is good until the next call.
func (s *State) stepOrNew(name string) *StepState {
	if st := s.step(name); st != nil {
		return st
	}
	s.Steps = append(s.Steps, StepState{Step: name})
	return &s.Steps[len(s.Steps)-1]
}

// find returns the open iteration that a token names, whatever the token's dispatch, or nil.
func (s *State) find(t Token) (*StepState, *Iteration) {
	if t.Epoch != s.Epoch || s.Status != StatusRunning || t.Scope != RootScope {
		return nil, nil
	}
	st := s.step(t.Step)
	if st == nil {
		return nil, nil
	}
	for i := range st.Iters {
		if st.Iters[i].N == t.Iteration {
			return st, &st.Iters[i]
		}
	}
	return nil, nil
}

// Scheduled returns the iteration if t is the token that counts, and nil if it is not: consumed, superseded, or fenced.
func (s *State) Scheduled(t Token) *Iteration {
	_, it := s.find(t)
	if it == nil || it.Dispatch != t.Dispatch {
		return nil
	}
	return it
}

// OpenTokens calls yield for every open iteration and its token, until it returns false.
func (s *State) OpenTokens(run string) func(yield func(Token, *Iteration) bool) {
	return func(yield func(Token, *Iteration) bool) {
		for i := range s.Steps {
			st := &s.Steps[i]
			for j := range st.Iters {
				it := &st.Iters[j]
				if !yield(s.token(run, st.Step, it), it) {
					return
				}
			}
		}
	}
}

func (s *State) token(run, step string, it *Iteration) Token {
	return Token{Run: run, Epoch: s.Epoch, Step: step, Scope: RootScope, Iteration: it.N, Dispatch: it.Dispatch}
}

// References calls f with the seq of every record whose payload open work needs.
func (s *State) References(f func(seq uint64)) {
	for i := range s.Steps {
		st := &s.Steps[i]
		for _, seq := range st.Fill {
			if seq != 0 {
				f(seq)
			}
		}
		for j := range st.Iters {
			for _, seq := range st.Iters[j].In {
				if seq != 0 {
					f(seq)
				}
			}
		}
	}
}

// CompletedSteps counts the iterations that succeeded in this epoch.
func (s *State) CompletedSteps() int {
	n := 0
	for i := range s.Steps {
		n += s.Steps[i].Done
	}
	return n
}

// Encode returns the state as the body of its document.
func (s *State) Encode() json.RawMessage { return raw(s) }

// DecodeState reads the body of a state document.
func DecodeState(b json.RawMessage) (*State, error) {
	s := &State{}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, err
	}
	return s, nil
}
