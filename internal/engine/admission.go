package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/admission"
)

// A run of a flow with limits waits from its beginning, and asks the gates of its flow to let it in, one after the other; when it has ended
// it leaves them, and those that are let in in its place are told. Each is a partition of its own: a run that waits goes on
// asking, and one that has ended goes on leaving, whatever crashes in between.

// admit asks the gates of a run to let it in. refused is the run that is in the way of one that will not be.
func (e *Engine) admit(ctx context.Context, run string) (refused string, err error) {
	fail := func(err error) (string, error) { return "", fmt.Errorf("admit run %s: %w", run, err) }
	s, gates, err := e.gates(ctx, run)
	if err != nil || s == nil || !s.Waits() {
		if err != nil {
			return fail(err)
		}
		return "", nil
	}
	var due time.Time
	for _, g := range gates {
		a, err := admission.Enter(ctx, e.Store, g, run)
		if err != nil {
			return fail(err)
		}
		for _, other := range a.Cancel {
			if err := e.CancelRun(ctx, other, admission.ReasonReplaced); err != nil && !errors.Is(err, adapter.ErrNotFound) {
				return fail(err)
			}
		}
		switch {
		case a.Refused:
			if err := e.CancelRun(ctx, run, a.Reason); err != nil {
				return fail(err)
			}
			return a.Holder, nil
		case !a.Again.IsZero():
			e.later(func(ctx context.Context) error {
				if !e.sleep(ctx, a.Again.Sub(e.now())) {
					return nil
				}
				_, err := e.admit(ctx, run)
				return err
			})
			return "", nil
		case !a.Inside:
			return "", nil
		}
		if a.Due.After(due) {
			due = a.Due
		}
	}
	if _, err := e.submit(ctx, run, flow.Admit{Due: due}); err != nil {
		return fail(err)
	}
	return "", nil
}

// leave takes a run that has ended out of the gates of its flow, and tells those that are let in in its place.
func (e *Engine) leave(ctx context.Context, run string) error {
	fail := func(err error) error { return fmt.Errorf("leave the limits of run %s: %w", run, err) }
	s, gates, err := e.gates(ctx, run)
	if err != nil {
		return fail(err)
	}
	if s == nil || !s.MustLeave() {
		return nil
	}
	for _, g := range gates {
		promoted, err := admission.Leave(ctx, e.Store, g, run)
		if err != nil {
			return fail(err)
		}
		for _, next := range promoted {
			e.later(func(ctx context.Context) error {
				_, err := e.admit(ctx, next)
				return err
			})
		}
	}
	if _, err := e.submit(ctx, run, flow.Left{}); err != nil {
		return fail(err)
	}
	return nil
}

// gates returns a run that is counted, and the gates of its flow. The state is nil for any other.
func (e *Engine) gates(ctx context.Context, run string) (*flow.State, []admission.Gate, error) {
	s, err := e.State(ctx, run)
	if errors.Is(err, adapter.ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil || s.Admission == nil {
		return nil, nil, err
	}
	def, err := e.defs.get(ctx, s.Definition)
	if err != nil || def.Limits() == nil {
		return nil, nil, err
	}
	return s, admission.Gates(s.Flow, s.Admission.Key, def.Limits()), nil
}

// inProgress returns the run that makes a start pointless: the one inside, where limits skip a start that finds its place taken.
// It saves making a run that would be refused; that is decided by the gate all the same.
func (e *Engine) inProgress(ctx context.Context, def *flow.Definition, input []byte, own string) (string, error) {
	l := def.Limits()
	if l == nil || l.WhenBusy != flow.BusySkip {
		return "", nil
	}
	key, err := def.LimitKey(input)
	if err != nil {
		return "", err
	}
	holder, err := admission.Holder(ctx, e.Store, admission.Gates(def.Name(), key, l)[0])
	if err != nil || holder == "" || holder == own {
		return "", err
	}
	s, err := e.State(ctx, holder)
	if errors.Is(err, adapter.ErrNotFound) || err == nil && s.Status.Ended() {
		return "", nil
	}
	return holder, err
}

// admissionAgain does what the limits of a flow still have to do for a run.
func (e *Engine) admissionAgain(run string, s *flow.State) {
	switch {
	case s.Waits():
		e.later(func(ctx context.Context) error {
			_, err := e.admit(ctx, run)
			return err
		})
	case s.MustLeave():
		e.later(func(ctx context.Context) error { return e.leave(ctx, run) })
	}
}
