package demos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nvent-go/nvent/flow"
)

var (
	word   = flow.NewEvent[string]("text.word")
	length = flow.NewEvent[int]("text.word-length")
)

// fanout counts the letters of every word of a text on a branch of its own.
func fanout() *flow.Flow[text, string] {
	f := flow.New[text, string]("demo-fanout")
	flow.Start(f, "split", func(ctx context.Context, t text) (struct{}, error) {
		return struct{}{}, word.EmitAll(ctx, slices.Values(strings.Fields(t.Text)))
	}, flow.EmitsAll(word))
	flow.On(f, "count", word, func(ctx context.Context, w string) (struct{}, error) {
		if w == "?" {
			return struct{}{}, flow.Permanent(errors.New("no letters"))
		}
		return struct{}{}, length.Emit(ctx, len(w))
	}, flow.Emits(length), flow.Parallel(2))
	flow.Returns(f, flow.Collect(f, "report", length, func(_ context.Context, g flow.Group[int]) (string, error) {
		var lengths []int
		for n, err := range g.Values() { // in the order of the words
			if err != nil {
				return "", err
			}
			lengths = append(lengths, n)
		}
		missing, err := g.Missing()
		return fmt.Sprintf("%d words, lengths %v, %d without", g.Len(), lengths, len(missing)), err
	}, flow.Partial()))
	return f
}

// shipping is the flow that child calls.
func shipping() *flow.Flow[string, string] {
	f := flow.New[string, string]("demo-shipping")
	pack := flow.Start(f, "pack", func(_ context.Context, what string) (string, error) { return "parcel of " + what, nil })
	flow.Returns(f, flow.On(f, "label", pack.Completed(), func(_ context.Context, parcel string) (string, error) {
		return parcel + ", labelled", nil
	}))
	return f
}

func child() *flow.Flow[string, string] {
	f := flow.New[string, string]("demo-child")
	order := flow.Start(f, "order", func(_ context.Context, what string) (string, error) { return what, nil })
	ship := flow.Call(f, "ship", order.Completed(), shipping(), func(_ context.Context, what string) (string, error) {
		return "two " + what, nil
	})
	flow.Returns(f, flow.On(f, "thank", ship.Completed(), func(_ context.Context, s string) (string, error) {
		return s + ": thank you", nil
	}))
	return f
}

type answer struct {
	Approved bool   `json:"approved"`
	By       string `json:"by"`
}

// tokens holds, by run, the token that a real program would have sent by e-mail.
var tokens sync.Map

// approval waits for somebody's answer, and then for the time to think it over.
func approval() *flow.Flow[string, string] {
	f := flow.New[string, string]("demo-approval")
	ask := flow.Start(f, "ask", func(ctx context.Context, what string) (string, error) {
		token, err := flow.SignalTokenFor(ctx, "decide", 0)
		if info, ok := flow.Info(ctx); ok && err == nil {
			tokens.Store(info.RunID, token)
		}
		return what, err
	})
	decide := flow.On(f, "decide", ask.Completed(), func(ctx context.Context, what string) (string, error) {
		a, _, err := flow.Awaited[answer](ctx)
		if err == nil && !a.Approved {
			err = flow.Permanent(fmt.Errorf("%s was refused by %s", what, a.By))
		}
		return fmt.Sprintf("%s, approved by %s", what, a.By), err
	}, flow.AwaitBefore(flow.OrContinue(flow.ForSignal(), time.Hour, answer{By: "nobody"})))
	flow.Returns(f, flow.On(f, "book", decide.Completed(), func(_ context.Context, what string) (string, error) {
		return "booked: " + what, nil
	}, flow.AwaitBefore(flow.ForTime(30*time.Millisecond))))
	return f
}

type payment struct {
	Who  string `json:"who"`
	Card string `json:"card"`
}

// restart fails for want of a card, and goes on from there when it has one.
func restart() *flow.Flow[string, string] {
	f := flow.New[string, string]("demo-restart")
	look := flow.Start(f, "look-up", func(_ context.Context, who string) (payment, error) { return payment{Who: who}, nil })
	flow.Returns(f, flow.On(f, "pay", look.Completed(), func(_ context.Context, p payment) (string, error) {
		if p.Card == "" {
			return "", flow.Permanent(errors.New(p.Who + " has no card"))
		}
		return p.Who + " paid by " + p.Card, nil
	}))
	return f
}
