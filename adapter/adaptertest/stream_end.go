package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nvent-go/nvent/adapter"
)

func streamTopicChecks() []streamCheck {
	return []streamCheck{
		{Name: "topics/by-prefix-sorted", run: topicsListed},
		{Name: "topics/subscribers-are-counted", run: topicsSubscribers},
	}
}

func topicsListed(ctx context.Context, e *streamEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	prefix := e.name()
	want := []string{prefix + "-a", prefix + "-b", prefix + "-c"}
	for _, topic := range []string{want[2], want[0], want[1], e.name()} {
		if _, err := subscribe(ctx, e, a, topic, adapter.SubscribeOptions{}, collecting(&tally[adapter.Message]{})); err != nil {
			return err
		}
	}
	var got []string
	err = e.until(ctx, "the topics are listed", func() (bool, error) {
		got, err = b.Topics(ctx, prefix+"-")
		return slices.Equal(got, want), err
	})
	if err != nil {
		return fmt.Errorf("%w: got %v, want %v", err, got, want)
	}
	if got, err = b.Topics(ctx, e.name()); err != nil || len(got) != 0 {
		return fmt.Errorf("topics with a prefix that none has: %s, %w", strings.Join(got, ", "), errOr(err, "want none"))
	}
	return nil
}

func topicsSubscribers(ctx context.Context, e *streamEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	topic := e.name()
	var subs []*subscription
	count := func(want int) error {
		n := 0
		err := e.until(ctx, fmt.Sprintf("%d subscribers are counted", want), func() (ok bool, err error) {
			n, err = a.Subscribers(ctx, topic)
			return n == want, err
		})
		if err != nil {
			return fmt.Errorf("%w: %d are", err, n)
		}
		return nil
	}
	if err := count(0); err != nil {
		return err
	}
	for i, group := range []string{"", "", e.name()} {
		sub, err := subscribe(ctx, e, []adapter.Stream{a, b}[i%2], topic, adapter.SubscribeOptions{Group: group},
			collecting(&tally[adapter.Message]{}))
		if err != nil {
			return err
		}
		subs = append(subs, sub)
	}
	if err := count(3); err != nil {
		return err
	}
	if err := subs[0].stop(); err != nil {
		return err
	}
	if err := count(2); err != nil {
		return err
	}
	if err := e.kill(b); err != nil {
		return err
	}
	return count(1)
}

func streamEndChecks() []streamCheck {
	return []streamCheck{
		{Name: "drain/waits-for-handlers", run: streamDrains},
		{Name: "cancel/every-call-returns-the-cause", run: streamCancel},
		{Name: "close/every-call-returns-closed", run: streamClosed},
		{Name: "close/ends-subscriptions", run: streamCloseEnds},
		{Name: "close/leaks-nothing", run: streamLeaks},
	}
}

func streamDrains(ctx context.Context, e *streamEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	for _, group := range []string{"", e.name()} {
		topic, o := e.name(), adapter.SubscribeOptions{Group: group}
		began, hold := make(chan context.Context, 10), make(chan struct{})
		running := make(chan struct{}, 10)
		sub, err := subscribe(ctx, e, s, topic, o, func(hctx context.Context, _ *adapter.Message) error {
			began <- hctx
			running <- struct{}{}
			select {
			case <-hold:
			case <-e.over:
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := publish(ctx, s, message(topic, "k", 0)); err != nil {
			return err
		}
		if err := e.signal("the message was delivered", running); err != nil {
			return err
		}
		hctx := <-began
		sub.cancel()
		if err := e.quiet(ctx); err != nil {
			return err
		}
		select {
		case err := <-sub.done:
			return fmt.Errorf("subscribe returned while a handler runs: %w", errOr(err, "nil"))
		default:
		}
		if hctx.Err() != nil {
			return fmt.Errorf("the handler's context ended with subscribe's: %w", context.Cause(hctx))
		}
		close(hold)
		if err := sub.stop(); err != nil {
			return err
		}
		if group == "" {
			continue
		}
		var got tally[adapter.Message]
		if _, err := subscribe(ctx, e, s, topic, o, collecting(&got)); err != nil {
			return err
		}
		if err := exactly(ctx, e, "messages acknowledged while draining", &got, nil); err != nil {
			return err
		}
	}
	return nil
}

func streamCalls(s adapter.Stream, topic string) calls {
	return calls{
		"publish":     func(ctx context.Context) error { return s.Publish(ctx, message(topic, "k", 0)) },
		"topics":      func(ctx context.Context) error { _, err := s.Topics(ctx, topic); return err },
		"subscribers": func(ctx context.Context) error { _, err := s.Subscribers(ctx, topic); return err },
	}
}

func streamCancel(ctx context.Context, e *streamEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	if err := everyCall(ctx, e, streamCalls(s, e.name())); err != nil {
		return err
	}
	sub, err := subscribe(ctx, e, s, e.name(), adapter.SubscribeOptions{}, collecting(&tally[adapter.Message]{}))
	if err != nil {
		return err
	}
	if err := sub.stop(); err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	sub = join(ended, e, s, e.name(), adapter.SubscribeOptions{}, collecting(&tally[adapter.Message]{}))
	return sub.stop()
}

func streamClosed(ctx context.Context, e *streamEnv) error {
	s, other, err := e.open2(ctx)
	if err != nil {
		return err
	}
	topic := e.name()
	c := streamCalls(s, topic)
	c["subscribe"] = func(ctx context.Context) error {
		return s.Subscribe(ctx, topic, adapter.SubscribeOptions{}, collecting(&tally[adapter.Message]{}))
	}
	if err := closedTwice(ctx, e, s, c); err != nil {
		return err
	}
	if err := publish(ctx, other, message(topic, "k", 0)); err != nil {
		return fmt.Errorf("closing one instance broke another: %w", err)
	}
	return nil
}

func streamCloseEnds(ctx context.Context, e *streamEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	var subs []*subscription
	for _, group := range []string{"", e.name()} {
		sub, err := subscribe(ctx, e, s, e.name(), adapter.SubscribeOptions{Group: group}, collecting(&tally[adapter.Message]{}))
		if err != nil {
			return err
		}
		subs = append(subs, sub)
	}
	if err := s.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	for _, sub := range subs {
		if err := e.ended("subscribe", sub.done); !errors.Is(err, adapter.ErrClosed) {
			return fmt.Errorf("subscribe when the adapter is closed: %w, want ErrClosed", errOr(err, "nil"))
		}
	}
	return nil
}

func streamLeaks(ctx context.Context, e *streamEnv) error {
	return e.checkLeaks(ctx, func(ctx context.Context) error {
		s, err := e.open(ctx)
		if err != nil {
			return err
		}
		topic := e.name()
		var got tally[adapter.Message]
		for _, group := range []string{"", e.name()} {
			if _, err := subscribe(ctx, e, s, topic, adapter.SubscribeOptions{Group: group}, collecting(&got)); err != nil {
				return err
			}
		}
		if err := publish(ctx, s, messages(topic, "k", 0, 5)...); err != nil {
			return err
		}
		if err := arrived(ctx, e, &got, 10); err != nil {
			return err
		}
		return s.Close()
	})
}
