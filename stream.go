package nvent

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/internal/decode"
)

// Stream carries events between instances and programs, by topic. It is the same on every adapter. Inside one process the
// [Bus] does the same without a backend.
//
// Its methods may be called from many goroutines, block until the backend has answered or ctx ends, and return errors of
// type [*Error].
type Stream struct {
	driver adapter.Stream
	name   string // of the adapter
	o      streamOptions
	subs   subscriptions
}

type streamOptions struct {
	maxPayload int // bytes; 0 = defaultMaxPayload
	log        *slog.Logger
}

func newStream(driver adapter.Stream, o streamOptions) *Stream {
	if o.maxPayload == 0 {
		o.maxPayload = defaultMaxPayload
	}
	s := &Stream{driver: driver, name: driver.Info().Name, o: o}
	s.subs.init()
	return s
}

// close ends the subscriptions and waits for their functions. It does not close the adapter.
func (s *Stream) close() { s.subs.close() }

// StreamInput is an event to publish.
type StreamInput struct {
	Data any // encoded as JSON; a json.RawMessage is taken as it is, and must not be changed afterwards
	// Key keeps the order: events of a topic with the same key arrive as they were published.
	Key string

	// What the event is about, if it is about a run.
	RunID    string
	FlowName string

	Headers map[string]string // metadata; carried along, beside nvent-run-id and nvent-flow-name
	Labels  map[string]string // at most 8
}

// StreamEvent is an event of a topic.
type StreamEvent struct {
	ID       string // unique within the topic
	Topic    string
	Key      string
	Data     json.RawMessage
	RunID    string
	FlowName string
	Headers  map[string]string
	Labels   map[string]string
	At       time.Time // when the backend got it
	// Delivery counts the deliveries of the event to the group, this one included; 0 where the backend does not count.
	Delivery int
}

// Decode decodes the data of the event.
func (e *StreamEvent) Decode(v any) error {
	if err := decode.JSON(e.Data, v); err != nil {
		return fmt.Errorf("decode event %s of topic %q as %T: %w", e.ID, e.Topic, v, err)
	}
	return nil
}

// The headers in which a message carries what the adapter has no field for.
const (
	headerRun      = "nvent-run-id"
	headerFlow     = "nvent-flow-name"
	headerTopic    = "nvent-topic" // of a dead letter: where it comes from
	headerError    = "nvent-error"
	headerDelivery = "nvent-deliveries"
)

// Publish sends an event to a topic. When it returns nil the backend has it, and every subscription that is in place gets it.
func (s *Stream) Publish(ctx context.Context, topic string, event StreamInput) error {
	return s.PublishAll(ctx, topic, event)
}

// PublishAll is [Stream.Publish] for several events in one call of the adapter. When an event is refused none is sent; after
// another error some may have been.
func (s *Stream) PublishAll(ctx context.Context, topic string, events ...StreamInput) error {
	const op = "publish"
	if err := checkOwnTopic(topic); err != nil {
		return wrap(s.name, op, err)
	}
	messages := make([]adapter.Message, len(events))
	for i, e := range events {
		m, err := s.message(topic, e)
		if err != nil {
			return wrap(s.name, op, about(fmt.Sprintf("event %d to %s", i+1, topic), err))
		}
		messages[i] = m
	}
	if len(messages) == 0 {
		return nil
	}
	return wrap(s.name, op, s.driver.Publish(ctx, messages...))
}

func (s *Stream) message(topic string, e StreamInput) (adapter.Message, error) {
	data, err := encodeJSON(e.Data, s.o.maxPayload)
	if err != nil {
		return adapter.Message{}, err
	}
	if err := checkHeaders(e.Headers); err != nil {
		return adapter.Message{}, err
	}
	if err := checkLabels(e.Labels); err != nil {
		return adapter.Message{}, err
	}
	m := adapter.Message{Topic: topic, Key: e.Key, Data: data, Headers: maps.Clone(e.Headers), Labels: maps.Clone(e.Labels)}
	for _, h := range []struct{ what, header, value string }{
		{"Key", "", e.Key}, {"RunID", headerRun, e.RunID}, {"FlowName", headerFlow, e.FlowName},
	} {
		if h.value == "" {
			continue
		}
		if err := checkKey(h.what, h.value); err != nil {
			return m, err
		}
		if h.header != "" {
			if m.Headers == nil {
				m.Headers = map[string]string{}
			}
			m.Headers[h.header] = h.value
		}
	}
	return m, nil
}

// received returns a message as users see it.
func received(m *adapter.Message) *StreamEvent {
	return &StreamEvent{
		ID: m.ID, Topic: m.Topic, Key: m.Key, Data: m.Data, RunID: m.Headers[headerRun], FlowName: m.Headers[headerFlow],
		Headers: m.Headers, Labels: m.Labels, At: m.At, Delivery: m.Delivery,
	}
}

// Topics returns the topics that begin with prefix and have events kept or subscriptions in place, sorted. Those of the
// engine are left out.
func (s *Stream) Topics(ctx context.Context, prefix string) ([]string, error) {
	topics, err := s.driver.Topics(ctx, prefix)
	if err != nil {
		return nil, wrap(s.name, "list topics", err)
	}
	return slices.DeleteFunc(slices.Clone(topics), isEngineTopic), nil
}

// SubscriptionCount returns how many subscriptions to the topic are in place, on all instances that the adapter covers.
func (s *Stream) SubscriptionCount(ctx context.Context, topic string) (int, error) {
	const op = "count subscriptions"
	if err := checkName("topic", topic); err != nil {
		return 0, wrap(s.name, op, err)
	}
	n, err := s.driver.Subscribers(ctx, topic)
	return n, wrap(s.name, op, err)
}

// engineTopics begin the topics that only the engine publishes to.
var engineTopics = []string{"runs.", "logs.", "nvent."}

func isEngineTopic(topic string) bool {
	return slices.ContainsFunc(engineTopics, func(p string) bool { return strings.HasPrefix(topic, p) })
}

func checkOwnTopic(topic string) error {
	if isEngineTopic(topic) {
		return hinted(fmt.Errorf("%w: topic %q is the engine's", ErrInvalid, topic),
			"choose a name that does not begin with runs., logs. or nvent.")
	}
	return checkName("topic", topic)
}
