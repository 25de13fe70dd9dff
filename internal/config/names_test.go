package config

import (
	"fmt"
	"slices"
	"testing"
)

func TestSnakeAndCamel(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"adapter": "ADAPTER", "defaultConfig": "DEFAULT_CONFIG", "eventTTL": "EVENT_TTL", "ui": "UI", "send-email": "SEND_EMAIL",
		"a.b c": "A_B_C", "on-complete": "ON_COMPLETE", "my_queue": "MY_QUEUE", "a-B": "A_B",
	} {
		if got := snake(key); got != want {
			t.Errorf("snake(%q) = %q, want %q", key, got, want)
		}
	}
	for name, want := range map[string]string{"HOST": "host", "CONNECTION_STRING": "connectionString", "A__B": "aB", "": ""} {
		if got := camel(name); got != want {
			t.Errorf("camel(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	for want, in := range map[string][2]string{
		"queue": {"", "queue"}, "queue.adapter": {"queue", "adapter"}, `queues["a.b"]`: {"queues", "a.b"}, `queues[""]`: {"queues", ""},
	} {
		if got := Join(in[0], in[1]); got != want {
			t.Errorf("Join(%q, %q) = %q, want %q", in[0], in[1], got, want)
		}
	}
}

func TestLastKey(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"queue.redis.port": "port", "queue.redis.brokers[2]": "brokers", "port": "port", `queue["a.port"]`: `port"]`,
	} {
		if got := lastKey(path); got != want {
			t.Errorf("lastKey(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestMergeGoesIntoMappings(t *testing.T) {
	t.Parallel()
	read := func(text string) *Node {
		n, problems := Parse("f", []byte(text))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return n
	}
	got := Merge(read("a: 1\nm: {x: 1, y: 1}\nl: [1]"), nil, read("b: 2\nm: {y: 2}\nl: [2, 3]"), read("a: 3")).goValue(nil)
	want := "map[a:3 b:2 l:[2 3] m:map[x:1 y:2]]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFromGoRefusesWhatIsNoConfiguration(t *testing.T) {
	t.Parallel()
	for _, v := range []any{func() {}, map[int]string{1: "a"}, map[string]any{"deep": []any{make(chan int)}}, struct{}{}} {
		if _, err := FromGo(v, "queue.redis", nil); err == nil {
			t.Errorf("a %T was accepted", v)
		}
	}
}

func TestReservedNamesAreNoKeys(t *testing.T) {
	t.Parallel()
	e := Environment{Prefix: "X_", Reserved: []string{"X_FILE", "X_TEST_"}}
	for name, want := range map[string]bool{"X_FILE": true, "X_FILES": false, "X_TEST_A": true, "X_TEST": false} {
		if got := e.isReserved(name); got != want {
			t.Errorf("isReserved(%q) = %v", name, got)
		}
	}
}

func TestOptionsFromTheEnvironmentFindNestedFields(t *testing.T) {
	t.Parallel()
	type options struct {
		Name string `json:"name"`
		TLS  struct {
			CAFile string `json:"caFile"`
			Skip   *bool  `json:"skip"`
		} `json:"tls"`
		Times []float64 `json:"times"`
	}
	root := &Node{Kind: Map}
	for _, key := range []string{"tlsCaFile", "tlsSkip", "times", "nothing"} {
		pos := Position{Env: "X_" + snake(key)}
		value := map[string]string{"tlsCaFile": "f", "tlsSkip": "true", "times": "1, 2.5", "nothing": ""}[key]
		n := &Node{Kind: Text, Value: value, Expanded: true, Pos: pos, Path: key}
		root.Entries = append(root.Entries, Entry{Key: key, Pos: pos, Value: n})
	}
	d := Decoder{Guarded: true}
	var o options
	d.Decode(root, &o)
	if o.TLS.CAFile != "f" || !*o.TLS.Skip || !slices.Equal(o.Times, []float64{1, 2.5}) {
		t.Errorf("got %+v", o)
	}
	if len(d.Problems) != 1 || d.Problems[0].Where != "X_NOTHING" || d.Problems[0].What != "unknown key" {
		t.Errorf("problems: %v", d.Problems)
	}
}
