package enginetest

import (
	"context"

	"github.com/nvent-go/nvent/adapter"
)

// faultyStream is a stream with faults. It embeds nothing, so that no call goes past them.
type faultyStream struct {
	s adapter.Stream
	f *faults
}

func (w faultyStream) Info() adapter.Info { return w.s.Info() }

func (w faultyStream) Close() error { return w.s.Close() }

func (w faultyStream) Publish(ctx context.Context, m ...adapter.Message) error {
	_, err := faulty(ctx, w.f, "publish", func(ctx context.Context) (struct{}, error) { return struct{}{}, w.s.Publish(ctx, m...) })
	return err
}

func (w faultyStream) Subscribe(ctx context.Context, topic string, o adapter.SubscribeOptions,
	h func(context.Context, *adapter.Message) error) error {
	return w.f.blocking(ctx, "subscribe", true, o.Ready, func(ctx context.Context, ready func()) error {
		o.Ready = ready
		return w.s.Subscribe(ctx, topic, o, func(ctx context.Context, m *adapter.Message) error {
			if w.f.isDead() {
				return errCut
			}
			return h(ctx, m)
		})
	})
}

func (w faultyStream) Topics(ctx context.Context, prefix string) ([]string, error) {
	return faulty(ctx, w.f, "topics", func(ctx context.Context) ([]string, error) { return w.s.Topics(ctx, prefix) })
}

func (w faultyStream) Subscribers(ctx context.Context, topic string) (int, error) {
	return faulty(ctx, w.f, "subscribers", func(ctx context.Context) (int, error) { return w.s.Subscribers(ctx, topic) })
}
