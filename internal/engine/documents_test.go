package engine

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

func FuzzSummary(f *testing.F) {
	f.Add("id", "order", "running", 1, int64(0), "key", "name", "value", "")
	f.Add("", "<ü>", "", -1, int64(1)<<62, "", "", "", "step: \"x\"\xff")
	f.Fuzz(func(t *testing.T, run, name, status string, n int, at int64, key, label, value, failure string) {
		s := Summary{RunID: run, Flow: name, Definition: run, Status: flow.Status(status), Epoch: n, StartedAt: at, CompletedAt: -at,
			StepCount: n, CompletedSteps: -n, Key: key, Error: failure}
		if label != "" {
			s.Labels = map[string]string{label: value}
			s.Label = LabelIndex(s.Labels)
		}
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		body := s.encode()
		if !bytes.Equal(body, want) {
			t.Fatalf("encoded as %s, want %s", body, want)
		}
		var back Summary
		if err := json.Unmarshal(body, &back); err != nil {
			t.Fatal(err)
		}
		got, err := DecodeSummary(adapter.Doc{Body: body})
		if err != nil || !reflect.DeepEqual(*got, back) {
			t.Errorf("decoded as %+v, %v; want %+v", got, err, back)
		}
	})
}

// TestSummaryHasAllFields fails when a field of Summary is forgotten in encode or read.
func TestSummaryHasAllFields(t *testing.T) {
	t.Parallel()
	var s Summary
	v := reflect.ValueOf(&s).Elem()
	for i := range v.NumField() {
		switch field := v.Field(i); {
		case v.Type().Field(i).Tag.Get("json") == "-":
		case field.Kind() == reflect.String:
			field.SetString("text")
		case field.CanInt():
			field.SetInt(7)
		case field.Kind() == reflect.Bool:
			field.SetBool(true)
		case field.Kind() == reflect.Map:
			field.Set(reflect.ValueOf(map[string]string{"a": "b"}))
		default:
			field.Set(reflect.ValueOf([]string{"a=b"}))
		}
	}
	var back Summary
	if !back.read(s.encode()) || !reflect.DeepEqual(back, s) {
		t.Errorf("read %+v, want %+v", back, s)
	}
}
