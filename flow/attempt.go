package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// Errors of what a handler does with its context.
var (
	// ErrNoStep: the context is not one that an engine gave to a step's handler.
	ErrNoStep = errors.New("context does not belong to a running step")
	// ErrStepEnded: the handler has returned; what it does now can have no effect.
	ErrStepEnded = errors.New("step has ended")
	// ErrUndeclared: the step does not declare the event that it emits.
	ErrUndeclared = errors.New("event is not declared")
)

// Emission is an event that an attempt emitted. It takes effect if the attempt's outcome is accepted.
type Emission struct {
	Event   string
	Payload json.RawMessage
	Group   *EmittedGroup // of an EmitAll; Payload is then nil
}

// EmittedGroup are the items of an EmitAll: up to [ChunkItems] of them as they are, more in documents that are stored already.
type EmittedGroup struct {
	Count int
	Items []json.RawMessage
	Stage string // under which they are stored; empty: they are in Items
}

// StateOp is a change of the run's state documents, as data. It takes effect if the attempt's outcome is accepted.
type StateOp struct {
	Op    string          `json:"op"` // OpSet, OpDelete or OpAdd
	Key   string          `json:"-"`
	Value json.RawMessage `json:"value,omitempty"` // OpSet: the value; OpAdd: the number to add
	TTL   Duration        `json:"ttl,omitempty"`   // OpSet: 0 = as long as the run
}

// The state operations.
const (
	OpSet    = "set"
	OpDelete = "delete"
	OpAdd    = "add"
)

// LogLine is a line that a handler logged.
type LogLine struct {
	At      time.Time
	Level   string
	Message string
	Attrs   json.RawMessage // an object, or nil
}

// AttemptInfo is what an engine tells a handler about its attempt.
type AttemptInfo struct {
	RunID     string
	Flow      string
	Step      string
	Scope     string // where in a dynamic fan-out; "/": outside of all
	Epoch     int
	Iteration int
	Attempt   int // from 1
	Attempts  int // tries in total
	// Key is the idempotency key of the iteration: the same for every attempt, redelivery and restart of it.
	Key string
}

// Attempt is one attempt to run a step: what an engine puts into the context of a handler, and where emissions, state
// changes and log lines wait until the engine has an outcome. Handlers do not use it; they use [Event.Emit], [Set], [Info].
// It is safe for use by many goroutines.
type Attempt struct {
	AttemptInfo
	// MayEmit reports whether the step declares an event.
	MayEmit func(event string) bool
	// Declared lists the declared events, for error messages.
	Declared []string
	// MaxPayload bounds one payload, in bytes. 0: no bound.
	MaxPayload int
	// ReadState returns the committed value of a state document, or nil.
	ReadState func(ctx context.Context, key string) (json.RawMessage, error)
	// MayEmitAll reports whether the step declares an event as one that it emits for many items.
	MayEmitAll func(event string) bool
	// Stage stores payloads of items before the outcome, under a name that is new for this attempt and EmitAll.
	Stage func(ctx context.Context, part PartRef, items []json.RawMessage) error
	// NewStage returns a name that has never been used in this run.
	NewStage func() string
	// EmitNow records and delivers an emission at once.
	EmitNow func(ctx context.Context, e Emission) error
	// Memo returns what fn has returned for this name in an earlier attempt, or calls it and keeps the value.
	Memo func(ctx context.Context, name string, fn func(context.Context) (json.RawMessage, error)) (json.RawMessage, error)
	// Awaited returns what the step waited for before it ran. ok is false if it waited for nothing.
	Awaited func(ctx context.Context) (payload json.RawMessage, ok bool, err error)
	// AwaitsSignal reports whether a step of the flow, "" for this one, awaits a signal.
	AwaitsSignal func(step string) bool
	// NewToken returns a random token for a signal and its hash.
	NewToken func() (token, hash string)
	// LogHandler gets the lines of [Logger] too. Nil: only the run's log gets them.
	LogHandler slog.Handler

	mu        sync.Mutex
	ended     bool
	emissions []Emission
	ops       []StateOp
	lines     []LogLine
	signals   []NewSignal
	launches  []NewLaunch
}

type attemptKey struct{}

// With returns a context that carries the attempt.
func (a *Attempt) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

// attemptOf returns the attempt that ctx carries.
func attemptOf(ctx context.Context) (*Attempt, error) {
	a, ok := ctx.Value(attemptKey{}).(*Attempt)
	if !ok {
		return nil, ErrNoStep
	}
	return a, nil
}

// Collected is what an attempt left behind.
type Collected struct {
	Emissions []Emission
	Ops       []StateOp
	Lines     []LogLine
	Signals   []NewSignal
	Launches  []NewLaunch
}

// End returns what the attempt collected and closes it: a handler's goroutine that goes on gets [ErrStepEnded].
func (a *Attempt) End() Collected {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	c := Collected{a.emissions, a.ops, a.lines, a.signals, a.launches}
	a.emissions, a.ops, a.lines, a.signals, a.launches = nil, nil, nil, nil, nil
	return c
}

// TakeLines returns the log lines collected so far and forgets them.
func (a *Attempt) TakeLines() []LogLine {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.lines
	a.lines = nil
	return l
}

// PutBackLines returns lines that could not be recorded, ahead of newer ones.
func (a *Attempt) PutBackLines(l []LogLine) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lines = append(l, a.lines...)
}

// Log adds a log line.
func (a *Attempt) Log(l LogLine) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return ErrStepEnded
	}
	a.lines = append(a.lines, l)
	return nil
}

// emit buffers an emission.
func (a *Attempt) emit(event string, payload json.RawMessage) error {
	err := a.mayEmit(event)
	if err == nil {
		err = a.check(payload)
	}
	if err == nil {
		err = a.add(Emission{Event: event, Payload: payload})
	}
	if err != nil {
		return fmt.Errorf("emit %q from step %q: %w", event, a.Step, err)
	}
	return nil
}

func (a *Attempt) mayEmit(event string) error {
	if a.MayEmit != nil && !a.MayEmit(event) {
		hint := "it declares no events; add flow.Emits to the step"
		if len(a.Declared) > 0 {
			hint = "it declares " + strings.Join(slices.Sorted(slices.Values(a.Declared)), ", ") + "; add the event to its flow.Emits"
		}
		return fmt.Errorf("%w (%s)", ErrUndeclared, hint)
	}
	if a.MayEmitAll != nil && a.MayEmitAll(event) {
		return fmt.Errorf("%w: it is declared with flow.EmitsAll, so it is emitted with EmitAll", ErrUndeclared)
	}
	return nil
}

// add keeps an emission until the attempt's end.
func (a *Attempt) add(e Emission) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return ErrStepEnded
	}
	a.emissions = append(a.emissions, e)
	return nil
}

func (a *Attempt) check(payload json.RawMessage) error {
	if a.MaxPayload > 0 && len(payload) > a.MaxPayload {
		return fmt.Errorf("payload of %d bytes: %w (the limit is %d; pass a reference to the data instead, or raise limits.payload)",
			len(payload), adapter.ErrTooLarge, a.MaxPayload)
	}
	return adapter.Validate(payload)
}

// Info returns what the engine says about the attempt that ctx belongs to. ok is false outside of a step.
func Info(ctx context.Context) (info AttemptInfo, ok bool) {
	a, err := attemptOf(ctx)
	if err != nil {
		return AttemptInfo{}, false
	}
	return a.AttemptInfo, true
}

// Key returns the idempotency key of the step that ctx belongs to, or "" outside of a step. It is the same for every
// attempt, redelivery and restart of the same work: give it to whoever must not do that work twice.
func Key(ctx context.Context) string {
	info, _ := Info(ctx)
	return info.Key
}
