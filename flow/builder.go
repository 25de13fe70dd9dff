package flow

import (
	"context"
	"fmt"
	"time"
)

// Flow is a flow under construction. In is the type of what starts it, Out the type of its result (struct{} if it has none).
// Add steps to it with [Start], [On], [Join2] and the others, all from one goroutine. Mistakes are collected and reported
// together by Definition.
type Flow[In, Out any] struct{ d draft }

// AnyFlow is a [Flow] of any types.
type AnyFlow interface {
	// Name returns the name of the flow.
	Name() string
	// Wiring returns the flow as a document.
	Wiring() Wiring
	// Definition analyses the flow. The error lists every mistake; it is an [*Invalid].
	Definition() (*Definition, error)
	// Handlers returns the handlers of the flow's steps, named "<flow>/<step>".
	Handlers() []Handler
	draft() *draft
}

// FlowOption sets a property of a flow.
type FlowOption func(*FlowConfig)

// RunTimeout bounds the runs of the flow, each from its start or restart. When the time has passed the run fails.
func RunTimeout(d time.Duration) FlowOption {
	return func(c *FlowConfig) { c.Timeout = Duration(d) }
}

// New returns an empty flow.
func New[In, Out any](name string, o ...FlowOption) *Flow[In, Out] {
	f := &Flow[In, Out]{draft{name: name}}
	for _, set := range o {
		set(&f.d.config)
	}
	return f
}

// Name returns the name of the flow.
func (f *Flow[In, Out]) Name() string { return f.d.name }

// Wiring returns the flow as a document. It is complete only if Definition accepts the flow.
func (f *Flow[In, Out]) Wiring() Wiring { return f.d.wiring() }

// Definition analyses the flow. The error lists every mistake; it is an [*Invalid].
func (f *Flow[In, Out]) Definition() (*Definition, error) { return f.d.definition() }

// Handlers returns the handlers of the flow's steps, named "<flow>/<step>". External steps have none.
func (f *Flow[In, Out]) Handlers() []Handler { return f.d.handlers() }

func (f *Flow[In, Out]) draft() *draft { return &f.d }

// StepRef refers to a step of a flow under construction. T is the type of the step's result.
type StepRef[T any] struct {
	flow *draft
	name string
}

// Name returns the name of the step.
func (s *StepRef[T]) Name() string { return s.name }

// Completed is the implicit event that the step has succeeded, with its result as payload. Flows that are a simple line need
// no other events.
func (s *StepRef[T]) Completed() *Event[T] { return &Event[T]{StepEvent(s.name), s.flow} }

// Failed is the implicit event that the step has failed for good. A step that subscribes to it handles the failure: the run
// goes on.
func (s *StepRef[T]) Failed() *Event[Failure] { return &Event[Failure]{FailedEvent(s.name), s.flow} }

// Resolved is the implicit event that what the step waited for after it had succeeded has come ([AwaitAfter]), with what
// came as payload. D is its type: that of the event or signal; for a time or a schedule the payload is null.
func Resolved[D, T any](s *StepRef[T]) *Event[D] { return &Event[D]{ResolvedEvent(s.name), s.flow} }

// Start adds a step that runs when the flow starts, with the flow's input. A flow needs at least one.
func Start[In, Out, T any](f *Flow[In, Out], name string, h func(context.Context, In) (T, error), o ...Option) *StepRef[T] {
	s := f.d.add(name, Func(f.d.handlerName(name), h), nil, o)
	s.def.Config.Start = true
	return &StepRef[T]{&f.d, name}
}

// On adds a step that runs when event e has been emitted, or when the step of e has ended ([StepRef.Completed],
// [StepRef.Failed]).
func On[E, T any](f AnyFlow, name string, e *Event[E], h func(context.Context, E) (T, error), o ...Option) *StepRef[T] {
	d := f.draft()
	d.add(name, Func(d.handlerName(name), h), []AnyEvent{e}, o)
	return &StepRef[T]{d, name}
}

// Join2 adds a step that runs once both events have been emitted. The handler takes their payloads in this order.
func Join2[A, B, T any](
	f AnyFlow, name string, a *Event[A], b *Event[B], h func(context.Context, A, B) (T, error), o ...Option,
) *StepRef[T] {
	d := f.draft()
	d.add(name, Func2(d.handlerName(name), h), []AnyEvent{a, b}, o)
	return &StepRef[T]{d, name}
}

// Join3 adds a step that runs once all three events have been emitted.
func Join3[A, B, C, T any](
	f AnyFlow, name string, a *Event[A], b *Event[B], c *Event[C], h func(context.Context, A, B, C) (T, error), o ...Option,
) *StepRef[T] {
	d := f.draft()
	d.add(name, Func3(d.handlerName(name), h), []AnyEvent{a, b, c}, o)
	return &StepRef[T]{d, name}
}

// Join4 adds a step that runs once all four events have been emitted. For more see [JoinN].
func Join4[A, B, C, D, T any](
	f AnyFlow, name string, a *Event[A], b *Event[B], c *Event[C], e *Event[D],
	h func(context.Context, A, B, C, D) (T, error), o ...Option,
) *StepRef[T] {
	d := f.draft()
	d.add(name, Func4(d.handlerName(name), h), []AnyEvent{a, b, c, e}, o)
	return &StepRef[T]{d, name}
}

// JoinN adds a step that runs once n of the events have been emitted: any of them with n = 1, all of them with
// n = len(events). The handler reads the payloads with [Event.From].
func JoinN[T any](
	f AnyFlow, name string, n int, events []AnyEvent, h func(context.Context, Inputs) (T, error), o ...Option,
) *StepRef[T] {
	d := f.draft()
	s := d.add(name, FuncN(d.handlerName(name), h), events, o)
	for _, e := range events {
		if e != nil {
			s.handler.events = append(s.handler.events, e.describe())
		}
	}
	switch n {
	case 1:
		s.def.Config.Join = &Join{Mode: JoinModeAny}
	case len(events):
		s.def.Config.Join = &Join{Mode: JoinModeAll}
	default:
		s.def.Config.Join = &Join{Mode: JoinModeN, N: n}
	}
	return &StepRef[T]{d, name}
}

// Returns makes the result of a step the result of the flow.
func Returns[In, Out any](f *Flow[In, Out], s *StepRef[Out]) {
	switch {
	case s == nil:
		f.d.problem("", "flow.Returns got nil instead of a step", "pass what flow.On or flow.Join2 returned")
	case s.flow != &f.d:
		f.d.problem("", fmt.Sprintf("flow.Returns got step %q of flow %q", s.name, s.flow.name), "pass a step of this flow")
	default:
		for _, st := range f.d.steps {
			if st.def.Name == s.name {
				st.def.Config.Returns = true
				return
			}
		}
	}
}
