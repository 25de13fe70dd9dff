package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"

	"github.com/nvent-go/nvent/adapter"
)

// Limit bounds the runs of the flow.
func Limit(l Limits) FlowOption {
	return func(c *FlowConfig) { c.Limits = &l }
}

// Admission is the place of a run among those that the limits of its flow count.
type Admission struct {
	Key   string `json:"key,omitempty"`   // of the run, by the limits' expression
	Waits bool   `json:"waits,omitempty"` // to be admitted
	Due   int64  `json:"due,omitempty"`   // it begins no earlier, Unix milliseconds
	Left  bool   `json:"left,omitempty"`  // it has ended, and is not counted any more
}

// restarted returns the place of a run that begins again: it is counted as it was, and does not wait.
func (a *Admission) restarted() *Admission {
	if a == nil {
		return nil
	}
	return &Admission{Key: a.Key, Left: a.Left}
}

// Waits reports whether the run has not begun, because it waits to be admitted.
func (s *State) Waits() bool {
	return s.Status == StatusRunning && s.Admission != nil && s.Admission.Waits
}

// MustLeave reports whether the run has ended, and may still be counted.
func (s *State) MustLeave() bool { return s.Status.Ended() && s.Admission != nil && !s.Admission.Left }

// Limits returns what bounds the runs, or nil. The caller must not change it.
func (d *Definition) Limits() *Limits { return d.wiring.Config.Limits }

// LimitKey returns the key by which the limits count a run with this input: "" if they have none.
func (d *Definition) LimitKey(input json.RawMessage) (string, error) {
	if d.limitKey == nil {
		return "", nil
	}
	v, err := decodeExact(input)
	var out any
	if err == nil {
		out, err = expr.Run(d.limitKey, inputEnv{Input: v})
	}
	var key string
	if err == nil {
		key, err = keyText(out)
	}
	if at, ok := errors.AsType[*file.Error](err); ok {
		err = errors.New(at.Message)
	}
	if err != nil {
		return "", fmt.Errorf("%w: key %q of the limits of flow %q: %w", adapter.ErrInvalid, d.Limits().Key, d.Name(), err)
	}
	return key, nil
}

// line makes a run wait to be admitted.
func (t *transition) line(b Beginning) error {
	key, err := t.def.LimitKey(b.Input)
	if err != nil {
		return err
	}
	t.s.Admission = &Admission{Key: key, Waits: true}
	if !b.Due.IsZero() {
		t.s.Admission.Due = b.Due.UnixMilli()
	}
	return nil
}

// Admit lets a run begin that waits. It is stale for any other.
type Admit struct {
	Due time.Time // it begins no earlier; zero: at once
}

func (a Admit) decide(t *transition) Verdict {
	if !t.s.Waits() {
		return Stale
	}
	due := a.Due
	if own := time.UnixMilli(t.s.Admission.Due); t.s.Admission.Due != 0 && own.After(due) {
		due = own
	}
	t.s.Admission = &Admission{Key: t.s.Admission.Key}
	t.record(adapter.Record{Type: RecordFlowAdmitted, Causes: []uint64{t.s.Input}})
	t.start(due)
	return Accepted
}

// Left says that the limits do not count a run any more, which has ended.
type Left struct{}

func (Left) decide(t *transition) Verdict {
	if !t.s.MustLeave() {
		return Stale
	}
	t.s.Admission = &Admission{Key: t.s.Admission.Key, Left: true}
	return Accepted
}

// checkLimits finds what is wrong with the limits of a flow.
func (a *analysis) checkLimits() {
	l := a.w.Config.Limits
	if l == nil {
		return
	}
	report := func(fix, format string, args ...any) {
		a.report(Problem{What: "config.limits: " + fmt.Sprintf(format, args...), Fix: fix})
	}
	check := func(suffix string, n int, r *Rate) {
		if n < 0 {
			report("use 1 or more, or 0 for any number", "maxRuns%s is %d", suffix, n)
		}
		if r != nil && (r.Starts < 1 || r.Per <= 0) {
			report("give starts and per, such as 10 and 1m", "rate%s is %d starts per %v", suffix, r.Starts, time.Duration(r.Per))
		}
	}
	check("", l.MaxRuns, l.Rate)
	check("PerKey", l.MaxRunsPerKey, l.RatePerKey)
	if l.Debounce < 0 {
		report("use 0 or more", "debounce is negative: %v", time.Duration(l.Debounce))
	}
	a.checkLimitKey(l, report)
	one := l.MaxRuns
	if l.Key != "" {
		one = l.MaxRunsPerKey
	}
	switch l.WhenBusy {
	case "", BusyWait:
	case BusySkip, BusyReplace:
		if one != 1 {
			report("set maxRuns to 1, or maxRunsPerKey if there is a key", "whenBusy %s is for limits of one run at once", l.WhenBusy)
		}
	default:
		report("use wait, skip or replace", "whenBusy %q is not known", l.WhenBusy)
	}
}

func (a *analysis) checkLimitKey(l *Limits, report func(fix, format string, args ...any)) {
	perKey := l.MaxRunsPerKey != 0 || l.RatePerKey != nil
	switch {
	case l.Key == "" && perKey:
		report("set key, such as input.customer", "maxRunsPerKey and ratePerKey need a key")
	case l.Key != "" && !perKey && l.Debounce == 0:
		report("set maxRunsPerKey, ratePerKey or debounce", "the key counts for nothing")
	case l.Key != "":
		var err error
		if a.limitKey, err = compileExpr(l.Key, inputEnv{}, []string{"input"}); err != nil {
			report("it is about the run's input: input.customer", "key `%s` does not compile: %v", l.Key, err)
		}
	}
}
