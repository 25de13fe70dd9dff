package flow_test

import (
	"context"
	"testing"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// TestPromise4_AwaitIsLookedAfterUntilItHasSought: the reconciler gave up after two looks, also when it had died in both of
// them before it looked for events that came earlier. Such a run waited for ever.
func TestPromise4_AwaitIsLookedAfterUntilItHasSought(t *testing.T) {
	t.Parallel()
	f := flow.New[int, int]("seeks")
	begin := flow.Start(f, "begin", func(_ context.Context, n int) (int, error) { return n, nil })
	flow.On(f, "pay", begin.Completed(), func(_ context.Context, n int) (int, error) { return n, nil },
		flow.AwaitBefore(flow.ForEvent(flow.NewEvent[int]("paid"))))
	d, err := f.Definition()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	apply := func(s *flow.State, in flow.Input) flow.Verdict {
		s.LookAt = 0
		if at := s.NextLook(now); !at.IsZero() {
			now = at
			s.LookAt = at.UnixMilli()
		}
		return d.Apply("run", s, in, now, &flow.Changes{})
	}
	s, err := d.Begin("run", flow.Beginning{Input: []byte("1")}, now, &flow.Changes{})
	if err != nil {
		t.Fatal(err)
	}
	for token := range s.OpenTokens("run") {
		if v := apply(s, flow.Outcome{Token: token, Result: []byte("1")}); v != flow.Accepted {
			t.Fatal("the outcome is stale")
		}
	}
	for n := range 5 {
		if v := apply(s, flow.Looked{}); v != flow.Accepted {
			t.Fatalf("look %d is not due", n+1)
		}
	}
	if v := apply(s, flow.Sought{Seq: s.Seq - 1}); v != flow.Stale {
		t.Error("a look at an earlier state counts")
	}
	if v := apply(s, flow.Sought{Seq: s.Seq}); v != flow.Accepted || !s.NextLook(now).IsZero() {
		t.Errorf("having sought is %v, and the next look is at %v", v, s.NextLook(now))
	}
}
