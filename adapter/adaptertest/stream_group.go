package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/nvent-go/nvent/adapter"
)

func streamGroupChecks() []streamCheck {
	return []streamCheck{
		{Name: "group/each-message-to-one-member", run: groupShares},
		{Name: "group/other-groups-get-all-too", run: groupOthers},
		{Name: "group/prefetch-is-the-bound", run: groupPrefetch},
	}
}

func groupShares(ctx context.Context, e *streamEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	topic, o := e.name(), adapter.SubscribeOptions{Group: e.name(), Prefetch: 4}
	var got tally[adapter.Message]
	for _, s := range []adapter.Stream{a, b, a, b} {
		if _, err := subscribe(ctx, e, s, topic, o, collecting(&got)); err != nil {
			return err
		}
	}
	var want []adapter.Message
	for i := range 100 {
		want = append(want, message(topic, fmt.Sprintf("k%d-", i%7), i))
	}
	if err := publish(ctx, a, want...); err != nil {
		return err
	}
	if err := arrived(ctx, e, &got, len(want)); err != nil {
		return err
	}
	if err := e.quiet(ctx); err != nil {
		return err
	}
	return sameSet("messages of the group", dataOf(got.list()), dataOf(want))
}

func groupOthers(ctx context.Context, e *streamEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	topic := e.name()
	got := make([]tally[adapter.Message], 3)
	for i, group := range []string{e.name(), e.name(), ""} {
		if _, err := subscribe(ctx, e, s, topic, adapter.SubscribeOptions{Group: group}, collecting(&got[i])); err != nil {
			return err
		}
	}
	want := messages(topic, "k", 0, 10)
	if err := publish(ctx, s, want...); err != nil {
		return err
	}
	for i := range got {
		if err := exactly(ctx, e, fmt.Sprintf("messages of group %d", i), &got[i], want); err != nil {
			return err
		}
	}
	return nil
}

func groupPrefetch(ctx context.Context, e *streamEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		group           string
		prefetch, bound int
	}{{e.name(), 0, 1}, {e.name(), 3, 3}, {"", 1, 1}, {"", 3, 3}} {
		topic := e.name()
		var g gauge
		var done tally[adapter.Message]
		hold := make(chan struct{})
		o := adapter.SubscribeOptions{Group: c.group, Prefetch: c.prefetch}
		_, err := subscribe(ctx, e, s, topic, o, func(_ context.Context, m *adapter.Message) error {
			g.enter()
			defer g.leave()
			select {
			case <-hold:
			case <-e.over:
			}
			done.add(*m)
			return nil
		})
		if err != nil {
			return err
		}
		for i := range 12 {
			if err := publish(ctx, s, message(topic, fmt.Sprintf("k%d-", i), i)); err != nil {
				return err
			}
		}
		if err := e.quiet(ctx); err != nil {
			return err
		}
		close(hold)
		if err := arrived(ctx, e, &done, 12); err != nil {
			return err
		}
		if _, top := g.read(); top > c.bound {
			return fmt.Errorf("%d handlers ran at once with prefetch %d (group %q)", top, c.prefetch, c.group)
		}
	}
	return nil
}

func streamRedeliveryChecks() []streamCheck {
	return []streamCheck{
		{Name: "redelivery/after-an-error", run: redeliverFailed},
		{Name: "redelivery/after-a-death", run: redeliverDead},
		{Name: "redelivery/never-after-nil", run: redeliverAcked},
	}
}

func redeliverFailed(ctx context.Context, e *streamEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	topic := e.name()
	var got tally[adapter.Message]
	o := adapter.SubscribeOptions{Group: e.name()}
	_, err = subscribe(ctx, e, s, topic, o, func(_ context.Context, m *adapter.Message) error {
		if got.add(*m) < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil {
		return err
	}
	m := message(topic, "k", 0)
	if err := publish(ctx, s, m); err != nil {
		return err
	}
	if err := exactly(ctx, e, "deliveries of a message that fails twice", &got, []adapter.Message{m, m, m}); err != nil {
		return err
	}
	seen := got.list()
	for i, m := range seen {
		if m.ID != seen[0].ID {
			return fmt.Errorf("redelivered under another ID: %s, was %s", m.ID, seen[0].ID)
		}
		if m.Delivery != 0 && m.Delivery != i+1 {
			return fmt.Errorf("delivery %d of a message says %d", i+1, m.Delivery)
		}
	}
	return nil
}

func redeliverDead(ctx context.Context, e *streamEnv) error {
	dying, s, err := e.open2(ctx)
	if err != nil {
		return err
	}
	topic, o := e.name(), adapter.SubscribeOptions{Group: e.name()}
	began := make(chan struct{}, 100)
	_, err = subscribe(ctx, e, dying, topic, o, func(context.Context, *adapter.Message) error {
		began <- struct{}{}
		<-e.over
		return errors.New("died")
	})
	if err != nil {
		return err
	}
	m := message(topic, "k", 0)
	if err := publish(ctx, s, m); err != nil {
		return err
	}
	if err := e.signal("the message was delivered", began); err != nil {
		return err
	}
	if err := e.kill(dying); err != nil {
		return err
	}
	var got tally[adapter.Message]
	if _, err := subscribe(ctx, e, s, topic, o, collecting(&got)); err != nil {
		return err
	}
	return exactly(ctx, e, "messages of a member that died", &got, []adapter.Message{m})
}

func redeliverAcked(ctx context.Context, e *streamEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	topic, o := e.name(), adapter.SubscribeOptions{Group: e.name(), Prefetch: 4}
	var got tally[adapter.Message]
	var failing atomic.Bool
	failing.Store(true)
	_, err = subscribe(ctx, e, s, topic, o, func(_ context.Context, m *adapter.Message) error {
		if m.Key == "bad" && failing.Swap(false) {
			return errors.New("once")
		}
		got.add(*m)
		return nil
	})
	if err != nil {
		return err
	}
	want := append(messages(topic, "good", 0, 10), message(topic, "bad", 0))
	if err := publish(ctx, s, want...); err != nil {
		return err
	}
	if err := arrived(ctx, e, &got, len(want)); err != nil {
		return err
	}
	if err := e.sleep(ctx, 3*e.h.Lease); err != nil {
		return err
	}
	return sameSet("messages that were handled", dataOf(got.list()), dataOf(want))
}
