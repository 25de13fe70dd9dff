package flow

import (
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// The rules of dispatching: what a worker does with a delivery, and what the reconciler does about a quiet run. They are
// pure, like the transitions, and explored together with them by an exhaustive search.

// MaxDeliveries is how many deliveries an attempt may use before it fails: the first one, and 5 after crashes.
const MaxDeliveries = 6

// MayRun reports whether a worker runs the handler for a delivery of t. Everything else it discards; resuming a paused run
// dispatches again.
func MayRun(s *State, t Token) bool { return s != nil && !s.Held() && s.Scheduled(t) != nil }

// SettleAs returns how a delivery is settled once the commit of its outcome is known to be applied, or known to be stale.
func SettleAs(v Verdict, failed bool) adapter.Verdict {
	switch {
	case v != Accepted:
		return adapter.Discard
	case failed:
		return adapter.Fail
	}
	return adapter.Complete
}

// Reconcile returns what the state of a job means for the open iteration that t names, or nil if the work merely waits. It
// infers nothing from what the queue says, except that the job will not bring an outcome any more. Only the job of an
// external step speaks for it. job is nil when the queue does not know it.
func (d *Definition) Reconcile(t Token, job *adapter.Job) Input {
	step := d.Step(t.Step)
	if job == nil {
		return Lost{Token: t, Deliveries: 1, Max: MaxDeliveries}
	}
	switch job.State {
	case adapter.JobCompleted:
		if step.External {
			return Outcome{Token: t, Result: job.Result}
		}
	case adapter.JobFailed:
		if step.External {
			return Outcome{Token: t, Err: &AttemptError{Message: job.Error, Final: true}}
		}
		return Lost{Token: t, Deliveries: job.Delivery, Max: MaxDeliveries}
	default:
		return nil
	}
	return Lost{Token: t, Deliveries: 1, Max: MaxDeliveries}
}

// How long a run is left alone before the reconciler looks at it, and how long at the most when it merely waits.
const (
	QuietFirst = 5 * time.Second
	QuietMost  = 10 * time.Minute
)

// waitingLooks is how often the reconciler looks at a run that waits for nothing but events from outside: an engine that
// died right after such an await began may not have looked for events that came before.
const waitingLooks = 2

// NextLook returns when the reconciler looks at the run if nothing happens: 5 s after the first of its dispatched work is
// due, doubling up to 10 min with each look. Zero: never, because nothing can get lost that moves it.
func (s *State) NextLook(now time.Time) time.Time {
	wait := QuietMost
	if s.Quiet < 7 {
		wait = min(QuietFirst<<s.Quiet, QuietMost)
	}
	if s.unfinished() {
		return now.Add(wait)
	}
	if s.Status.Ended() || s.Held() {
		return time.Time{}
	}
	var first int64
	busy, waits := s.Status == StatusCanceling, false
	for i := range s.Steps {
		for _, it := range s.Steps[i].Iters {
			switch it.Phase {
			case PhaseRun, PhaseChild:
				busy = true
				if first == 0 || it.RunAt < first {
					first = max(it.RunAt, 1)
				}
			case PhaseBefore, PhaseAfter:
				waits = true
			case PhaseDelay:
			}
		}
	}
	for _, g := range s.Groups {
		if g.Closed == 0 {
			busy, first = true, 1
		}
	}
	if !busy && !(waits && s.Quiet < waitingLooks) {
		return time.Time{}
	}
	if due := time.UnixMilli(first); due.After(now) {
		return due.Add(wait)
	}
	return now.Add(wait)
}

// unfinished reports whether other runs have to hear of this one, or to be started for it, whatever its status.
func (s *State) unfinished() bool {
	return len(s.Launches) > 0 || s.Status.Ended() && s.Parent != nil && !s.Parent.Told
}
