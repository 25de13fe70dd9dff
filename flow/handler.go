package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/nvent-go/nvent/internal/decode"
)

// Handler is the code of a step under a name, by which documents refer to it. Make one with [Func] and its relatives; a flow
// built in Go has its own ([Flow.Handlers]). It is safe for use by many goroutines if the function is.
type Handler struct {
	name   string
	in     []reflect.Type // of the parameters, in slot order
	anyIn  bool           // takes Inputs: any number of slots
	group  bool           // takes a Group: all events of a group
	out    reflect.Type
	events []eventInfo // of a Go flow's Inputs handler: what the slots hold
	call   func(ctx context.Context, in Inputs) (any, error)
}

// Inputs are the events that made a step run: one slot per connection, in the order of the connections. The only slot of a
// start step is the input of the flow.
type Inputs struct {
	slots []InputSlot
	bad   *error // the first payload that From could not decode
}

// InputSlot is one input of a step.
type InputSlot struct {
	Event   string // "" for the input of the flow
	Payload json.RawMessage
	Filled  bool         // false: the step runs without it (any, n of)
	Group   *GroupSource // of a step that collects; Payload is then nil
	value   any          // the payload, if it has been decoded
}

// NewInputs returns inputs. The slots belong to it from then on.
func NewInputs(slots ...InputSlot) Inputs { return Inputs{slots: slots} }

// Slots returns the slots. The caller must not change them.
func (in Inputs) Slots() []InputSlot { return in.slots }

func (in Inputs) note(err error) {
	if in.bad != nil && *in.bad == nil {
		*in.bad = err
	}
}

// Func names a function as the handler of a step with one connection, or of a start step.
func Func[A, T any](name string, h func(context.Context, A) (T, error)) Handler {
	f := Handler{name: name, in: []reflect.Type{reflect.TypeFor[A]()}, out: reflect.TypeFor[T]()}
	if h != nil {
		f.call = func(ctx context.Context, in Inputs) (any, error) {
			a, err := decodeInput[A](in.slots[0])
			if err != nil {
				return nil, err
			}
			return h(ctx, a)
		}
	}
	return f
}

// Func2 names a function as the handler of a step that joins two connections.
func Func2[A, B, T any](name string, h func(context.Context, A, B) (T, error)) Handler {
	f := Handler{name: name, in: []reflect.Type{reflect.TypeFor[A](), reflect.TypeFor[B]()}, out: reflect.TypeFor[T]()}
	if h != nil {
		f.call = func(ctx context.Context, in Inputs) (any, error) {
			a, errA := decodeInput[A](in.slots[0])
			b, errB := decodeInput[B](in.slots[1])
			if err := errors.Join(errA, errB); err != nil {
				return nil, err
			}
			return h(ctx, a, b)
		}
	}
	return f
}

// Func3 names a function as the handler of a step that joins three connections.
func Func3[A, B, C, T any](name string, h func(context.Context, A, B, C) (T, error)) Handler {
	f := Handler{
		name: name, out: reflect.TypeFor[T](),
		in: []reflect.Type{reflect.TypeFor[A](), reflect.TypeFor[B](), reflect.TypeFor[C]()},
	}
	if h != nil {
		f.call = func(ctx context.Context, in Inputs) (any, error) {
			a, errA := decodeInput[A](in.slots[0])
			b, errB := decodeInput[B](in.slots[1])
			c, errC := decodeInput[C](in.slots[2])
			if err := errors.Join(errA, errB, errC); err != nil {
				return nil, err
			}
			return h(ctx, a, b, c)
		}
	}
	return f
}

// Func4 names a function as the handler of a step that joins four connections.
func Func4[A, B, C, D, T any](name string, h func(context.Context, A, B, C, D) (T, error)) Handler {
	f := Handler{
		name: name, out: reflect.TypeFor[T](),
		in: []reflect.Type{reflect.TypeFor[A](), reflect.TypeFor[B](), reflect.TypeFor[C](), reflect.TypeFor[D]()},
	}
	if h != nil {
		f.call = func(ctx context.Context, in Inputs) (any, error) {
			a, errA := decodeInput[A](in.slots[0])
			b, errB := decodeInput[B](in.slots[1])
			c, errC := decodeInput[C](in.slots[2])
			d, errD := decodeInput[D](in.slots[3])
			if err := errors.Join(errA, errB, errC, errD); err != nil {
				return nil, err
			}
			return h(ctx, a, b, c, d)
		}
	}
	return f
}

// FuncN names a function as the handler of a step with any number of connections, some of which may be empty (joins of mode
// any and n). It reads its inputs with [Event.From], or as they are.
func FuncN[T any](name string, h func(context.Context, Inputs) (T, error)) Handler {
	f := Handler{name: name, anyIn: true, out: reflect.TypeFor[T]()}
	if h != nil {
		f.call = func(ctx context.Context, in Inputs) (any, error) { return h(ctx, in) }
	}
	return f
}

// Name returns the name that the handler is registered under.
func (h Handler) Name() string { return h.name }

// Call runs the handler and returns its result as JSON ("null" if it returns struct{}). ctx carries the [Attempt]. An input
// that is not of the parameter's type, and a result that cannot be recorded, are permanent errors ([IsPermanent]). Call does
// not recover panics.
func (h Handler) Call(ctx context.Context, in Inputs) (json.RawMessage, error) {
	if h.call == nil {
		return nil, Permanent(fmt.Errorf("call handler %q: it has no function", h.name))
	}
	if !h.anyIn && len(in.slots) != len(h.in) {
		return nil, Permanent(fmt.Errorf("call handler %q: it takes %d input(s) and got %d", h.name, len(h.in), len(in.slots)))
	}
	if h.anyIn {
		in.bad = new(error)
	}
	in, err := h.decodeKnown(in)
	if err != nil {
		return nil, err
	}
	v, err := h.call(ctx, in)
	if err == nil && in.bad != nil {
		err = *in.bad
	}
	if err != nil {
		return nil, err
	}
	b, err := encode(v)
	if err == nil {
		if a, aerr := attemptOf(ctx); aerr == nil {
			err = a.check(b)
		}
	}
	if err != nil {
		return nil, Permanent(fmt.Errorf("record result of handler %q (%s): %w", h.name, h.out, err))
	}
	return b, nil
}

// decodeKnown decodes the slots whose types are known, so that a handler never begins its work on inputs that it cannot read.
func (h Handler) decodeKnown(in Inputs) (Inputs, error) {
	if len(h.events) != len(in.slots) {
		return in, nil
	}
	in.slots = slices.Clone(in.slots)
	for i := range in.slots {
		if !in.slots[i].Filled {
			continue
		}
		v, err := h.events[i].decode(in.slots[i])
		if err != nil {
			return in, err
		}
		in.slots[i].value = v
	}
	return in, nil
}

// decodeInput decodes a payload. What does not decode now never will, so its error is permanent.
func decodeInput[T any](in InputSlot) (T, error) {
	var v T
	err := decode.JSON(in.Payload, &v)
	if err == nil {
		return v, nil
	}
	what := "input of the flow"
	if in.Event != "" {
		what = fmt.Sprintf("event %q", in.Event)
	}
	var typ *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &typ) && typ.Field != "":
		err = fmt.Errorf("field %q at byte %d holds a JSON %s where Go has %s", typ.Field, typ.Offset, typ.Value, typ.Type)
	case errors.As(err, &typ):
		err = fmt.Errorf("byte %d: a JSON %s where Go has %s", typ.Offset, typ.Value, typ.Type)
	case errors.As(err, &syntax):
		err = fmt.Errorf("byte %d: %w", syntax.Offset, err)
	}
	return v, Permanent(fmt.Errorf("decode %s as %s: %w", what, reflect.TypeFor[T](), err))
}
