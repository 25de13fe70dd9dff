package flow

import (
	"context"
	"fmt"
	"reflect"
)

// Call adds a step that runs another flow: it starts a run of child and ends when that has ended, with its result. No worker
// is held meanwhile. in makes the child's input of the event, and runs like a handler; nil passes the event on as it is. When
// the child fails or is cancelled the step fails; [Attempts] starts another child after a failure. Cancelling the run cancels
// the child.
func Call[E, CI, CO any](
	f AnyFlow, name string, e *Event[E], child *Flow[CI, CO], in func(context.Context, E) (CI, error), o ...Option,
) *StepRef[CO] {
	d := f.draft()
	var h Handler
	if in != nil {
		h = Func(d.handlerName(name), in)
	}
	s := d.add(name, h, []AnyEvent{e}, o)
	if child == nil {
		d.problem(name, "flow.Call got nil instead of a flow", "pass the flow that it calls")
		s.def.Config.Flow = d.name // stands in, so that nothing is reported that follows from this
		return &StepRef[CO]{d, name}
	}
	s.def.Config.Flow = child.Name()
	if in == nil && !fits(reflect.TypeFor[E](), reflect.TypeFor[CI]()) {
		d.problem(name, fmt.Sprintf("it passes %s on to flow %q, which takes %s", reflect.TypeFor[E](), child.Name(), reflect.TypeFor[CI]()),
			"pass a function that makes the one of the other")
	}
	return &StepRef[CO]{d, name}
}

// Launch starts a run of a flow that nobody waits for, with v as input, if and only if the attempt succeeds. It does not
// block. The flow must be known to the instance that starts it.
func Launch[In, Out any](ctx context.Context, f *Flow[In, Out], v In) error {
	return LaunchFlow(ctx, f.Name(), v)
}

// LaunchFlow is [Launch] by the name of the flow.
func LaunchFlow(ctx context.Context, name string, v any) error {
	a, err := attemptOf(ctx)
	if err != nil {
		return fmt.Errorf("launch flow %q: %w", name, err)
	}
	b, err := encode(v)
	if err == nil {
		err = a.check(b)
	}
	if what := badName(name); err == nil && what != "" {
		err = fmt.Errorf("its name %s: %s", what, nameFix)
	}
	if err != nil {
		return fmt.Errorf("launch flow %q from step %q: %w", name, a.Step, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return fmt.Errorf("launch flow %q from step %q: %w", name, a.Step, ErrStepEnded)
	}
	a.launches = append(a.launches, NewLaunch{name, b})
	return nil
}
