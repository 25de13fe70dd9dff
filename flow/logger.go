package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Logger returns the logger of the step that ctx belongs to. A line of level Info or above becomes a record of the run's
// log, some milliseconds later; every line goes to the engine's own logger too, with run, flow, step and attempt. Outside of
// a step it is [slog.Default].
func Logger(ctx context.Context) *slog.Logger {
	a, err := attemptOf(ctx)
	if err != nil {
		return slog.Default()
	}
	h := &stepHandler{attempt: a}
	if a.LogHandler != nil {
		h.next = a.LogHandler.WithAttrs([]slog.Attr{
			slog.String("run", a.RunID), slog.String("flow", a.Flow), slog.String("step", a.Step), slog.Int("attempt", a.Attempt),
		})
	}
	return slog.New(h)
}

// stepHandler writes lines to an attempt, and to the next handler if there is one.
type stepHandler struct {
	attempt *Attempt
	next    slog.Handler
	groups  []string  // open groups
	attrs   []grouped // of With, each in the groups that were open
}

type grouped struct {
	groups []string
	attrs  []slog.Attr
}

// Enabled implements [slog.Handler].
func (h *stepHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || (h.next != nil && h.next.Enabled(ctx, l))
}

// Handle implements [slog.Handler]. After the step has ended it returns [ErrStepEnded], and the line goes to the next handler
// only.
func (h *stepHandler) Handle(ctx context.Context, r slog.Record) error {
	var errs [2]error
	if r.Level >= slog.LevelInfo {
		errs[0] = h.attempt.Log(h.line(r))
	}
	if h.next != nil && h.next.Enabled(ctx, r.Level) {
		errs[1] = h.next.Handle(ctx, r)
	}
	return errors.Join(errs[:]...)
}

// WithAttrs implements [slog.Handler].
func (h *stepHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append(slices.Clip(h.attrs), grouped{h.groups, attrs})
	if h.next != nil {
		c.next = h.next.WithAttrs(attrs)
	}
	return &c
}

// WithGroup implements [slog.Handler].
func (h *stepHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	c := *h
	c.groups = append(slices.Clip(h.groups), name)
	if h.next != nil {
		c.next = h.next.WithGroup(name)
	}
	return &c
}

// line makes a log line that any store takes: attributes of the same name are merged, the last one wins.
func (h *stepHandler) line(r slog.Record) LogLine {
	l := LogLine{At: r.Time, Level: r.Level.String(), Message: clean(r.Message)}
	if l.At.IsZero() {
		l.At = time.Now()
	}
	object := map[string]any{}
	for _, g := range h.attrs {
		addAttrs(object, g.groups, g.attrs)
	}
	var own []slog.Attr
	r.Attrs(func(a slog.Attr) bool {
		own = append(own, a)
		return true
	})
	addAttrs(object, h.groups, own)
	if len(object) == 0 {
		return l
	}
	b, err := json.Marshal(object)
	if err == nil {
		err = h.attempt.check(b)
	}
	if err != nil { // the line itself must not be lost
		b = raw(map[string]string{"attrs dropped": clean(err.Error())})
	}
	l.Attrs = b
	return l
}

func addAttrs(object map[string]any, groups []string, attrs []slog.Attr) {
	if len(attrs) == 0 {
		return
	}
	for _, g := range groups {
		object = child(object, g)
	}
	for _, a := range attrs {
		v := a.Value.Resolve()
		switch {
		case a.Equal(slog.Attr{}):
		case v.Kind() == slog.KindGroup && a.Key == "":
			addAttrs(object, nil, v.Group())
		case v.Kind() == slog.KindGroup:
			addAttrs(object, []string{a.Key}, v.Group())
		default:
			object[clean(a.Key)] = attrValue(v)
		}
	}
}

// child returns the object under a key, which it makes if there is none.
func child(object map[string]any, key string) map[string]any {
	c, ok := object[clean(key)].(map[string]any)
	if !ok {
		c = map[string]any{}
		object[clean(key)] = c
	}
	return c
}

// attrValue returns a value as JSON can hold it.
func attrValue(v slog.Value) any {
	switch v.Kind() {
	case slog.KindBool, slog.KindInt64, slog.KindUint64:
		return v.Any()
	case slog.KindAny:
		if err, ok := v.Any().(error); ok {
			return clean(err.Error())
		}
		if b, err := json.Marshal(v.Any()); err == nil {
			return json.RawMessage(b)
		}
		return clean(fmt.Sprintf("%+v", v.Any()))
	case slog.KindFloat64:
		if b, err := json.Marshal(v.Float64()); err == nil {
			return json.RawMessage(b)
		}
	}
	return clean(v.String())
}

// clean replaces what JSON documents of some stores cannot hold.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
