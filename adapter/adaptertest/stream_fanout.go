package adaptertest

import (
	"context"
	"errors"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
)

func streamFanoutChecks() []streamCheck {
	return []streamCheck{
		{Name: "fanout/every-subscription-gets-all-in-order", run: fanoutAll},
		{Name: "fanout/ready-then-published-is-delivered", run: fanoutReady},
		{Name: "fanout/earlier-messages-are-not", run: fanoutLatest},
		{Name: "fanout/own-topic-only", run: fanoutTopic},
		{Name: "fanout/failed-is-not-repeated", run: fanoutFailed},
	}
}

func fanoutAll(ctx context.Context, e *streamEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	topic := e.name()
	got := make([]tally[adapter.Message], 4)
	for i := range got {
		if _, err := subscribe(ctx, e, []adapter.Stream{a, b}[i%2], topic, adapter.SubscribeOptions{}, collecting(&got[i])); err != nil {
			return err
		}
	}
	want := messages(topic, "k", 0, 30)
	if err := publish(ctx, a, want[:10]...); err != nil {
		return err
	}
	for _, m := range want[10:] {
		if err := publish(ctx, a, m); err != nil {
			return err
		}
	}
	for i := range got {
		if err := exactly(ctx, e, fmt.Sprintf("messages of subscription %d", i), &got[i], want); err != nil {
			return err
		}
	}
	return nil
}

func fanoutReady(ctx context.Context, e *streamEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	for i := range 20 {
		topic := e.name()
		var got tally[adapter.Message]
		o := adapter.SubscribeOptions{}
		if i%2 == 1 {
			o.Group = e.name()
		}
		sub, err := subscribe(ctx, e, b, topic, o, collecting(&got))
		if err != nil {
			return err
		}
		if err := publish(ctx, a, message(topic, "k", i)); err != nil {
			return err
		}
		if err := arrived(ctx, e, &got, 1); err != nil {
			return fmt.Errorf("published as soon as the subscription was ready: %w", err)
		}
		if err := sub.stop(); err != nil {
			return err
		}
	}
	return nil
}

func fanoutLatest(ctx context.Context, e *streamEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	topic := e.name()
	if err := publish(ctx, s, messages(topic, "old", 0, 3)...); err != nil {
		return err
	}
	var got tally[adapter.Message]
	if _, err := subscribe(ctx, e, s, topic, adapter.SubscribeOptions{}, collecting(&got)); err != nil {
		return err
	}
	want := message(topic, "new", 0)
	if err := publish(ctx, s, want); err != nil {
		return err
	}
	return exactly(ctx, e, "messages since it subscribed", &got, []adapter.Message{want})
}

func fanoutTopic(ctx context.Context, e *streamEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	topic := e.name()
	var got tally[adapter.Message]
	if _, err := subscribe(ctx, e, s, topic, adapter.SubscribeOptions{}, collecting(&got)); err != nil {
		return err
	}
	want := message(topic, "mine", 0)
	if err := publish(ctx, s, message(e.name(), "k", 0), message(topic+"-longer", "k", 0), want); err != nil {
		return err
	}
	return exactly(ctx, e, "messages of the topic", &got, []adapter.Message{want})
}

func fanoutFailed(ctx context.Context, e *streamEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	topic := e.name()
	var got tally[adapter.Message]
	_, err = subscribe(ctx, e, s, topic, adapter.SubscribeOptions{}, func(_ context.Context, m *adapter.Message) error {
		got.add(*m)
		return errors.New("handler failed")
	})
	if err != nil {
		return err
	}
	want := messages(topic, "k", 0, 3)
	if err := publish(ctx, s, want...); err != nil {
		return err
	}
	return exactly(ctx, e, "messages whose handler failed", &got, want)
}
