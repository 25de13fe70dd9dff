package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// attempt returns an attempt of step "s" of a run whose state holds the given documents.
func attempt(t *testing.T, docs map[string]string) (context.Context, *flow.Attempt) {
	t.Helper()
	a := &flow.Attempt{
		AttemptInfo: flow.AttemptInfo{RunID: "r", Flow: "f", Step: "s", Attempt: 2, Attempts: 3, Key: "r/s/0"},
		MayEmit:     func(e string) bool { return e == "order.placed" }, Declared: []string{"order.placed"}, MaxPayload: 100,
		ReadState: func(_ context.Context, key string) (json.RawMessage, error) {
			if key == "broken" {
				return nil, errors.New("store is away")
			}
			if d, ok := docs[key]; ok {
				return json.RawMessage(d), nil
			}
			return nil, nil
		},
	}
	return a.With(t.Context()), a
}

func wantError(t *testing.T, err error, is error, text string) {
	t.Helper()
	if err == nil || err.Error() != text || (is != nil && !errors.Is(err, is)) {
		t.Errorf("got error %v\nwant %s (matching %v)", err, text, is)
	}
}

func TestEmitWaitsInTheAttempt(t *testing.T) {
	t.Parallel()
	ctx, a := attempt(t, nil)
	if err := placed.Emit(ctx, order{"1"}); err != nil {
		t.Fatal(err)
	}
	c := a.End()
	if len(c.Emissions) != 1 || c.Emissions[0].Event != "order.placed" || string(c.Emissions[0].Payload) != `{"ID":"1"}` {
		t.Errorf("collected %+v", c.Emissions)
	}
	wantError(t, placed.Emit(ctx, order{"1"}), flow.ErrStepEnded, `emit "order.placed" from step "s": step has ended`)
}

func TestEmitRefusesNow(t *testing.T) {
	t.Parallel()
	ctx, a := attempt(t, nil)
	wantError(t, placed.Emit(t.Context(), order{}), flow.ErrNoStep,
		`emit "order.placed": context does not belong to a running step`)
	wantError(t, charged.Emit(ctx, receipt{}), flow.ErrUndeclared,
		`emit "order.charged" from step "s": event is not declared (it declares order.placed; add the event to its flow.Emits)`)
	wantError(t, placed.Emit(ctx, order{strings.Repeat("x", 100)}), adapter.ErrTooLarge, `emit "order.placed" from step "s": `+
		`payload of 109 bytes: too large (the limit is 100; pass a reference to the data instead, or raise limits.payload)`)
	wantError(t, flow.NewEvent[func()]("order.placed").Emit(ctx, nil), nil,
		`emit "order.placed" from step "s": encode func(): json: unsupported type: func()`)
	if err := placed.Emit(ctx, order{"\x00"}); !errors.Is(err, adapter.ErrInvalid) {
		t.Errorf("a payload with U+0000 gives %v", err)
	}
	if c := a.End(); len(c.Emissions) != 0 {
		t.Errorf("collected %+v", c.Emissions)
	}
}

func TestHandlersTakeTheirInputsInOrder(t *testing.T) {
	t.Parallel()
	ctx, _ := attempt(t, nil)
	in := func(payloads ...string) flow.Inputs {
		names := []string{"order.charged", "order.packed", "c", "d"}
		slots := make([]flow.InputSlot, len(payloads))
		for i, p := range payloads {
			slots[i] = flow.InputSlot{Event: names[i], Payload: json.RawMessage(p), Filled: p != ""}
		}
		return flow.NewInputs(slots...)
	}
	for _, c := range []struct {
		name string
		h    flow.Handler
		in   flow.Inputs
		want string
	}{
		{"one", flow.Func("h", func(_ context.Context, n int) (int, error) { return n + 1, nil }), in("1"), "2"},
		{"two", flow.Func2("h", ship), in(`{"ID":"r"}`, `{"ID":"p"}`), `{"Tracking":"r/p"}`},
		{"three", flow.Func3("h", func(_ context.Context, a, b, c string) (string, error) { return a + b + c, nil }),
			in(`"a"`, `"b"`, `"c"`), `"abc"`},
		{"four", flow.Func4("h", func(_ context.Context, a, b, c string, d any) (any, error) { return []any{a, b, c, d}, nil }),
			in(`"a"`, `"b"`, `"c"`, `null`), `["a","b","c",null]`},
		{"no result", flow.Func("h", ignore[any]), in("1"), "null"},
		{"raw", flow.Func("h", func(_ context.Context, r json.RawMessage) (json.RawMessage, error) { return r, nil }), in(`{"a":1}`), `{"a":1}`},
		{"some", flow.FuncN("h", func(_ context.Context, in flow.Inputs) (string, error) {
			_, missing := charged.From(in)
			p, ok := packed.From(in)
			if missing || !ok || len(in.Slots()) != 2 {
				return "", errors.New("wrong inputs")
			}
			return p.ID, nil
		}), in("", `{"ID":"p"}`), `"p"`},
	} {
		got, err := c.h.Call(ctx, c.in)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.name, got, err, c.want)
		}
	}
}

func TestHandlerErrorsThatNoRetryCures(t *testing.T) {
	t.Parallel()
	ctx, _ := attempt(t, nil)
	lines := flow.Func("h", ignore[struct{ Lines []struct{ N int } }])
	one := func(event, payload string) flow.Inputs {
		return flow.NewInputs(flow.InputSlot{Event: event, Payload: json.RawMessage(payload), Filled: true})
	}
	for _, c := range []struct {
		h    flow.Handler
		in   flow.Inputs
		want string
	}{
		{lines, one("order.placed", `{"Lines":[{"N":"x"}]}`), `decode event "order.placed" as struct { Lines []struct { N int } }: ` +
			`field "Lines.N" at byte 18 holds a JSON string where Go has int`},
		{flow.Func("h", ignore[int]), one("", `"x"`), `decode input of the flow as int: byte 3: a JSON string where Go has int`},
		{flow.Func("h", ignore[int]), one("e", `{`), `decode event "e" as int: byte 1: unexpected end of JSON input`},
		{flow.Func("h", ignore[int]), flow.NewInputs(), `call handler "h": it takes 1 input(s) and got 0`},
		{flow.Func[int, int]("h", nil), one("e", `1`), `call handler "h": it has no function`},
		{flow.Func("h", func(context.Context, int) (chan int, error) { return nil, nil }), one("e", `1`),
			`record result of handler "h" (chan int): json: unsupported type: chan int`},
		{flow.Func("h", func(context.Context, int) (string, error) { return strings.Repeat("x", 100), nil }), one("e", `1`),
			`record result of handler "h" (string): payload of 102 bytes: too large ` +
				`(the limit is 100; pass a reference to the data instead, or raise limits.payload)`},
		{flow.FuncN("h", func(_ context.Context, in flow.Inputs) (struct{}, error) {
			placed.From(in) // says false, and the handler does not care
			return struct{}{}, nil
		}), one("order.placed", `7`), `decode event "order.placed" as flow_test.order: byte 1: a JSON number where Go has flow_test.order`},
	} {
		_, err := c.h.Call(ctx, c.in)
		wantError(t, err, nil, c.want)
		if !flow.IsPermanent(err) {
			t.Errorf("%s: the error is not permanent", c.want)
		}
	}
}

func TestJoinOfGoDecodesItsInputsBeforeItBegins(t *testing.T) {
	t.Parallel()
	began := false
	f := flow.New[order, struct{}]("f")
	flow.Start(f, "place", place, flow.Emits(placed, charged))
	flow.JoinN(f, "any", 1, []flow.AnyEvent{placed, charged}, func(context.Context, flow.Inputs) (struct{}, error) {
		began = true
		return struct{}{}, nil
	})
	ctx, _ := attempt(t, nil)
	_, err := f.Handlers()[1].Call(ctx, flow.NewInputs(flow.InputSlot{Event: "order.placed"},
		flow.InputSlot{Event: "order.charged", Payload: json.RawMessage(`[]`), Filled: true}))
	if began || !flow.IsPermanent(err) {
		t.Errorf("began = %v, error %v", began, err)
	}
}

func TestMarksOfErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("no")
	if flow.Permanent(nil) != nil || flow.RetryAfter(nil, 1) != nil {
		t.Error("no error is marked")
	}
	err := errors.Join(errors.New("other"), flow.RetryAfter(flow.Permanent(cause), -time.Second))
	if d, ok := flow.RetryDelay(err); d != 0 || !ok {
		t.Errorf("RetryDelay = %v, %v", d, ok)
	}
	if !flow.IsPermanent(err) || !errors.Is(err, cause) || flow.Permanent(cause).Error() != "no" {
		t.Error("the mark hides the error")
	}
	if _, ok := flow.RetryDelay(cause); ok || flow.IsPermanent(cause) {
		t.Error("an error without marks has one")
	}
}

func TestStateIsReadWithTheAttemptsOwnChanges(t *testing.T) {
	t.Parallel()
	ctx, a := attempt(t, map[string]string{"n": "5", "s": `"old"`})
	get := func(key string, want any, exists bool) {
		t.Helper()
		v, ok, err := flow.Get[any](ctx, key)
		if err != nil || ok != exists || v != want {
			t.Errorf("Get(%q) = %v, %v, %v; want %v, %v", key, v, ok, err, want, exists)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	get("n", 5.0, true)
	get("none", nil, false)
	must(flow.Add(ctx, "n", 2))
	must(flow.Add(ctx, "n", -1))
	get("n", 6.0, true)
	must(flow.Set(ctx, "s", "new", flow.TTL(time.Minute)))
	get("s", "new", true)
	must(flow.Delete(ctx, "s"))
	get("s", nil, false)
	must(flow.Add(ctx, "s", 3))
	get("s", 3.0, true)
	c := a.End()
	var ops []string
	for _, op := range c.Ops {
		ops = append(ops, op.Op+" "+op.Key+" "+string(op.Value)+" "+time.Duration(op.TTL).String())
	}
	want := `add n 2 0s|add n -1 0s|set s "new" 1m0s|delete s  0s|add s 3 0s`
	if got := strings.Join(ops, "|"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	_, _, err := flow.Get[int](ctx, "n")
	wantError(t, err, flow.ErrStepEnded, `get state "n": step has ended`)
	wantError(t, flow.Set(ctx, "n", 1), flow.ErrStepEnded, `set state "n" from step "s": step has ended`)
}

func TestStateRefuses(t *testing.T) {
	t.Parallel()
	ctx, _ := attempt(t, map[string]string{"text": `"x"`})
	wantError(t, flow.Set(t.Context(), "k", 1), flow.ErrNoStep, `set state "k": context does not belong to a running step`)
	wantError(t, flow.Set(ctx, "", 1), nil, `set state "" from step "s": the key is empty: name the document`)
	wantError(t, flow.Delete(ctx, "a\n"), nil,
		`delete state "a\n" from step "s": the key has control characters or broken UTF-8: use printable characters`)
	wantError(t, flow.Set(ctx, "k", 1, flow.TTL(0)), nil,
		`set state "k": a TTL of 0s is no time to live: use more than 0, or leave it out`)
	wantError(t, flow.Set(ctx, "k", strings.Repeat("x", 99)), adapter.ErrTooLarge, `set state "k" from step "s": `+
		`payload of 101 bytes: too large (the limit is 100; pass a reference to the data instead, or raise limits.payload)`)
	_, _, err := flow.Get[int](ctx, "text")
	wantError(t, err, nil, `get state "text": decode as int: json: cannot unmarshal string into Go value of type int`)
	_, _, err = flow.Get[int](ctx, "broken")
	wantError(t, err, nil, `get state "broken": store is away`)
	if err := flow.Add(ctx, "text", 1); err != nil {
		t.Fatal(err)
	}
	_, _, err = flow.Get[int](ctx, "text")
	wantError(t, err, nil, `get state "text": "x" is not a number`)
}

func TestLoggerWritesToTheRunAndToTheEngine(t *testing.T) {
	t.Parallel()
	ctx, a := attempt(t, nil)
	var out strings.Builder
	a.LogHandler = slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	log := flow.Logger(ctx).With("a", 1).WithGroup("g").With("b", "x\x00")
	log.Debug("hidden")
	log.Info("hello", "b", time.Second, "err", errors.New("bad"), slog.Group("h", "c", []int{1}), "f", func() {})
	log.Warn("care")
	log.Error("long", "text", strings.Repeat("x", 200))
	c := a.End()
	var got []string
	for _, l := range c.Lines {
		got = append(got, l.Level+" "+l.Message+" "+string(l.Attrs))
		if l.At.IsZero() {
			t.Errorf("%s has no time", l.Message)
		}
	}
	if len(got) != 3 || !strings.HasPrefix(got[0], `INFO hello {"a":1,"g":{"b":"1s","err":"bad","f":"0x`) ||
		!strings.HasSuffix(got[0], `"h":{"c":[1]}}}`) || got[1] != `WARN care {"a":1,"g":{"b":"x`+"\uFFFD"+`"}}` ||
		!strings.HasPrefix(got[2], `ERROR long {"attrs dropped":"payload of 2`) {
		t.Errorf("lines:\n%s", strings.Join(got, "\n"))
	}
	if want := `level=WARN msg=care run=r flow=f step=s attempt=2 a=1 g.b="x\x00"` + "\n"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("the engine's logger got %s", out.String())
	}
	log.Warn("late")
	if !strings.Contains(out.String(), "msg=late") {
		t.Error("a line after the end is lost")
	}
	if flow.Logger(t.Context()) != slog.Default() {
		t.Error("outside of a step there is another logger than the default")
	}
}

func TestOptionsOfJobs(t *testing.T) {
	t.Parallel()
	retry, timeout, err := flow.ForJob(flow.Attempts(3, flow.Fixed(time.Second)), flow.Timeout(time.Minute))
	if err != nil || retry.Attempts != 3 || retry.Backoff != flow.Fixed(time.Second) || timeout != time.Minute {
		t.Errorf("got %+v, %v, %v", retry, timeout, err)
	}
	if retry, _, err := flow.ForJob(); err != nil || retry.Attempts != 1 {
		t.Errorf("no options give %+v, %v", retry, err)
	}
	_, _, err = flow.ForJob(flow.Emits(placed), flow.Each())
	wantError(t, err, nil, "options of a job: flow.Emits, flow.Each is for steps only; a job takes flow.Attempts and flow.Timeout")
	_, _, err = flow.ForJob(flow.Attempts(0, flow.Backoff{}))
	wantError(t, err, nil, "options of a job: it has 0 attempts (attempts are tries in total: use at least 1)")
}
