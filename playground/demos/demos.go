// Package demos holds the small flows that the playground shows before it goes to work: one for each way in which steps can
// be wired.
package demos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// Demo is a flow to show.
type Demo struct {
	Name  string
	About string
	Flow  Flow
	Input any
	// Fails says that the run is meant to fail.
	Fails bool
	// Also are flows that it calls.
	Also []Flow
	// Answer is the signal that it waits for.
	Answer any
	// Restart is the input with which the step that failed is tried again.
	Restart any
}

// Flows returns the flow and those that it calls.
func (d Demo) Flows() []Flow { return append([]Flow{d.Flow}, d.Also...) }

// Flow is a flow built in Go, whatever its types.
type Flow interface {
	Name() string
	Wiring() flow.Wiring
	Definition() (*flow.Definition, error)
	Handlers() []flow.Handler
}

// All returns the demos.
func All() []Demo {
	return []Demo{
		{Name: "sequential", About: "three steps, one after the other, without a named event", Flow: sequential(), Input: "hello"},
		{Name: "parallel", About: "two branches from one event, joined", Flow: parallel(), Input: text{"to be or not to be"}},
		{Name: "retry", About: "a step that fails twice and then succeeds", Flow: retry(), Input: 3},
		{Name: "failure", About: "a step that fails for good, and another that handles it", Flow: failure(), Input: "ada"},
		{Name: "conditional", About: "a branch that is taken, and one that is not", Flow: conditional(), Input: 7},
		{Name: "broken", About: "a failure that nobody handles fails the run", Flow: broken(), Input: "x", Fails: true},
		{Name: "fanout", About: "a branch for every word, and a step that collects them in order", Flow: fanout(), Input: text{"to be or ? not"}},
		{Name: "child", About: "a step that is a run of another flow", Flow: child(), Input: "books", Also: []Flow{shipping()}},
		{Name: "approval", About: "a step that waits for an answer, and one that waits for a time", Flow: approval(), Input: "holiday",
			Answer: answer{Approved: true, By: "ada"}},
		{Name: "restart", About: "a run that failed goes on where it failed, with another input", Flow: restart(), Input: "ada",
			Restart: payment{Who: "ada", Card: "visa"}},
	}
}

func sequential() *flow.Flow[string, string] {
	f := flow.New[string, string]("demo-sequential")
	upper := flow.Start(f, "upper", func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil })
	greet := flow.On(f, "greet", upper.Completed(), func(_ context.Context, s string) (string, error) { return s + ", WORLD", nil })
	flow.Returns(f, flow.On(f, "shout", greet.Completed(), func(_ context.Context, s string) (string, error) { return s + "!", nil }))
	return f
}

type text struct {
	Text string `json:"text"`
}

var (
	received = flow.NewEvent[text]("text.received")
	words    = flow.NewEvent[int]("text.words")
	letters  = flow.NewEvent[int]("text.letters")
)

func parallel() *flow.Flow[text, string] {
	f := flow.New[text, string]("demo-parallel")
	flow.Start(f, "receive", func(ctx context.Context, t text) (struct{}, error) {
		return struct{}{}, received.Emit(ctx, t)
	}, flow.Emits(received))
	flow.On(f, "words", received, func(ctx context.Context, t text) (struct{}, error) {
		return struct{}{}, words.Emit(ctx, len(strings.Fields(t.Text)))
	}, flow.Emits(words))
	flow.On(f, "letters", received, func(ctx context.Context, t text) (struct{}, error) {
		return struct{}{}, letters.Emit(ctx, len(strings.ReplaceAll(t.Text, " ", "")))
	}, flow.Emits(letters))
	flow.Returns(f, flow.Join2(f, "sum", words, letters, func(_ context.Context, w, l int) (string, error) {
		return fmt.Sprintf("%d words, %d letters", w, l), nil
	}))
	return f
}

func retry() *flow.Flow[int, string] {
	f := flow.New[int, string]("demo-retry")
	flow.Returns(f, flow.Start(f, "flaky", func(ctx context.Context, succeedsAt int) (string, error) {
		info, _ := flow.Info(ctx)
		if info.Attempt < succeedsAt {
			return "", fmt.Errorf("not yet (attempt %d of %d)", info.Attempt, info.Attempts)
		}
		return fmt.Sprintf("done at attempt %d", info.Attempt), nil
	}, flow.Attempts(5, flow.Exponential(10*time.Millisecond))))
	return f
}

func failure() *flow.Flow[string, string] {
	f := flow.New[string, string]("demo-failure")
	pay := flow.Start(f, "pay", func(_ context.Context, who string) (string, error) {
		return "", flow.Permanent(errors.New("card of " + who + " declined"))
	})
	flow.Returns(f, flow.On(f, "apologise", pay.Failed(), func(_ context.Context, failed flow.Failure) (string, error) {
		return "sorry: " + failed.Error, nil
	}))
	return f
}

func conditional() *flow.Flow[int, string] {
	f := flow.New[int, string]("demo-conditional")
	n := flow.Start(f, "number", func(_ context.Context, n int) (int, error) { return n, nil })
	flow.Returns(f, flow.On(f, "odd", n.Completed(), func(_ context.Context, n int) (string, error) {
		return fmt.Sprint(n, " is odd"), nil
	}, flow.When("payload % 2 == 1")))
	flow.On(f, "even", n.Completed(), func(_ context.Context, n int) (string, error) {
		return fmt.Sprint(n, " is even"), nil
	}, flow.When("payload % 2 == 0"))
	return f
}

func broken() *flow.Flow[string, string] {
	f := flow.New[string, string]("demo-broken")
	flow.Returns(f, flow.Start(f, "explode", func(context.Context, string) (string, error) {
		return "", flow.Permanent(errors.New("nothing handles this"))
	}))
	return f
}
