package flow

import (
	"fmt"
	"strings"
	"time"
)

// Option sets a property of a step.
type Option struct {
	name  string
	job   bool // makes sense for a job too
	apply func(s *stepDraft)
}

// Emits declares the events that the step may emit.
func Emits(events ...AnyEvent) Option {
	return Option{name: "Emits", apply: func(s *stepDraft) { s.emits = append(s.emits, events...) }}
}

// EmitsAll declares events that the step may emit for many items at once, with [Event.EmitAll]: each item is a branch of its
// own. A step that is added with [Collect] gets what the branches emit.
func EmitsAll(events ...AnyEvent) Option {
	return Option{name: "EmitsAll", apply: func(s *stepDraft) { s.emitsAll = append(s.emitsAll, events...) }}
}

// Parallel bounds how many items of a group that reach the step, or how many of its iterations with [Each], are in progress
// at once. The others follow as these end. Without it 256 items are in progress at once, and any number of iterations.
func Parallel(n int) Option {
	return Option{name: "Parallel", apply: func(s *stepDraft) {
		s.def.Config.Parallel = n
		if n < 1 {
			s.def.Config.Parallel = -1 // is reported
		}
	}}
}

// Partial lets a step that is added with [Collect] run although some items have failed: they are missing, each with the reason.
// Without it the final failure of an item fails the run.
func Partial() Option {
	return Option{name: "Partial", apply: func(s *stepDraft) { s.def.Config.Partial = true }}
}

// Delay lets the step begin that long after its event.
func Delay(d time.Duration) Option {
	return Option{name: "Delay", apply: func(s *stepDraft) { s.delay = d }}
}

// Until lets the step begin at a time that an expression over `payload` and `event` gives: an RFC 3339 time, or Unix
// milliseconds. A time that is past is now.
func Until(expr string) Option {
	return Option{name: "Until", apply: func(s *stepDraft) { s.until = expr }}
}

// Attempts sets how often the step is tried in total, and how long to wait in between. Without it a step has one attempt.
func Attempts(n int, b Backoff) Option {
	return Option{name: "Attempts", job: true, apply: func(s *stepDraft) { s.def.Retry = &Retry{Attempts: n, Backoff: b} }}
}

// Fixed is a back-off of d after every attempt.
func Fixed(d time.Duration) Backoff { return Backoff{Kind: BackoffFixed, Base: Duration(d)} }

// Exponential is a back-off that doubles: base, 2 base, 4 base, and so on.
func Exponential(base time.Duration) Backoff {
	return Backoff{Kind: BackoffExponential, Base: Duration(base)}
}

// WithMax returns b with a longest delay.
func (b Backoff) WithMax(d time.Duration) Backoff {
	b.Max = Duration(d)
	return b
}

// WithJitter returns b with the given part of each delay, from 0 to 1, made random.
func (b Backoff) WithJitter(part float64) Backoff {
	b.Jitter = part
	return b
}

// Timeout bounds each attempt. When it has passed the handler's context ends, and the attempt counts as failed.
func Timeout(d time.Duration) Option {
	return Option{name: "Timeout", job: true, apply: func(s *stepDraft) { s.def.Config.Timeout = Duration(d) }}
}

// Queue puts the step's jobs into a queue of that name, in place of the one named like the flow.
func Queue(name string) Option {
	return Option{name: "Queue", apply: func(s *stepDraft) { s.def.Config.Queue = name }}
}

// ContinueOnFailure lets the run go on when the step has failed for good. What waits for the step's result is skipped.
func ContinueOnFailure() Option {
	return Option{name: "ContinueOnFailure", apply: func(s *stepDraft) { s.def.Config.OnFailure = OnFailureContinue }}
}

// External leaves the step to foreign workers of its queue; what the queue says of the job becomes the outcome. The handler
// must be nil.
func External() Option {
	return Option{name: "External", apply: func(s *stepDraft) { s.def.Config.External = true }}
}

// When takes the step's connection only if an expression over `payload` and `event` is true: `payload.total > 100`. For a
// step with several connections see [WhenEvent].
func When(expr string) Option {
	return Option{name: "When", apply: func(s *stepDraft) { s.conditions = append(s.conditions, condition{expr: expr}) }}
}

// WhenEvent is [When] for the connection from one of the events that a join waits for.
func WhenEvent(event AnyEvent, expr string) Option {
	return Option{name: "WhenEvent", apply: func(s *stepDraft) {
		s.conditions = append(s.conditions, condition{event: event, named: true, expr: expr})
	}}
}

// condition is a When or a WhenEvent.
type condition struct {
	event AnyEvent
	named bool
	expr  string
}

// Each runs the step once for every event, and not only for the first one of a run. It is not for joins.
func Each() Option {
	return Option{name: "Each", apply: func(s *stepDraft) { s.repeat = append(s.repeat, RepeatEach) }}
}

// First says that the first event counts and that later ones are recorded as ignored. That is the default; a join of an event
// that several steps emit has to say it.
func First() Option {
	return Option{name: "First", apply: func(s *stepDraft) { s.repeat = append(s.repeat, RepeatFirst) }}
}

// ForJob returns what options say about a job that is not a step: [Attempts] and [Timeout]. Any other option is an error.
func ForJob(options ...Option) (retry Retry, timeout time.Duration, err error) {
	var s stepDraft
	var wrong []string
	for _, o := range options {
		switch {
		case o.apply == nil:
		case o.job:
			o.apply(&s)
		default:
			wrong = append(wrong, o.name)
		}
	}
	if len(wrong) > 0 {
		return Retry{}, 0, fmt.Errorf("options of a job: flow.%s is for steps only; a job takes flow.Attempts and flow.Timeout",
			strings.Join(wrong, ", flow."))
	}
	retry = Retry{Attempts: 1}
	if s.def.Retry != nil {
		retry = *s.def.Retry
	}
	for _, p := range checkRetry(retry, s.def.Config.Timeout) {
		return Retry{}, 0, fmt.Errorf("options of a job: %s", p.text())
	}
	return retry, time.Duration(s.def.Config.Timeout), nil
}
