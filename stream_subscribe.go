package nvent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// Where a subscription begins: see [SubscribeOptions].
const (
	FromLatest   = adapter.FromLatest
	FromEarliest = adapter.FromEarliest
)

// SubscribeOptions configures [Stream.Subscribe].
type SubscribeOptions struct {
	// Group shares the topic among its members, on all instances: each event goes to one of them, and again to any of them
	// when its handler fails or its instance dies. Without a group every subscription gets every event once, come what may.
	Group string
	// Ephemeral lets the group be forgotten with its last member. Else it keeps its place in the topic while nobody is there.
	Ephemeral bool
	// Exclusive gives events to one member of the group at a time; the others stand by.
	Exclusive bool
	// Prefetch is how many calls of the handler may run at once. 0 = 1, which keeps the order of the topic.
	Prefetch int
	// From is where a new group, or a subscription without one, begins: FromLatest, FromEarliest, or after the event with
	// this ID. Anything but FromLatest needs an adapter that keeps the past of topics.
	From string

	// MaxDeliveries is how often the group is given an event whose handler fails. After that, or after an error that is
	// [flow.Permanent], the event moves to the topic DeadLetter (default: the topic with ".dead" behind it), with the headers
	// nvent-topic, nvent-error and nvent-deliveries. 0 = for ever.
	MaxDeliveries int
	DeadLetter    string
}

// StreamHandler handles an event of a topic. In a group nil acknowledges the event, and an error has it delivered again.
type StreamHandler func(ctx context.Context, e *StreamEvent) error

// Subscribe calls h for the events of a topic until the subscription ends. It returns when the subscription is in place:
// what is published after that arrives. ctx bounds only that; the handlers' contexts carry its values, and last until they
// return. A handler that panics has failed; every failure is logged.
func (s *Stream) Subscribe(ctx context.Context, topic string, h StreamHandler, o SubscribeOptions) (*Subscription, error) {
	const op = "subscribe"
	if err := o.check(topic); err != nil {
		return nil, wrap(s.name, op, err)
	}
	if h == nil {
		return nil, wrap(s.name, op, fmt.Errorf("%w: the handler is nil", ErrInvalid))
	}
	r := &receiver{stream: s, topic: topic, handler: h, o: o}
	sub, err := s.subs.start(ctx, topic, func(ctx context.Context, ready func()) error {
		return s.driver.Subscribe(ctx, topic, adapter.SubscribeOptions{
			Group: o.Group, Ephemeral: o.Ephemeral, Exclusive: o.Exclusive, From: o.From, Prefetch: o.Prefetch, Ready: ready,
		}, r.receive)
	})
	return sub, wrap(s.name, op, err)
}

func (o *SubscribeOptions) check(topic string) error {
	if err := checkName("topic", topic); err != nil {
		return err
	}
	if o.Group == "" && (o.Exclusive || o.Ephemeral || o.MaxDeliveries != 0) {
		return hinted(fmt.Errorf("%w: Exclusive, Ephemeral and MaxDeliveries are about a group, and there is none", ErrInvalid),
			"set Group; without one a subscription is its own, and forgotten with its end")
	}
	if o.Group != "" {
		if err := checkName("group", o.Group); err != nil {
			return err
		}
	}
	switch {
	case o.Prefetch < 0 || o.Prefetch > maxPage:
		return fmt.Errorf("%w: prefetch %d: use 1 to %d, or 0 for one at a time", ErrInvalid, o.Prefetch, maxPage)
	case o.MaxDeliveries < 0:
		return fmt.Errorf("%w: %d deliveries at most: use 1 or more, or 0 for no limit", ErrInvalid, o.MaxDeliveries)
	case o.DeadLetter != "" && o.MaxDeliveries == 0:
		return fmt.Errorf("%w: there is a DeadLetter, and MaxDeliveries that never sends anything there", ErrInvalid)
	case o.MaxDeliveries == 0:
		return nil
	case o.DeadLetter == "":
		o.DeadLetter = topic + ".dead"
	case o.DeadLetter == topic:
		return fmt.Errorf("%w: DeadLetter is the topic itself", ErrInvalid)
	}
	return checkOwnTopic(o.DeadLetter)
}

// receiver calls the handler of a subscription.
type receiver struct {
	stream  *Stream
	topic   string
	handler StreamHandler
	o       SubscribeOptions

	mu       sync.Mutex
	failures map[string]int // by ID of events whose deliveries the backend does not count
}

// maxFailures bounds what is remembered of events that have moved on to another member.
const maxFailures = 10_000

func (r *receiver) receive(ctx context.Context, m *adapter.Message) error {
	e := received(m)
	err := r.call(ctx, e)
	if err == nil {
		r.forget(m)
		return nil
	}
	n := r.delivery(m)
	if r.o.MaxDeliveries == 0 || n < r.o.MaxDeliveries && !flow.IsPermanent(err) {
		r.stream.o.log.WarnContext(ctx, "handler of a topic failed", "topic", r.topic, "group", r.o.Group, "id", m.ID, "delivery", n,
			"error", err)
		return err
	}
	if moved := r.bury(ctx, m, n, err); moved != nil {
		return errors.Join(err, moved)
	}
	r.forget(m)
	r.stream.o.log.ErrorContext(ctx, "event is given up", "topic", r.topic, "group", r.o.Group, "id", m.ID, "delivery", n,
		"deadLetter", r.o.DeadLetter, "error", err)
	return nil
}

func (r *receiver) call(ctx context.Context, e *StreamEvent) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return r.handler(ctx, e)
}

// bury moves an event to the topic of dead letters.
func (r *receiver) bury(ctx context.Context, m *adapter.Message, deliveries int, why error) error {
	headers := maps.Clone(m.Headers)
	if headers == nil {
		headers = map[string]string{}
	}
	headers[headerTopic] = r.topic
	headers[headerError] = headerText(why)
	headers[headerDelivery] = strconv.Itoa(deliveries)
	err := r.stream.driver.Publish(ctx, adapter.Message{
		Topic: r.o.DeadLetter, Key: m.Key, Data: m.Data, Headers: headers, Labels: m.Labels,
	})
	if err != nil {
		return fmt.Errorf("move to dead letters %q: %w", r.o.DeadLetter, err)
	}
	return nil
}

// delivery returns how often the event has been delivered: as the backend counts, else as this subscription does.
func (r *receiver) delivery(m *adapter.Message) int {
	if m.Delivery > 0 || r.o.MaxDeliveries == 0 {
		return m.Delivery
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failures == nil || len(r.failures) >= maxFailures {
		r.failures = map[string]int{}
	}
	r.failures[m.ID]++
	return r.failures[m.ID]
}

func (r *receiver) forget(m *adapter.Message) {
	if m.Delivery > 0 || r.o.MaxDeliveries == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.failures, m.ID)
}
