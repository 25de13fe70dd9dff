package flow_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nvent-go/nvent/flow"
)

func TestBackoffHasThreeForms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]flow.Backoff{
		`500`:                          flow.Fixed(500 * time.Millisecond),
		`"2s"`:                         flow.Fixed(2 * time.Second),
		`0`:                            {},
		`{}`:                           {},
		`{"kind":"fixed","base":1500}`: flow.Fixed(1500 * time.Millisecond),
		`{"kind":"exponential","base":"1s","max":"1m","jitter":0.2}`: flow.Exponential(time.Second).WithMax(time.Minute).WithJitter(0.2),
	} {
		var b flow.Backoff
		if err := json.Unmarshal([]byte(text), &b); err != nil || b != want {
			t.Errorf("%s as JSON is %+v, %v; want %+v", text, b, err, want)
		}
		doc := `{"name":"f","steps":{"s":{"retry":{"attempts":2,"backoff":` + text + `}}}}`
		w, err := flow.ParseWiring([]byte(doc), "f.yaml")
		if err != nil || w.Steps["s"].Retry.Backoff != want {
			t.Errorf("%s in a document is %+v, %v; want %+v", text, w.Steps["s"].Retry, err, want)
		}
	}
}

func TestDurationRefusesWhatIsNoDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`-1`:            `duration -1 ms is negative`,
		`"-1s"`:         `duration "-1s" is negative`,
		`9223372036855`: `duration 9.223372036855e+12 ms is out of range: use 0 to 292 years`,
		`"soon"`:        `duration "soon" is not understood: write it like "1m30s", or as a number of milliseconds`,
		`[1]`:           `duration [1] is not understood: write it like "1m30s", or as a number of milliseconds`,
	} {
		var d flow.Duration
		if err := json.Unmarshal([]byte(text), &d); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestJoinsOfThreeAndFour(t *testing.T) {
	t.Parallel()
	f := flow.New[order, string]("f")
	a, b, c, e := flow.NewEvent[int]("a"), flow.NewEvent[string]("b"), flow.NewEvent[bool]("c"), flow.NewEvent[[]int]("d")
	flow.Start(f, "start", place, flow.Emits(placed, a, b, c, e))
	flow.Join3(f, "three", a, b, c, func(context.Context, int, string, bool) (string, error) { return "", nil })
	four := flow.Join4(f, "four", a, b, c, e, func(context.Context, int, string, bool, []int) (string, error) { return "", nil })
	flow.Returns(f, four)
	d, err := f.Definition()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := flow.Bind(d, f.Handlers()); err != nil {
		t.Error(err)
	}
	if f.Name() != "f" || four.Name() != "four" || d.Returns() != d.Step("four") || !d.Step("start").MayEmit("a") || len(d.Step("three").Slots) != 3 {
		t.Errorf("got %+v", d.Wiring())
	}
}

func TestHandlersKnowTheirAttempt(t *testing.T) {
	t.Parallel()
	ctx, a := attempt(t, nil)
	info, ok := flow.Info(ctx)
	if !ok || info.Step != "s" || info.Attempt != 2 || flow.Key(ctx) != "r/s/0" {
		t.Errorf("Info = %+v, %v", info, ok)
	}
	if _, ok := flow.Info(t.Context()); ok || flow.Key(t.Context()) != "" {
		t.Error("a context without a step has an attempt")
	}
	log := flow.Logger(ctx)
	log.Info("one")
	taken := a.TakeLines()
	log.Info("two")
	a.PutBackLines(taken)
	if lines := a.End().Lines; len(lines) != 2 || lines[0].Message != "one" || lines[1].Message != "two" {
		t.Errorf("lines are %+v", lines)
	}
}

// chain returns a flow of steps that follow one another.
func chain(steps int, config func(i int) flow.StepConfig) flow.Wiring {
	w := flow.Wiring{Name: "long", Steps: map[string]flow.StepDefinition{}}
	name := func(i int) string { return "s" + strconv.Itoa(i) }
	for i := range steps {
		w.Steps[name(i)] = flow.StepDefinition{Handler: "h", Config: config(i)}
		if i > 0 {
			w.Connections = append(w.Connections, flow.Connection{From: flow.StepEvent(name(i - 1)), To: name(i)})
		}
	}
	return w
}

func TestLongFlows(t *testing.T) {
	t.Parallel()
	d, err := flow.Compile(chain(2000, func(i int) flow.StepConfig { return flow.StepConfig{Start: i == 0} }))
	if err != nil || len(d.Steps()) != 2000 {
		t.Fatal(err)
	}
	_, err = flow.Compile(chain(100, func(i int) flow.StepConfig { return flow.StepConfig{Start: i == 0, OnFailure: "panic"} }))
	if err == nil || strings.Count(err.Error(), "\n") != 31 || !strings.HasSuffix(err.Error(), "\n  - and 70 more") {
		t.Errorf("100 problems are listed as %v", err)
	}
}
