package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

type (
	streamEnv   = env[adapter.Stream]
	streamCheck = Check[adapter.Stream]
	receiver    = func(ctx context.Context, m *adapter.Message) error
)

// message returns the i-th message of a topic and key.
func message(topic, key string, i int) adapter.Message {
	return adapter.Message{Topic: topic, Key: key, Data: json.RawMessage(fmt.Sprintf(`"%s%d"`, key, i))}
}

func messages(topic, key string, from, to int) []adapter.Message {
	var all []adapter.Message
	for i := from; i < to; i++ {
		all = append(all, message(topic, key, i))
	}
	return all
}

func dataOf(m []adapter.Message) []string {
	texts := make([]string, len(m))
	for i, m := range m {
		texts[i] = string(m.Data)
	}
	return texts
}

func publish(ctx context.Context, s adapter.Stream, m ...adapter.Message) error {
	if err := s.Publish(ctx, m...); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// subscription is a Subscribe call that runs.
type subscription struct {
	e      *streamEnv
	cancel context.CancelFunc
	done   <-chan error
}

// join starts Subscribe without waiting for it.
func join(ctx context.Context, e *streamEnv, s adapter.Stream, topic string, o adapter.SubscribeOptions, h receiver) *subscription {
	ctx, cancel := context.WithCancel(ctx)
	return &subscription{e: e, cancel: cancel, done: e.start(func() error { return s.Subscribe(ctx, topic, o, h) })}
}

// subscribe starts Subscribe and waits until it is in place.
func subscribe(
	ctx context.Context, e *streamEnv, s adapter.Stream, topic string, o adapter.SubscribeOptions, h receiver,
) (*subscription, error) {
	began := make(chan struct{}, 100)
	o.Ready = func() { began <- struct{}{} }
	sub := join(ctx, e, s, topic, o, h)
	t := time.NewTimer(e.h.Patience)
	defer t.Stop()
	select {
	case <-began:
		return sub, nil
	case err := <-sub.done:
		sub.cancel()
		return nil, fmt.Errorf("subscribe returned at once: %w", errOr(err, "with nil"))
	case <-t.C:
		sub.cancel()
		return nil, errors.New("subscribe did not become ready")
	}
}

func (s *subscription) stop() error {
	s.cancel()
	if err := s.e.ended("subscribe", s.done); err != nil {
		return fmt.Errorf("subscribe after its context ended: %w", err)
	}
	return nil
}

// collecting adds every message to t.
func collecting(t *tally[adapter.Message]) receiver {
	return func(_ context.Context, m *adapter.Message) error {
		t.add(*m)
		return nil
	}
}

// arrived waits for n messages.
func arrived(ctx context.Context, e *streamEnv, t *tally[adapter.Message], n int) error {
	err := e.until(ctx, fmt.Sprintf("%d messages arrived", n), func() (bool, error) { return t.len() >= n, nil })
	if err != nil {
		return fmt.Errorf("%w: %d did", err, t.len())
	}
	return nil
}

// exactly waits for these messages, in this order, and that no others follow.
func exactly(ctx context.Context, e *streamEnv, what string, t *tally[adapter.Message], want []adapter.Message) error {
	if err := arrived(ctx, e, t, len(want)); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := e.quiet(ctx); err != nil {
		return err
	}
	return sameIDs(what, dataOf(t.list()), dataOf(want))
}
