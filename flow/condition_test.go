package flow

import (
	"encoding/json"
	"strings"
	"testing"
)

// conditional returns a subscription with a condition, from event "a" to step "s".
func conditional(t *testing.T, condition string) subscription {
	t.Helper()
	d, err := Compile(Wiring{
		Name: "f",
		Steps: map[string]StepDefinition{
			"start": {Handler: "h", Config: StepConfig{Start: true, Emits: []string{"a"}}}, "s": {Handler: "h"},
		},
		Connections: []Connection{{From: "a", To: "s", Condition: condition}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d.subs["a"][0]
}

func TestConditionHolds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		condition, payload string
		want               bool
	}{
		{"", `{}`, true},
		{"payload.total > 100", `{"total":101}`, true},
		{"payload.total > 100", `{"total":100}`, false},
		{"payload.total > 100", `{"total":100.5}`, true},
		{"payload.id == 9007199254740993", `{"id":9007199254740993}`, true}, // float64 would round it
		{"payload.id == 9007199254740992", `{"id":9007199254740993}`, false},
		{"payload.n > 1e18", `{"n":18446744073709551615}`, true}, // beyond int64
		{"payload.a.b[1] == 'x'", `{"a":{"b":[0,"x"]}}`, true},
		{"payload?.a?.b == nil", `{}`, true},
		{"payload == nil", `null`, true},
		{"event == 'a' && payload", `true`, true},
		{"len(payload) == 2", `[1,2]`, true},
		{"payload.kind in ['x', 'y']", `{"kind":"y"}`, true},
		{"any(payload.lines, .n > 5)", `{"lines":[{"n":1},{"n":6}]}`, true},
	} {
		got, err := conditional(t, c.condition).holds("a", json.RawMessage(c.payload))
		if err != nil || got != c.want {
			t.Errorf("%s over %s = %v, %v; want %v", c.condition, c.payload, got, err, c.want)
		}
	}
}

func TestConditionThatCannotBeDecidedNamesItsConnection(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ condition, payload, want string }{
		{"payload.a.b > 1", `{}`, "cannot fetch b from <nil>"},
		{"payload.a", `{"a":3}`, "invalid operation: bool(int64)"},
		{"payload.a > 1", `{"a":"x"}`, "invalid operation: string > int"},
		{"payload.a > 1", `{"a":1e999}`, "number 1e999 is out of range"},
		{"payload.a > 1", `{`, "decode payload: unexpected EOF"},
		{"len(1..10000000) > payload.a", `{"a":1}`, "memory budget exceeded"},
	} {
		_, err := conditional(t, c.condition).holds("a", json.RawMessage(c.payload))
		if err == nil {
			t.Errorf("%s over %s is decided", c.condition, c.payload)
			continue
		}
		where := "evaluate condition \"" + c.condition + "\" of the connection from \"a\" to step \"s\": "
		if got := err.Error(); !strings.HasPrefix(got, where) || !strings.Contains(got, c.want) {
			t.Errorf("%s over %s:\n got %s\nwant %s...%s", c.condition, c.payload, got, where, c.want)
		}
	}
}

func FuzzCondition(f *testing.F) {
	for _, c := range [][2]string{
		{"payload.total > 100", `{"total":101}`}, {"event matches '^a'", `null`}, {"payload | filter(# > 1) | len() > 2", `[1,2,3]`},
		{"let x = payload; x.a ?? true", `{"a":null}`}, {"((((", `{}`}, {"payload[1:2] == [2]", `[1,2]`}, {"sum(payload) / 0 > 1", `[1]`},
	} {
		f.Add(c[0], c[1])
	}
	step := &Step{Name: "s", Slots: []Slot{{Event: "a"}}}
	f.Fuzz(func(t *testing.T, condition, payload string) {
		p, err := compileCondition(condition)
		if err != nil {
			if err.Error() == "" {
				t.Error("the error says nothing")
			}
			return
		}
		sub := subscription{step: step, cond: p}
		first, err1 := sub.holds("a", json.RawMessage(payload))
		second, err2 := sub.holds("a", json.RawMessage(payload))
		if first != second || (err1 == nil) != (err2 == nil) {
			t.Errorf("%q over %q is %v, %v and then %v, %v", condition, payload, first, err1, second, err2)
		}
	})
}
