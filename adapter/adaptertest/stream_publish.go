package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/nvent-go/nvent/adapter"
)

func streamInfoChecks() []streamCheck {
	return []streamCheck{{Name: "info/is-honest", run: infoIsHonest[adapter.Stream]}}
}

func streamPublishChecks() []streamCheck {
	return []streamCheck{
		{Name: "publish/keeps-every-field", run: publishKeepsFields},
		{Name: "publish/keeps-json-values", run: publishKeepsValues},
		{Name: "publish/takes-the-biggest-payload", run: publishBig},
		{Name: "publish/nothing-is-nothing", run: publishNothing},
	}
}

func publishKeepsFields(ctx context.Context, e *streamEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	topic := e.name()
	var got tally[adapter.Message]
	if _, err := subscribe(ctx, e, b, topic, adapter.SubscribeOptions{}, collecting(&got)); err != nil {
		return err
	}
	want := adapter.Message{
		Topic: topic, Key: "key/é:1", Data: json.RawMessage(`{"amount":12.50}`),
		Headers: map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x": "ü\n"},
		Labels:  map[string]string{"run": "42"},
	}
	if err := publish(ctx, a, want, want); err != nil {
		return err
	}
	if err := arrived(ctx, e, &got, 2); err != nil {
		return err
	}
	seen := got.list()
	for _, m := range seen {
		if m.Topic != want.Topic || m.Key != want.Key || !maps.Equal(m.Headers, want.Headers) || !maps.Equal(m.Labels, want.Labels) {
			return fmt.Errorf("message changed: got %+v, want %+v", m, want)
		}
		if err := sameJSON(m.Data, want.Data); err != nil {
			return fmt.Errorf("data: %w", err)
		}
		if m.ID == "" || m.At.IsZero() {
			return fmt.Errorf("message has ID %q and time %v", m.ID, m.At)
		}
	}
	if seen[0].ID == seen[1].ID {
		return errors.New("two messages have one ID")
	}
	return nil
}

func publishKeepsValues(ctx context.Context, e *streamEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	topic := e.name()
	var got tally[adapter.Message]
	if _, err := subscribe(ctx, e, s, topic, adapter.SubscribeOptions{}, collecting(&got)); err != nil {
		return err
	}
	for _, f := range fidelity {
		if err := publish(ctx, s, adapter.Message{Topic: topic, Data: json.RawMessage(f.json)}); err != nil {
			return err
		}
	}
	if err := arrived(ctx, e, &got, len(fidelity)); err != nil {
		return err
	}
	for i, m := range got.list() {
		if err := sameJSON(m.Data, json.RawMessage(fidelity[i].json)); err != nil {
			return fmt.Errorf("%s: %w", fidelity[i].name, err)
		}
	}
	return nil
}

func publishBig(ctx context.Context, e *streamEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	topic := e.name()
	var got tally[adapter.Message]
	if _, err := subscribe(ctx, e, s, topic, adapter.SubscribeOptions{}, collecting(&got)); err != nil {
		return err
	}
	m := adapter.Message{Topic: topic, Data: bulk(e.h.MaxPayload)}
	if err := publish(ctx, s, m); err != nil {
		return err
	}
	if err := arrived(ctx, e, &got, 1); err != nil {
		return err
	}
	return sameJSON(got.list()[0].Data, m.Data)
}

func publishNothing(ctx context.Context, e *streamEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	return publish(ctx, s)
}
