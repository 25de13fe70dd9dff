package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
)

// Event is an event that steps emit and other steps subscribe to. T is the type of its payload, which travels as JSON.
// Events are values without state: declare them once, as package variables, and use them in any number of flows.
type Event[T any] struct {
	name  string
	owner *draft // of a step's implicit event: the flow that the step belongs to
}

// AnyEvent is an [Event] of any type.
type AnyEvent interface {
	// Name returns the name of the event.
	Name() string
	describe() eventInfo
}

// eventInfo is what the builder needs to know of an event.
type eventInfo struct {
	name   string
	typ    reflect.Type
	owner  *draft
	decode func(in InputSlot) (any, error)
}

// NewEvent returns an event. Its name is opaque: not empty, at most 256 bytes, without control characters, and not starting
// with "step:". A flow that uses a misnamed event is refused by its Definition.
func NewEvent[T any](name string) *Event[T] { return &Event[T]{name: name} }

// Name returns the name of the event.
func (e *Event[T]) Name() string {
	if e == nil {
		return ""
	}
	return e.name
}

func (e *Event[T]) describe() eventInfo {
	i := eventInfo{name: e.Name(), typ: reflect.TypeFor[T](), decode: func(in InputSlot) (any, error) { return decodeInput[T](in) }}
	if e != nil {
		i.owner = e.owner
	}
	return i
}

// Emit emits the event from the step that ctx belongs to. It does not block: the emission waits in the attempt and takes
// effect if and only if the attempt succeeds. v is encoded now; the caller may change it afterwards.
//
// It is an error, now, if the step does not declare the event ([ErrUndeclared]), if the payload is over the limit
// ([adapter.ErrTooLarge]) or cannot be encoded, if the step has ended ([ErrStepEnded]), or if ctx is not a step's
// ([ErrNoStep]).
func (e *Event[T]) Emit(ctx context.Context, v T) error {
	a, err := attemptOf(ctx)
	if err != nil {
		return fmt.Errorf("emit %q: %w", e.Name(), err)
	}
	b, err := encode(v)
	if err != nil {
		return fmt.Errorf("emit %q from step %q: encode %T: %w", e.Name(), a.Step, v, err)
	}
	return a.emit(e.Name(), b)
}

// From returns the event's payload from the inputs of a step, and whether there is one. A payload that is not a T counts as
// none, and fails the attempt for good once the handler has returned.
func (e *Event[T]) From(in Inputs) (T, bool) {
	var zero T
	for _, s := range in.slots {
		if s.Event != e.Name() || !s.Filled {
			continue
		}
		if v, ok := s.value.(T); ok {
			return v, true
		}
		v, err := decodeInput[T](s)
		if err != nil {
			in.note(err)
			return zero, false
		}
		return v, true
	}
	return zero, false
}

// encode encodes a payload or a result. A value of type struct{} says nothing and is written as null.
func encode(v any) (json.RawMessage, error) {
	if _, ok := v.(struct{}); ok {
		return json.RawMessage("null"), nil
	}
	return json.Marshal(v)
}
