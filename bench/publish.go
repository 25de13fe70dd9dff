package main

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/nvent-go/nvent"
)

// payload is 200 bytes of JSON.
var payload = json.RawMessage(`"` + strings.Repeat("x", 198) + `"`)

// publishMeasure is the time from publishing a lone event to the start of its handler, in a subscription without a group.
func publishMeasure(open opener, sc scale) measure {
	return measure{
		name:    "publish",
		metrics: []metric{{name: "p50", unit: "µs", lower: true, aim: 20}, {name: "p99", unit: "µs", lower: true}},
		ours: contestant{us, func(ctx context.Context) ([]float64, error) {
			return with(ctx, open, func(app *nvent.App) ([]float64, error) { return publishOurs(ctx, app, sc.samples) })
		}},
		peers: []contestant{{"watermill-gochannel", func(ctx context.Context) ([]float64, error) {
			return publishGoChannel(ctx, sc.samples)
		}}},
	}
}

func publishOurs(ctx context.Context, app *nvent.App, samples int) ([]float64, error) {
	arrived := make(chan time.Time, 1)
	_, err := app.Stream().Subscribe(ctx, "bench", func(context.Context, *nvent.StreamEvent) error {
		arrived <- time.Now()
		return nil
	}, nvent.SubscribeOptions{})
	if err != nil {
		return nil, err
	}
	return latencies(ctx, samples, arrived, func(ctx context.Context) error {
		return app.Stream().Publish(ctx, "bench", nvent.StreamInput{Data: payload})
	})
}

func publishGoChannel(ctx context.Context, samples int) (values []float64, err error) {
	pubsub := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	messages, err := pubsub.Subscribe(ctx, "bench")
	if err != nil {
		return nil, err
	}
	arrived, ended := make(chan time.Time, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for m := range messages {
			arrived <- time.Now()
			m.Ack()
		}
	}()
	values, err = latencies(ctx, samples, arrived, func(context.Context) error {
		return pubsub.Publish("bench", message.NewMessage(watermill.NewUUID(), message.Payload(payload)))
	})
	if failed := pubsub.Close(); err == nil {
		err = failed
	}
	<-ended
	return values, err
}
