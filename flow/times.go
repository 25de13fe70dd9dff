package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/internal/document"
)

// inputEnv is what the key of an await can see.
type inputEnv struct {
	Input any `expr:"input"`
}

// latest bounds the times that expressions may give: Unix milliseconds of the year 9999.
var latest = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// evalTime evaluates an expression that gives a time: an RFC 3339 string, or Unix milliseconds.
func evalTime(p program, text, event string, payload json.RawMessage) (time.Time, error) {
	fail := func(err error) (time.Time, error) {
		if at, ok := errors.AsType[*file.Error](err); ok {
			err = errors.New(at.Message)
		}
		return time.Time{}, fmt.Errorf("evaluate until %q: %w", text, err)
	}
	v, err := decodeExact(payload)
	if err != nil {
		return fail(err)
	}
	out, err := expr.Run(p, conditionEnv{Payload: v, Event: event})
	if err != nil {
		return fail(err)
	}
	var at time.Time
	switch v := out.(type) {
	case string:
		if at, err = time.Parse(time.RFC3339Nano, v); err != nil {
			return fail(fmt.Errorf("%q is not a time: write it like 2006-01-02T15:04:05Z", v))
		}
	case int64:
		at = time.UnixMilli(v)
	case int:
		at = time.UnixMilli(int64(v))
	case float64:
		if v != v || v < -1e15 || v > 1e15 {
			return fail(fmt.Errorf("%v is out of range for Unix milliseconds", v))
		}
		at = time.UnixMilli(int64(v))
	case time.Time:
		at = v
	default:
		return fail(fmt.Errorf("it gives a %T, and neither an RFC 3339 time nor Unix milliseconds", out))
	}
	if at.After(latest) {
		return fail(fmt.Errorf("%v is later than the year 9999", at))
	}
	return at, nil
}

// compileTime compiles an expression that gives a time.
func compileTime(text string) (program, error) {
	p, err := compileExpr(text, conditionEnv{}, []string{"payload", "event"})
	if err != nil {
		return nil, err
	}
	switch t := p.Node().Type(); {
	case t == nil || t == reflect.TypeFor[time.Time]():
	case t.Kind() == reflect.Bool || t.Kind() == reflect.Map || t.Kind() == reflect.Slice || t.Kind() == reflect.Struct:
		return nil, fmt.Errorf("its result is of type %s, and no time", t)
	}
	return p, nil
}

const timeFix = "it gives an RFC 3339 time or Unix milliseconds, such as payload.dueAt; a duration is set with "

// checkUntil compiles an expression that gives a time, and reports what is wrong with it. instead names the key for a
// duration.
func checkUntil(text, instead string, report func(what, near, fix string)) program {
	if strings.TrimSpace(text) == "" {
		report("its until is blank", "", "write an expression, or drop it")
		return nil
	}
	p, err := compileTime(text)
	if err != nil {
		report(fmt.Sprintf("until `%s` does not compile: %s", text, err), "", timeFix+instead)
	}
	return p
}

// checkTimes checks the delay of a connection.
func (a *analysis) checkTimes(i int, c Connection, report func(what, near, fix string)) {
	if a.untils == nil {
		a.untils = make([]program, len(a.w.Connections))
	}
	if c.Delay < 0 {
		report(fmt.Sprintf("its delay is negative: %s", time.Duration(c.Delay)), "", "use 0 or more")
	}
	if c.Repeat == RepeatCollect && (c.Delay != 0 || c.Until != "") {
		report("it collects, and has a delay", "", "drop delay and until; a collecting step runs when no more can come")
	}
	if c.Until != "" {
		a.untils[i] = checkUntil(c.Until, "delay", report)
	}
}

// checkAwaits checks and compiles what a step waits for.
func (a *analysis) checkAwaits(name string, s StepDefinition) {
	a.checkAwait(name, "before", s.Config.AwaitBefore)
	a.checkAwait(name, "after", s.Config.AwaitAfter)
}

func (a *analysis) checkAwait(name, position string, w *Await) {
	if w == nil {
		return
	}
	key := "config.await" + strings.ToUpper(position[:1]) + position[1:]
	report := func(what, near, fix string) {
		a.report(Problem{Step: name, What: key + ": " + what, Near: near, Fix: fix})
	}
	types := []string{AwaitTime, AwaitEvent, AwaitSignal, AwaitSchedule}
	c := &awaiting{Await: *w}
	has := func(field string, set bool, types ...string) {
		if set && !slices.Contains(types, w.Type) {
			report(fmt.Sprintf("an await of type %s has no %s", w.Type, field), "", fmt.Sprintf("drop it; it belongs to type %s", orList(types)))
		}
	}
	switch w.Type {
	case AwaitTime:
		switch {
		case w.For == 0 && w.Until == "":
			report("it does not say how long to wait", "", "set for to a duration, or until to an expression that gives a time")
		case w.For != 0 && w.Until != "":
			report("it has both for and until", "", "keep one")
		}
		if w.Until != "" {
			c.until = checkUntil(w.Until, "for", report)
			if position == "before" {
				a.checkUntilBefore(name, report)
			}
		}
	case AwaitEvent:
		if w.Event == "" {
			report("it does not say which event", "", "set event to its name; in Go, pass one of flow.NewEvent to flow.ForEvent")
		} else if what, fix := badEvent(w.Event); what != "" {
			report(what, "", fix)
		}
		if (w.Field == "") != (w.Key == "") {
			report("field and key go together", "", "set field to a field of the event and key to what it must be: input.orderId; or drop both")
		}
		if w.Key != "" {
			var err error
			if c.key, err = compileExpr(w.Key, inputEnv{}, []string{"input"}); err != nil {
				report(fmt.Sprintf("key `%s` does not compile: %s", w.Key, err), "", "it is about the run's input: input.orderId")
			}
		}
	case AwaitSignal:
	case AwaitSchedule:
		var err error
		if c.next, err = nextTick(w.Cron, w.Zone); err != nil {
			report(err.Error(), "", "write it like \"0 9 * * MON-FRI\", and the zone like \"Europe/Oslo\"")
		}
	default:
		near := document.Nearest(w.Type, types)
		what := fmt.Sprintf("its type is %q", w.Type)
		if w.Type == "" {
			what = "it has no type"
		}
		report(what, near, "use "+orList(types))
		return
	}
	has("for", w.For != 0, AwaitTime)
	has("until", w.Until != "", AwaitTime)
	has("event", w.Event != "", AwaitEvent)
	has("field", w.Field != "", AwaitEvent)
	has("lookBack", w.LookBack != 0, AwaitEvent)
	has("cron", w.Cron != "", AwaitSchedule)
	has("zone", w.Zone != "", AwaitSchedule)
	has("timeout", w.Timeout != 0, AwaitEvent, AwaitSignal)
	has("onTimeout", w.OnTimeout != "", AwaitEvent, AwaitSignal)
	has("default", w.Default != nil, AwaitEvent, AwaitSignal)
	for _, d := range []struct {
		key   string
		value Duration
	}{{"for", w.For}, {"timeout", w.Timeout}, {"lookBack", w.LookBack}} {
		if d.value < 0 {
			report(fmt.Sprintf("%s is negative: %s", d.key, time.Duration(d.value)), "", "use more than 0")
		}
	}
	if w.LookBack > Duration(MaxLookBack) {
		report(fmt.Sprintf("lookBack is %v", time.Duration(w.LookBack)), "", fmt.Sprintf("events are kept for %v: use at most that", MaxLookBack))
	}
	policies := []string{TimeoutFail, TimeoutContinue, TimeoutRetry}
	if w.OnTimeout != "" && !a.checkChoice(name, key+".onTimeout", w.OnTimeout, policies...) {
		return
	}
	if w.OnTimeout != "" && w.Timeout == 0 {
		report("it has onTimeout but no timeout", "", "set timeout")
	}
	if w.Default != nil && w.OnTimeout != TimeoutContinue {
		report("it has a default, which only onTimeout: continue needs", "", "drop it, or set onTimeout to continue")
	}
	if w.Default != nil {
		if adapter.Validate(w.Default) != nil {
			report(fmt.Sprintf("its default is no JSON value: %.100s", w.Default), "", "use a value that encodes as JSON")
		}
	}
	a.awaits[name+"/"+position] = c
}

// MaxLookBack is how long events from outside are kept for awaits that begin later.
const MaxLookBack = 7 * 24 * time.Hour

// checkUntilBefore: the payload that a time before a step is about must be at hand when the wait begins.
func (a *analysis) checkUntilBefore(name string, report func(what, near, fix string)) {
	n := 0
	for _, c := range a.w.Connections {
		if c.To == name {
			n++
			if c.Delay != 0 || c.Until != "" || c.Repeat == RepeatCollect || a.w.Steps[name].Config.Parallel > 0 {
				report("until needs the payload of the step's event, and its connection is delayed, collected or windowed", "",
					"put until on the connection, or wait before another step")
				return
			}
		}
	}
	if n == 0 {
		report("until is about the payload of the step's event, and a start step has none", "", "use for; to begin a run later, use nvent.WithStartAt")
	} else if n != 1 {
		report(fmt.Sprintf("until is about the payload of the step's event, and the step has %d connections", n), "",
			"put until on a connection, or use for")
	}
}

// awaitKeys takes from the input of a run what the events that it awaits must carry.
func (d *Definition) awaitKeys(input json.RawMessage) (map[string]string, error) {
	var keys map[string]string
	var v any
	for _, s := range d.steps {
		for phase, a := range s.awaits() {
			if a.key == nil {
				continue
			}
			if keys == nil {
				keys = map[string]string{}
				var err error
				if v, err = decodeExact(input); err != nil {
					return nil, err
				}
			}
			out, err := expr.Run(a.key, inputEnv{Input: v})
			if err == nil {
				keys[awaitKey(s.Name, phase)], err = keyText(out)
			}
			if at, ok := errors.AsType[*file.Error](err); ok {
				err = errors.New(at.Message)
			}
			if err != nil {
				return nil, fmt.Errorf("%w: key %q of the event that step %q awaits: %w", adapter.ErrInvalid, a.Key, s.Name, err)
			}
		}
	}
	return keys, nil
}

// keyText returns the value of a key as [FieldText] returns that of a field.
func keyText(v any) (string, error) {
	b, err := json.Marshal(map[string]any{"k": v})
	if err != nil {
		return "", err
	}
	text, ok := FieldText(b, "k")
	if !ok {
		return "", fmt.Errorf("it is %v, and neither text, a number, nor true or false", v)
	}
	return text, nil
}
