package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// subscription is a call of Subscribe.
type subscription struct {
	s         *Stream
	topic     string
	key       string // of the topic's stream
	member    string // what the server knows it by
	group     string
	ephemeral bool
	exclusive bool
	prefetch  int
	h         func(context.Context, *adapter.Message) error

	news    chan struct{} // there may be something to read
	orphans atomic.Bool   // members that are dead or have left may have left something behind
	lost    atomic.Bool   // the server does not know of it any more: it has to join again
	parted  atomic.Bool   // Close has said goodbye for it
	recheck atomic.Bool   // whether it still is the one that gets the messages of an exclusive group

	mu     sync.Mutex
	cursor string // the last message that was read
	values context.Context
	ctx    context.Context // of handlers
	cancel context.CancelCauseFunc
}

// Subscribe calls h for the messages of a topic. A message whose h failed in a group is given to the same member again at once.
// The contexts of handlers end with [adapter.ErrClosed] when the stream is closed, and in a group with [adapter.ErrLeaseLost]
// when others may have taken over. Outages are sat out once the subscription is in place. See [adapter.Stream].
func (s *Stream) Subscribe(
	ctx context.Context, topic string, o adapter.SubscribeOptions, h func(context.Context, *adapter.Message) error,
) error {
	const op = "subscribe"
	if s.ctx.Err() != nil {
		return conn.Closed(op)
	}
	if topic == "" || h == nil {
		return conn.Invalid(op, "no topic or no handler", "")
	}
	if o.From != adapter.FromLatest && o.From != adapter.FromEarliest && !isID(o.From) {
		return conn.Invalid(op, fmt.Sprintf("from %q", o.From), `use "earliest", or the ID of a message`)
	}
	run, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	b := s.newSubscription(ctx, topic, &o, h)
	err := b.join(run, o.From)
	if err == nil {
		err = s.add(b)
	}
	if err == nil {
		if o.Ready != nil {
			o.Ready()
		}
		if b.group == "" {
			err = b.listen(run)
		} else {
			err = b.take(run)
		}
		s.remove(b)
	}
	b.abandon(nil)
	if !b.parted.Load() {
		b.leave(ctx)
	}
	switch {
	case s.ctx.Err() != nil:
		return conn.Closed(op)
	case ctx.Err() != nil:
		return nil
	}
	return conn.Error(ctx, op, err)
}

func (s *Stream) newSubscription(
	ctx context.Context, topic string, o *adapter.SubscribeOptions, h func(context.Context, *adapter.Message) error,
) *subscription {
	s.mu.Lock()
	s.made++
	n := s.made
	s.mu.Unlock()
	b := &subscription{
		s: s, topic: topic, key: s.keys.stream(topic), member: s.id + ":" + strconv.Itoa(n), group: o.Group, ephemeral: o.Ephemeral,
		exclusive: o.Exclusive && o.Group != "", prefetch: max(o.Prefetch, 1), h: h, news: make(chan struct{}, 1),
		values: context.WithoutCancel(ctx),
	}
	b.ctx, b.cancel = context.WithCancelCause(b.values)
	b.orphans.Store(true)
	return b
}

// join puts the subscription in place, or back in place: from is where it begins then.
func (b *subscription) join(ctx context.Context, from string) error {
	if err := b.s.register(ctx, b.topic); err != nil {
		return err
	}
	age := b.s.o.retention(b.topic).Age
	args := []string{b.member, millis(b.s.o.Lease), millis(age), from}
	if b.group != "" {
		flag := "0"
		if b.ephemeral {
			flag = "1"
		}
		args = append(args, b.group, flag)
	}
	at, err := b.s.run(ctx, call{joinScript, b.key, args})[0].ToString()
	if err != nil {
		return err
	}
	b.moveTo(at)
	return nil
}

// leaving returns what ends the subscription.
func (b *subscription) leaving() call {
	args := []string{b.member}
	if b.group != "" {
		args = append(args, b.group)
	}
	return call{leaveScript, b.key, args}
}

func (b *subscription) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingTime)
	defer cancel()
	if err := b.s.run(ctx, b.leaving())[0].Error(); err != nil && b.s.ctx.Err() == nil {
		b.s.o.Logger.Warn("a subscription counts until its lease is over", "topic", b.topic, "group", b.group,
			"reason", "the server did not hear of its end", "error", err)
	}
}

// rejoin joins again if the server has forgotten the subscription.
func (b *subscription) rejoin(ctx context.Context) error {
	if !b.lost.Load() {
		return nil
	}
	if err := b.join(ctx, b.place()); err != nil {
		return err
	}
	b.lost.Store(false)
	b.s.forgetNames()
	b.s.o.Logger.Warn("subscription was forgotten by the server, and is in place again", "topic", b.topic, "group", b.group)
	return nil
}

func (b *subscription) wake() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}

func (b *subscription) place() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cursor
}

func (b *subscription) moveTo(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cursor = id
}

// context returns the context of a handler that begins now.
func (b *subscription) context() context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ctx
}

// abandon ends the contexts of the handlers that run. Those that begin later have another one.
func (b *subscription) abandon(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cancel(cause)
	if cause != nil && !errors.Is(cause, adapter.ErrClosed) {
		b.ctx, b.cancel = context.WithCancelCause(b.values)
	}
}

// passing reports whether an error ends by itself: then the subscription goes on.
func (b *subscription) passing(ctx context.Context, err error) bool {
	if answer, ok := rueidis.IsRedisErr(err); ok && strings.HasPrefix(answer.Error(), "NOGROUP") {
		b.lost.Store(true)
		return true
	}
	return errors.Is(conn.Error(ctx, "subscribe", err), adapter.ErrUnavailable)
}
