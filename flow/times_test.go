package flow_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// TestNothingBeginsBeforeItsTime: the state counts in milliseconds, clocks do not.
func TestNothingBeginsBeforeItsTime(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000).Add(300 * time.Nanosecond)
	f := flow.New[int, int]("f")
	flow.Start(f, "s", func(_ context.Context, n int) (int, error) { return n, nil }, flow.AwaitBefore(flow.ForTime(time.Second)))
	d, err := f.Definition()
	if err != nil {
		t.Fatal(err)
	}
	for what, b := range map[string]flow.Beginning{
		"await": {Input: json.RawMessage("1")},
		"start": {Input: json.RawMessage("1"), Due: now.Add(time.Second)},
	} {
		s, err := d.Begin("r", b, now, &flow.Changes{})
		if err != nil {
			t.Fatal(err)
		}
		if at := s.FirstTimer(); at != 1_700_000_001_001 {
			t.Errorf("%s: the timer is set to %d", what, at)
		}
	}
}
