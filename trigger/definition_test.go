package trigger_test

import (
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/trigger"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMalformedDocumentsAreRefusedWithEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/malformed/*.[yj]*")
	if err != nil || len(files) < 40 {
		t.Fatalf("found %d documents, want at least 40: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d, err := trigger.Parse(data, filepath.Base(file))
			if err == nil {
				_, err = trigger.Compile(d)
			}
			if err == nil {
				t.Fatal("the document is accepted")
			}
			if !errors.Is(err, adapter.ErrInvalid) {
				t.Errorf("the error does not match ErrInvalid")
			}
			golden(t, strings.TrimSuffix(file, filepath.Ext(file))+".golden", err.Error()+"\n")
		})
	}
}

// golden compares text with a golden file, or writes it.
func golden(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if text != string(want) {
		t.Errorf("%s:\n got %s\nwant %s", file, text, want)
	}
}

func TestDocumentsAreTheSameFromYAMLAndJSON(t *testing.T) {
	t.Parallel()
	d, err := trigger.Parse([]byte(`
name: nightly
type: schedule
config: {cron: "0 3 * * *", zone: Europe/Oslo, catchUp: all, limit: 3}
flow: report
input: {kind: full, pages: 12345678901234567890}
`), "nightly.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	again, err := trigger.Parse(b, "nightly.json")
	if err != nil || !reflect.DeepEqual(d, again) || d.Hash() != again.Hash() {
		t.Errorf("%s\n is read as %+v, %v", b, again, err)
	}
	tr, err := trigger.Compile(d)
	if err != nil {
		t.Fatal(err)
	}
	in, err := tr.Input(trigger.Firing{Name: "nightly", Type: trigger.Schedule, At: "2026-11-25T02:00:00Z"})
	const want = `{"kind":"full","pages":12345678901234567890,"trigger":{"name":"nightly","type":"schedule","at":"2026-11-25T02:00:00Z"}}`
	if err != nil || string(in) != want {
		t.Errorf("input %s, %v; want %s", in, err, want)
	}
}

func TestWhatChangesTheTicksChangesTheScheduleHash(t *testing.T) {
	t.Parallel()
	base := trigger.Definition{Name: "t", Type: trigger.Schedule, Config: trigger.Config{Cron: "0 3 * * *"}}
	for name, c := range map[string]struct {
		change      func(*trigger.Definition)
		ticks, hash bool
	}{
		"cron":     {func(d *trigger.Definition) { d.Config.Cron = "0 4 * * *" }, true, true},
		"zone":     {func(d *trigger.Definition) { d.Config.Zone = "Europe/Oslo" }, true, true},
		"paused":   {func(d *trigger.Definition) { d.Paused = true }, false, false},
		"catch-up": {func(d *trigger.Definition) { d.Config.CatchUp = trigger.CatchUpNone }, false, true},
		"input":    {func(d *trigger.Definition) { d.Input = json.RawMessage(`{}`) }, false, true},
		"flow":     {func(d *trigger.Definition) { d.Flow = "other" }, false, true},
		"version":  {func(d *trigger.Definition) { d.Version, d.UpdatedAt, d.Declared, d.Edited = 1, 2, "x", true }, false, false},
	} {
		d := base
		c.change(&d)
		if ticks, hash := d.ScheduleHash() != base.ScheduleHash(), d.Hash() != base.Hash(); ticks != c.ticks || hash != c.hash {
			t.Errorf("%s changes the schedule hash: %v, the hash: %v; want %v, %v", name, ticks, hash, c.ticks, c.hash)
		}
	}
}

func TestFilterErrorsAreLoud(t *testing.T) {
	t.Parallel()
	tr, err := trigger.Compile(trigger.Definition{Name: "paid", Type: trigger.Event,
		Config: trigger.Config{Topic: "orders", Filter: "payload.cents > 100 && event == 'orders'"}})
	if err != nil {
		t.Fatal(err)
	}
	for payload, want := range map[string]string{
		`{"cents":101}`: "true", `{"cents":100}`: "false", `{"cents":"many"}`: "invalid operation", `7`: "cannot fetch cents", `{`: "decode payload",
	} {
		ok, err := tr.Match("orders", json.RawMessage(payload))
		switch {
		case want == "true" || want == "false":
			if err != nil || ok != (want == "true") {
				t.Errorf("%s: %v, %v; want %s", payload, ok, err, want)
			}
		case err == nil || ok || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `trigger "paid"`):
			t.Errorf("%s: %v, %v; want an error with %q and the trigger's name", payload, ok, err, want)
		}
	}
}

// TestPublishedSchemaHasTheKeysOfTheDocument compares docs/trigger.schema.json, which is written by hand, with the types.
func TestPublishedSchemaHasTheKeysOfTheDocument(t *testing.T) {
	t.Parallel()
	type object struct {
		Properties map[string]struct {
			Description string   `json:"description"`
			Enum        []string `json:"enum"`
		} `json:"properties"`
		Additional *bool `json:"additionalProperties"`
	}
	var schema struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	data, err := os.ReadFile("../docs/trigger.schema.json")
	if err == nil {
		err = json.Unmarshal(data, &schema)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		typ    reflect.Type
		schema object
	}{
		"trigger": {reflect.TypeFor[trigger.Definition](), schema.object},
		"Config":  {reflect.TypeFor[trigger.Config](), schema.Defs["Config"]},
		"Job":     {reflect.TypeFor[trigger.Job](), schema.Defs["Job"]},
		"Retry":   {reflect.TypeFor[flow.Retry](), schema.Defs["Retry"]},
		"Backoff": {reflect.TypeFor[flow.Backoff](), schema.Defs["Backoff"]},
	} {
		var keys []string
		for f := range c.typ.Fields() {
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			keys = append(keys, key)
			if c.schema.Properties[key].Description == "" {
				t.Errorf("%s.%s has no description", name, key)
			}
		}
		slices.Sort(keys)
		if got := slices.Sorted(maps.Keys(c.schema.Properties)); !slices.Equal(got, keys) {
			t.Errorf("%s: schema has %q, the type has %q", name, got, keys)
		}
		if c.schema.Additional == nil || *c.schema.Additional {
			t.Errorf("%s: schema lets unknown keys pass", name)
		}
	}
	if got := schema.Properties["type"].Enum; !slices.Equal(got, []string{trigger.Schedule, trigger.Event, trigger.Manual}) {
		t.Errorf("types %q", got)
	}
	rules := []string{trigger.CatchUpNone, trigger.CatchUpLast, trigger.CatchUpAll}
	if got := schema.Defs["Config"].Properties["catchUp"].Enum; !slices.Equal(got, rules) {
		t.Errorf("catch-ups %q", got)
	}
}
