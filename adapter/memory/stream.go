package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/nvent-go/nvent/adapter"
)

// Stream is an instance of the streams of a [Backend], like those of one process: it has its own subscriptions, and Close
// and Kill end them alone. It is an [adapter.Stream].
type Stream struct {
	b    *Backend
	done chan struct{} // closed by Close and Kill

	mu     sync.Mutex
	closed bool // for good: by Close
	dead   bool // by Close or Kill
	subs   map[*subscription]struct{}
}

// Stream opens an instance.
func (b *Backend) Stream() *Stream {
	return &Stream{b: b, done: make(chan struct{}), subs: map[*subscription]struct{}{}}
}

// Info returns what the stream claims.
func (in *Stream) Info() adapter.Info { return info(adapter.CapReplay) }

func (in *Stream) usable(ctx context.Context, op string) error {
	select {
	case <-in.done:
		return fail(op, adapter.ErrClosed, "")
	default:
		return ended(ctx, op)
	}
}

// Publish sends messages. When a subscription is too far behind, see Options.Backlog, it returns [adapter.ErrUnavailable].
// See [adapter.Stream].
func (in *Stream) Publish(ctx context.Context, messages ...adapter.Message) error {
	if err := in.usable(ctx, "publish"); err != nil {
		return err
	}
	for i := range messages {
		if messages[i].Topic == "" {
			return invalid("publish", fmt.Sprintf("message %d of %d has no topic", i+1, len(messages)), "set Message.Topic")
		}
	}
	for from := 0; from < len(messages); {
		to := from + 1
		for to < len(messages) && messages[to].Topic == messages[from].Topic {
			to++
		}
		if err := in.b.publish(messages[from:to]); err != nil {
			return fail("publish", err, "")
		}
		from = to
	}
	return nil
}

// publish adds messages of one topic.
func (b *Backend) publish(messages []adapter.Message) error {
	t := b.topic(messages[0].Topic, true)
	defer t.mu.Unlock()
	now := b.now()
	if behind := t.next() - t.behind(); behind > 0 && behind+uint64(len(messages)) > uint64(b.o.Backlog) {
		return fmt.Errorf("%w: a subscription to topic %q is %d messages behind", adapter.ErrUnavailable, t.name, behind)
	}
	for i := range messages {
		t.add(&messages[i], now)
	}
	t.call()
	t.trim(now)
	return nil
}

// Subscribe calls h for the messages of a topic. A message whose h failed in a group is given out again at once; the
// members of a group that is killed are replaced after Options.DefaultLease. See [adapter.Stream].
func (in *Stream) Subscribe(
	ctx context.Context, topic string, o adapter.SubscribeOptions, h func(context.Context, *adapter.Message) error,
) error {
	if topic == "" || h == nil {
		return invalid("subscribe", "no topic or no handler", "")
	}
	s := &subscription{exclusive: o.Exclusive && o.Group != "", prefetch: max(o.Prefetch, 1), h: h}
	s.ctx, s.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	defer s.cancel(nil)
	if err := in.join(s, topic, &o); err != nil {
		return fail("subscribe", err, "")
	}
	t := s.group.topic
	if o.Ready != nil {
		o.Ready()
	}
	select {
	case <-ctx.Done():
	case <-in.done:
	}
	t.mu.Lock()
	s.stop()
	t.mu.Unlock()
	s.wg.Wait()
	t.mu.Lock()
	if !s.killed { // else the others have yet to find out
		t.leave(s)
	}
	t.mu.Unlock()
	in.mu.Lock()
	delete(in.subs, s)
	in.mu.Unlock()
	select {
	case <-in.done:
		return fail("subscribe", adapter.ErrClosed, "")
	default:
		return nil
	}
}

// join puts a subscription in place.
func (in *Stream) join(s *subscription, name string, o *adapter.SubscribeOptions) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.dead {
		return adapter.ErrClosed
	}
	t := in.b.topic(name, true)
	defer t.mu.Unlock()
	if err := t.join(s, o); err != nil {
		return err
	}
	in.subs[s] = struct{}{}
	s.group.call()
	return nil
}

// Topics returns topics by prefix. See [adapter.Stream].
func (in *Stream) Topics(ctx context.Context, prefix string) ([]string, error) {
	if err := in.usable(ctx, "list topics"); err != nil {
		return nil, err
	}
	in.b.mu.Lock()
	defer in.b.mu.Unlock()
	in.b.pruneTopics()
	var names []string
	for name, t := range in.b.topics {
		t.mu.Lock()
		listed := strings.HasPrefix(name, prefix) && len(t.messages)+t.subscribers() > 0
		t.mu.Unlock()
		if listed {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Subscribers returns how many subscriptions to a topic are in place. See [adapter.Stream].
func (in *Stream) Subscribers(ctx context.Context, topic string) (int, error) {
	if err := in.usable(ctx, "count subscribers"); err != nil {
		return 0, err
	}
	t := in.b.topic(topic, false)
	if t == nil {
		return 0, nil
	}
	defer t.mu.Unlock()
	return t.subscribers(), nil
}

func (t *topic) subscribers() int {
	n := len(t.fanout)
	for _, g := range t.groups {
		n += len(g.members)
	}
	return n
}

// Close ends the subscriptions of this instance: what their handlers have not acknowledged goes to other members at once,
// and their contexts end with [adapter.ErrClosed]. It does not wait for handlers: Subscribe does.
func (in *Stream) Close() error {
	in.mu.Lock()
	first := !in.closed
	in.closed = true
	in.mu.Unlock()
	if first {
		in.end(func(s *subscription) {
			if !s.killed {
				s.group.topic.leave(s)
			}
			s.cancel(adapter.ErrClosed)
		})
	}
	return nil
}

// Kill drops the instance as the crash of its process would: its methods return [adapter.ErrClosed], and nothing that its
// handlers still return counts. The others find out after Options.DefaultLease: then the handlers' contexts end with
// [adapter.ErrLeaseLost], and other members of their groups get what they had. It is for tests.
func (in *Stream) Kill() {
	in.end(func(s *subscription) {
		if s.killed {
			return
		}
		s.killed = true
		t := s.group.topic
		t.b.o.Clock.AfterFunc(t.b.o.DefaultLease, func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.leave(s)
			s.cancel(adapter.ErrLeaseLost)
		})
	})
}

func (in *Stream) end(how func(*subscription)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for s := range in.subs {
		t := s.group.topic
		t.mu.Lock()
		s.stop()
		how(s)
		t.mu.Unlock()
	}
	if !in.dead {
		in.dead = true
		close(in.done)
	}
}
