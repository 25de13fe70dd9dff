package enginetest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/enginetest"
)

// parse reads records, one a line: seq type step [data] [<- causes].
func parse(t testing.TB, lines ...string) []adapter.Record {
	t.Helper()
	var records []adapter.Record
	for _, l := range lines {
		var r adapter.Record
		what, causes, _ := strings.Cut(l, " <- ")
		f := strings.SplitN(what, " ", 4)
		if _, err := fmt.Sscan(f[0], &r.Seq); err != nil {
			t.Fatal(err)
		}
		r.Type, r.Epoch, r.Scope, r.Attempt = f[1], 1, "/", 1
		if len(f) > 2 {
			r.Step = f[2]
		}
		if len(f) > 3 {
			r.Data = json.RawMessage(f[3])
		}
		for c := range strings.FieldsSeq(causes) {
			var seq uint64
			if _, err := fmt.Sscan(c, &seq); err != nil {
				t.Fatal(err)
			}
			r.Causes = append(r.Causes, seq)
		}
		records = append(records, r)
	}
	return records
}

func TestDiff(t *testing.T) {
	t.Parallel()
	base := []string{"1 flow.started", "2 step.completed a 1 <- 1", "3 step.completed b 2 <- 1", "4 step.completed c 3 <- 2 3",
		`5 flow.completed - {"result":4} <- 4`}
	for _, c := range []struct {
		name string
		got  []string
		want string
	}{
		{"the same", base, ""},
		{"another order, with what does not count", []string{"1 flow.started", "2 step.started b {} <- 1", "3 step.completed b 2.0 <- 1",
			"4 step.retry a {} <- 1", "5 step.completed a 1 <- 1", "6 log c {} <- 5 3", "7 step.completed c 3 <- 5 3",
			`8 flow.completed - {"result":7} <- 7`}, ""},
		{"other data", []string{base[0], "2 step.completed a 9 <- 1", base[2], base[3], base[4]},
			"- step.completed a 1  ← flow.started\n+ step.completed a 9  ← flow.started\n" +
				"- step.completed c 3  ← step.completed a 1, step.completed b 2\n+ step.completed c 3  ← step.completed a 9, step.completed b 2\n"},
		{"a cause is missing", []string{base[0], base[1], base[2], "4 step.completed c 3 <- 2", base[4]},
			"- step.completed c 3  ← step.completed a 1, step.completed b 2\n+ step.completed c 3  ← step.completed a 1\n"},
		{"a record is missing", base[:4],
			"- flow.completed - {\"result\":\"step.completed c 3\"}  ← step.completed c 3\n"},
		{"a record too many", append(base[:4:4], "5 step.completed b 2 <- 1", `6 flow.completed - {"result":4} <- 4`),
			"+ step.completed b 2  ← flow.started\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := enginetest.Diff(parse(t, base...), parse(t, c.got...)); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

// TestDiffSeesThePast: two pairs of records that say the same, crossed over.
func TestDiffSeesThePast(t *testing.T) {
	t.Parallel()
	head := []string{"1 flow.started", "2 emit a 1 <- 1", "3 emit a 2 <- 1", "4 step.completed b 0 <- 2", "5 step.completed b 0 <- 3",
		"6 step.completed c 1 <- 4"}
	straight, crossed := append(head[:6:6], "7 step.completed c 2 <- 5"), append(head[:5:5], "6 step.completed c 1 <- 5", "7 step.completed c 2 <- 4")
	if enginetest.Diff(parse(t, straight...), parse(t, straight...)) != "" {
		t.Error("a log differs from itself")
	}
	if enginetest.Diff(parse(t, straight...), parse(t, crossed...)) == "" {
		t.Error("what led to a record does not matter")
	}
}

func TestDiffRuns(t *testing.T) {
	t.Parallel()
	a := enginetest.RunLog{Flow: "f", Records: parse(t, "1 flow.started", "2 flow.completed - {} <- 1")}
	b := enginetest.RunLog{Flow: "f", Records: parse(t, "1 flow.started", "2 flow.failed - {} <- 1")}
	other := enginetest.RunLog{Flow: "g", Records: a.Records}
	for _, c := range []struct {
		name      string
		want, got []enginetest.RunLog
		says      string
	}{
		{"in another order", []enginetest.RunLog{a, b, other}, []enginetest.RunLog{other, b, a}, ""},
		{"one differs", []enginetest.RunLog{a, a}, []enginetest.RunLog{a, b}, `a run of flow "f" differs`},
		{"one is missing", []enginetest.RunLog{a, other}, []enginetest.RunLog{a}, `a run of flow "g" is missing`},
		{"one too many", []enginetest.RunLog{a}, []enginetest.RunLog{a, a}, `one more run of flow "f"`},
	} {
		if got := enginetest.DiffRuns(c.want, c.got); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: got %q, want it to say %q", c.name, got, c.says)
		}
	}
}

func TestCheckLog(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		says string
		log  []string
	}{
		{"", []string{"1 flow.started", "2 step.completed a 1 <- 1", "3 flow.completed"}},
		{"no end", nil},
		{"no end", []string{"1 flow.started"}},
		{"has seq 3", []string{"1 flow.started", "3 flow.completed"}},
		{"begins with flow.completed", []string{"1 flow.completed"}},
		{"is caused by record 2", []string{"1 flow.started", "2 step.completed a 1 <- 2", "3 flow.completed"}},
		{"after the end", []string{"1 flow.started", "2 flow.completed", "3 step.completed a 1 <- 1"}},
		{"after the end", []string{"1 flow.started", "2 flow.failed", "3 flow.completed"}},
		{"two outcomes", []string{"1 flow.started", "2 step.completed a 1 <- 1", "3 step.failed a 1 <- 1", "4 flow.completed"}},
	} {
		err := enginetest.CheckLog(parse(t, c.log...))
		if (err == nil) != (c.says == "") || (err != nil && !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%q: got %v, want %q", c.log, err, c.says)
		}
	}
	back := parse(t, "1 flow.started", "2 emit a 1 <- 1", "3 flow.completed")
	back[0].Epoch = 2
	if err := enginetest.CheckLog(back); err == nil || !strings.Contains(err.Error(), "epoch 1, after one of epoch 2") {
		t.Errorf("an epoch that goes back: %v", err)
	}
}

// Two logs of the same run, in another order.
func ExampleDiff() {
	want := []adapter.Record{
		{Seq: 1, Type: "flow.started"},
		{Seq: 2, Type: "step.completed", Step: "charge", Causes: []uint64{1}},
		{Seq: 3, Type: "step.completed", Step: "pack", Causes: []uint64{1}},
	}
	got := []adapter.Record{
		{Seq: 1, Type: "flow.started"},
		{Seq: 2, Type: "step.completed", Step: "pack", Causes: []uint64{1}},
		{Seq: 3, Type: "step.failed", Step: "charge", Causes: []uint64{1}},
	}
	fmt.Print(enginetest.Diff(want, got))
	// Output:
	// - step.completed charge  ← flow.started
	// + step.failed charge  ← flow.started
}

// A check is a value: it can be run by itself, and returns what is wrong.
func ExampleCheck_Run() {
	for _, c := range enginetest.Checks() {
		if c.Name == "flow/steps-run-in-sequence" {
			fmt.Println(c.Name, c.Run(context.Background(), enginetest.Harness{New: enginetest.Memory}))
		}
	}
	// Output: flow/steps-run-in-sequence <nil>
}
