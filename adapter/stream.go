package adapter

import (
	"context"
	"encoding/json"
	"io"
	"time"
)

// Stream carries messages to subscribers on all instances.
type Stream interface {
	Info() Info

	// Publish sends messages. nil means that the backend has them: every subscription that is in place gets them. Messages
	// of one topic and key stay in order. On an error some of them may have been sent.
	Publish(ctx context.Context, m ...Message) error

	// Subscribe calls h for the messages of a topic until ctx ends (then it returns nil once every h has returned) or the
	// subscription is lost for good. It blocks, and reconnects by itself.
	//
	// Without a group every subscription gets every message published while it is in place; a failed h is not repeated.
	// With a group each message goes to one member, and nil from h acknowledges it: after an error, or when the member
	// dies, it is delivered again, to any member. At most Prefetch calls of h run at once; with 1 they come in order, and a
	// failed message is repeated before the next. The context of h is not cancelled with ctx.
	Subscribe(ctx context.Context, topic string, o SubscribeOptions, h func(context.Context, *Message) error) error

	// Topics returns the topics that begin with prefix and have messages kept or subscriptions in place, sorted.
	Topics(ctx context.Context, prefix string) ([]string, error)

	// Subscribers returns how many subscriptions to the topic are in place, on all instances that Info.Scope covers.
	Subscribers(ctx context.Context, topic string) (int, error)

	// Close ends all subscriptions and frees what the adapter opened.
	io.Closer
}

// Message is what a stream carries.
type Message struct {
	ID      string // assigned by the adapter: unique within the topic
	Topic   string
	Key     string // order is kept among messages of one key
	Data    json.RawMessage
	Headers map[string]string
	Labels  map[string]string
	At      time.Time // when the backend got it
	// Delivery counts the deliveries of this message to the group, this one included. 0 = unknown.
	Delivery int
}

// SubscribeOptions configures Stream.Subscribe.
type SubscribeOptions struct {
	// Group shares the topic among its members. Its place in the topic is kept while nobody subscribes, unless Ephemeral.
	Group     string
	Ephemeral bool // the group is forgotten with its last member
	Exclusive bool // one member of the group at a time gets messages; the others stand by
	// From is where a new group, or a subscription without one, begins: FromLatest (default), FromEarliest, or after the
	// message with this ID. Anything but FromLatest needs [CapReplay]. A group that exists goes on where it was.
	From     string
	Prefetch int // calls of h at once; 0 = 1
	// Ready, if not nil, is called once when the subscription is in place: messages published after that are delivered.
	Ready func()
}

// Where a subscription begins.
const (
	FromLatest   = ""
	FromEarliest = "earliest"
)
