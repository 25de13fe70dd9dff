package flow_test

import (
	"testing"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// Tokens for signals that a step of an item gave out stayed in the state when the item had ended.
func TestTokensEndWithTheirItem(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {handler: a, config: {start: true, emitsAll: [g]}}
  ask: {handler: ask}
  answer: {handler: answer, config: {awaitBefore: {type: signal}}}
connections:
  - {from: g, to: ask}
  - {from: "step:ask", to: answer, condition: payload.again == true}
`)
	h.succeed("a", "1", emitAll("g", "1", "2"))
	for range 2 {
		h.do(flow.Outcome{Token: h.tokens("ask")[0], Result: []byte(`{"again":false}`),
			Signals: []flow.NewSignal{{Hash: "h", Step: "answer"}}})
	}
	if h.s.Status != flow.StatusCompleted || len(h.s.Tokens) != 0 {
		t.Errorf("the run is %s and has %d tokens", h.s.Status, len(h.s.Tokens))
	}
}

// The timeout of an external step counted from the retry on, although the queue holds the job back for the delay.
func TestTheTimeoutOfAnExternalStepBeginsWithItsJob(t *testing.T) {
	t.Parallel()
	h := byHand(t, `
steps:
  a: {config: {start: true, external: true, timeout: 1m}, retry: {attempts: 2, backoff: 5m}}
`)
	h.do(flow.Outcome{Token: h.token("a"), Err: &flow.AttemptError{Message: "no"}})
	if got, want := h.s.FirstTimer(), modelTime.Add(6*time.Minute).UnixMilli(); got != want {
		t.Errorf("it times out at %v, want %v", time.UnixMilli(got).UTC(), time.UnixMilli(want).UTC())
	}
}
