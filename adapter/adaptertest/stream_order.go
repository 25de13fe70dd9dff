package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nvent-go/nvent/adapter"
)

func streamOrderChecks() []streamCheck {
	return []streamCheck{
		{Name: "order/kept-per-key-and-publisher", run: orderPerKey},
		{Name: "order/failed-is-repeated-before-the-next", run: orderFailed},
	}
}

func orderPerKey(ctx context.Context, e *streamEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	topic := e.name()
	got := make([]tally[adapter.Message], 2)
	for i, group := range []string{"", e.name()} {
		if _, err := subscribe(ctx, e, a, topic, adapter.SubscribeOptions{Group: group}, collecting(&got[i])); err != nil {
			return err
		}
	}
	keys := []string{"a", "b", "c", "d"}
	err = e.all(len(keys), func(i int) error {
		for _, m := range messages(topic, keys[i], 0, 25) {
			if err := publish(ctx, []adapter.Stream{a, b}[i%2], m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range got {
		if err := arrived(ctx, e, &got[i], 100); err != nil {
			return err
		}
		for _, key := range keys {
			of := slices.DeleteFunc(got[i].list(), func(m adapter.Message) bool { return m.Key != key })
			if err := sameIDs("messages of key "+key, dataOf(of), dataOf(messages(topic, key, 0, 25))); err != nil {
				return err
			}
		}
	}
	return nil
}

func orderFailed(ctx context.Context, e *streamEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	topic := e.name()
	var got tally[adapter.Message]
	failed := map[string]bool{}
	o := adapter.SubscribeOptions{Group: e.name(), Prefetch: 1}
	_, err = subscribe(ctx, e, s, topic, o, func(_ context.Context, m *adapter.Message) error {
		got.add(*m)
		if text := string(m.Data); !failed[text] && len(failed) < 3 { // one call at a time: prefetch is 1
			failed[text] = true
			return errors.New("the first time")
		}
		return nil
	})
	if err != nil {
		return err
	}
	m := messages(topic, "k", 0, 5)
	if err := publish(ctx, s, m...); err != nil {
		return err
	}
	want := []adapter.Message{m[0], m[0], m[1], m[1], m[2], m[2], m[3], m[4]}
	return exactly(ctx, e, "deliveries with prefetch 1", &got, want)
}

func streamExclusiveChecks() []streamCheck {
	return []streamCheck{{Name: "exclusive/one-member-the-others-stand-by", run: exclusiveOne}}
}

func exclusiveOne(ctx context.Context, e *streamEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	topic, o := e.name(), adapter.SubscribeOptions{Group: e.name(), Exclusive: true, Prefetch: 1}
	var first, second tally[adapter.Message]
	busy := make(chan struct{})
	active, err := subscribe(ctx, e, a, topic, o, func(_ context.Context, m *adapter.Message) error {
		first.add(*m)
		select {
		case <-busy:
		case <-e.over:
		}
		return nil
	})
	if err != nil {
		return err
	}
	standby := join(ctx, e, b, topic, o, collecting(&second)) // it may not be ready before its turn comes
	if err := e.quiet(ctx); err != nil {
		return err
	}
	want := messages(topic, "k", 0, 10)
	if err := publish(ctx, b, want...); err != nil {
		return err
	}
	if err := arrived(ctx, e, &first, 1); err != nil {
		return err
	}
	if err := e.quiet(ctx); err != nil { // the active member is busy: a member of a shared group would help out
		return err
	}
	close(busy)
	if err := exactly(ctx, e, "messages of the active member", &first, want); err != nil {
		return err
	}
	if n := second.len(); n != 0 {
		return fmt.Errorf("a member that stands by got %d messages", n)
	}
	if err := active.stop(); err != nil {
		return err
	}
	more := messages(topic, "k", 10, 15)
	if err := publish(ctx, b, more...); err != nil {
		return err
	}
	if err := exactly(ctx, e, "messages of the member that took over", &second, more); err != nil {
		return err
	}
	return standby.stop()
}
