package adaptertest_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/adaptertest"
	"github.com/nvent-go/nvent/adapter/memory"
)

type (
	receiver = func(ctx context.Context, m *adapter.Message) error
	sub      = adapter.SubscribeOptions
	msg      = adapter.Message
)

// stream is the memory stream with some of its methods replaced. A nil field leaves the method as it is.
type stream struct {
	*memory.Stream
	info        func(adapter.Info) adapter.Info
	publish     func(ctx context.Context, m []adapter.Message) error
	subscribe   func(ctx context.Context, topic string, o adapter.SubscribeOptions, h receiver) error
	topics      func(ctx context.Context, prefix string) ([]string, error)
	subscribers func(ctx context.Context, topic string) (int, error)
	close       func() error
}

func (s *stream) Info() adapter.Info {
	if s.info != nil {
		return s.info(s.Stream.Info())
	}
	return s.Stream.Info()
}

func (s *stream) Publish(ctx context.Context, m ...adapter.Message) error {
	if s.publish != nil {
		return s.publish(ctx, m)
	}
	return s.Stream.Publish(ctx, m...)
}

func (s *stream) Subscribe(
	ctx context.Context, topic string, o adapter.SubscribeOptions, h func(context.Context, *adapter.Message) error,
) error {
	if s.subscribe != nil {
		return s.subscribe(ctx, topic, o, h)
	}
	return s.Stream.Subscribe(ctx, topic, o, h)
}

func (s *stream) Topics(ctx context.Context, prefix string) ([]string, error) {
	if s.topics != nil {
		return s.topics(ctx, prefix)
	}
	return s.Stream.Topics(ctx, prefix)
}

func (s *stream) Subscribers(ctx context.Context, topic string) (int, error) {
	if s.subscribers != nil {
		return s.subscribers(ctx, topic)
	}
	return s.Stream.Subscribers(ctx, topic)
}

func (s *stream) Close() error {
	if s.close != nil {
		return s.close()
	}
	return s.Stream.Close()
}

// damming returns an opener of memory streams that edit has broken.
func damming(edit func(s *stream)) func(*memory.Backend) adapter.Stream {
	return func(b *memory.Backend) adapter.Stream {
		s := &stream{Stream: b.Stream()}
		edit(s)
		return s
	}
}

// options changes how subscriptions are made.
func options(edit func(o *adapter.SubscribeOptions)) func(*memory.Backend) adapter.Stream {
	return damming(func(s *stream) {
		s.subscribe = func(ctx context.Context, topic string, o adapter.SubscribeOptions, h receiver) error {
			edit(&o)
			return s.Stream.Subscribe(ctx, topic, o, h)
		}
	})
}

// editReceiver puts something between the stream and the handler.
func editReceiver(wrap func(h receiver) receiver) func(*memory.Backend) adapter.Stream {
	return damming(func(s *stream) {
		s.subscribe = func(ctx context.Context, topic string, o adapter.SubscribeOptions, h receiver) error {
			return s.Stream.Subscribe(ctx, topic, o, wrap(h))
		}
	})
}

// editMessages changes messages on their way in.
func editMessages(edit func(m []adapter.Message) []adapter.Message) func(*memory.Backend) adapter.Stream {
	return damming(func(s *stream) {
		s.publish = func(ctx context.Context, m []adapter.Message) error {
			return s.Stream.Publish(ctx, edit(slices.Clone(m))...)
		}
	})
}

func TestBrokenStreams(t *testing.T) {
	t.Parallel()
	sound := func(b *memory.Backend) adapter.Stream { return b.Stream() }
	catch(t, adaptertest.StreamChecks(), sound, slices.Concat(brokenMessages(), brokenSubscriptions(), brokenStreamLives()))
}

// brokenMessages change, lose or repeat messages.
func brokenMessages() []broken[adapter.Stream] {
	return []broken[adapter.Stream]{
		{"drops headers", "publish/keeps-every-field", editMessages(func(m []msg) []msg {
			for i := range m {
				m[i].Headers = nil
			}
			return m
		})},
		{"turns the order around", "fanout/every-subscription-gets-all-in-order", editMessages(func(m []msg) []msg {
			slices.Reverse(m)
			return m
		})},
		{"loses the last of many", "fanout/every-subscription-gets-all-in-order", editMessages(func(m []msg) []msg {
			return m[:max(1, len(m)-1)]
		})},
		{"repeats what failed without a group", "fanout/failed-is-not-repeated", editReceiver(func(h receiver) receiver {
			return func(ctx context.Context, m *adapter.Message) error {
				if h(ctx, m) != nil {
					return h(ctx, m)
				}
				return nil
			}
		})},
		{"acknowledges what failed", "redelivery/after-an-error", editReceiver(func(h receiver) receiver {
			return func(ctx context.Context, m *adapter.Message) error {
				_ = h(ctx, m)
				return nil
			}
		})},
		{"acknowledges before it is handled", "redelivery/after-a-death", editReceiver(func(h receiver) receiver {
			return func(ctx context.Context, m *adapter.Message) error {
				go func() { _ = h(context.WithoutCancel(ctx), m) }()
				return nil
			}
		})},
		{"repeats what was acknowledged", "redelivery/never-after-nil", editReceiver(func(h receiver) receiver {
			return func(ctx context.Context, m *adapter.Message) error { return errors.Join(h(ctx, m), h(ctx, m)) }
		})},
		{"counts deliveries wrongly", "redelivery/after-an-error", editReceiver(func(h receiver) receiver {
			return func(ctx context.Context, m *adapter.Message) error {
				c := *m
				c.Delivery = 1
				return h(ctx, &c)
			}
		})},
		{"goes on before what failed", "order/failed-is-repeated-before-the-next", editReceiver(func(h receiver) receiver {
			var failed []*adapter.Message
			return func(ctx context.Context, m *adapter.Message) error {
				for _, f := range failed {
					defer func() { _ = h(ctx, f) }()
				}
				failed = nil
				if h(ctx, m) != nil {
					failed = append(failed, m)
				}
				return nil
			}
		})},
	}
}

// brokenSubscriptions are made otherwise than asked for.
func brokenSubscriptions() []broken[adapter.Stream] {
	return []broken[adapter.Stream]{
		{"delivers to every member of a group", "group/each-message-to-one-member", options(func(o *sub) { o.Group = "" })},
		{"knows one group only", "group/other-groups-get-all-too", options(func(o *sub) { o.Group = "same" })},
		{"forgets the place of a group", "place/kept-while-nobody-subscribes", options(func(o *sub) { o.Ephemeral = true })},
		{"keeps an ephemeral group", "place/forgotten-if-ephemeral", options(func(o *sub) { o.Ephemeral = false })},
		{"ignores exclusive", "exclusive/one-member-the-others-stand-by", options(func(o *sub) { o.Exclusive = false })},
		{"exceeds prefetch", "group/prefetch-is-the-bound", options(func(o *sub) { o.Prefetch += 2 })},
		{"does not replay", "replay/from-earliest", options(func(o *sub) { o.From = adapter.FromLatest })},
		{"replays everything after an ID", "replay/after-a-message", options(func(o *sub) {
			if o.From != adapter.FromLatest {
				o.From = adapter.FromEarliest
			}
		})},
		{"always replays", "fanout/earlier-messages-are-not", options(func(o *sub) { o.From = adapter.FromEarliest })},
		{"is ready too early", "fanout/ready-then-published-is-delivered", damming(func(s *stream) {
			s.subscribe = func(ctx context.Context, topic string, o adapter.SubscribeOptions, h receiver) error {
				o.Ready()
				o.Ready = nil
				aMoment()
				return s.Stream.Subscribe(ctx, topic, o, h)
			}
		})},
		{"replays without claiming it", "replay/only-as-claimed", damming(func(s *stream) {
			s.info = func(i adapter.Info) adapter.Info {
				i.Caps &^= adapter.CapReplay
				return i
			}
		})},
	}
}

// brokenStreamLives misbehave from opening to closing.
func brokenStreamLives() []broken[adapter.Stream] {
	return []broken[adapter.Stream]{
		{"ignores cancellation", "cancel/every-call-returns-the-cause", damming(func(s *stream) {
			s.publish = func(ctx context.Context, m []adapter.Message) error {
				return s.Stream.Publish(context.WithoutCancel(ctx), m...)
			}
		})},
		{"cancels handlers with subscribe", "drain/waits-for-handlers", damming(func(s *stream) {
			s.subscribe = func(ctx context.Context, topic string, o adapter.SubscribeOptions, h receiver) error {
				return s.Stream.Subscribe(ctx, topic, o, func(_ context.Context, m *adapter.Message) error { return h(ctx, m) })
			}
		})},
		{"lists topics backwards", "topics/by-prefix-sorted", damming(func(s *stream) {
			s.topics = func(ctx context.Context, prefix string) ([]string, error) {
				topics, err := s.Stream.Topics(ctx, prefix)
				slices.Reverse(topics)
				return topics, err
			}
		})},
		{"counts its own subscribers only", "topics/subscribers-are-counted", damming(func(s *stream) {
			var n atomic.Int64
			s.subscribe = func(ctx context.Context, topic string, o adapter.SubscribeOptions, h receiver) error {
				n.Add(1)
				defer n.Add(-1)
				return s.Stream.Subscribe(ctx, topic, o, h)
			}
			s.subscribers = func(context.Context, string) (int, error) { return int(n.Load()), nil }
		})},
		{"leaves subscriptions open", "close/ends-subscriptions", damming(func(s *stream) { s.close = func() error { return nil } })},
		{"leaks a goroutine", "close/leaks-nothing", damming(func(s *stream) {
			s.publish = func(ctx context.Context, m []adapter.Message) error {
				go func() { select {} }()
				return s.Stream.Publish(ctx, m...)
			}
		})},
	}
}
