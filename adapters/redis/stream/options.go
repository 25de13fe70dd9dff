package stream

import (
	"log/slog"
	"strings"
	"time"
)

// Options configures a [Stream].
type Options struct {
	// Prefix begins every key. Streams with different prefixes share nothing. Default: nvent. It must not contain braces.
	Prefix string `json:"-"`
	// Logger is told when the connection is lost and found again, and what happens to messages that nobody can handle.
	// nil: nobody is told.
	Logger *slog.Logger `json:"-"`
	// Lease is how long a subscription is in place without a sign of life: then others get what it has not acknowledged.
	// Default: 15 s; at least 100 ms.
	Lease time.Duration `json:"lease,omitempty"`
	// Retention is what a topic keeps of what everybody has got. Default: 10,000 messages, for an hour.
	Retention Retention `json:"retention"`
	// Topics are other retentions, by what a topic's name begins with: the longest counts. Default: 100 messages for a
	// minute where the name begins with "runs.", which are the engine's hints.
	Topics map[string]Retention `json:"topics,omitempty"`
	// Backlog is how many messages a topic holds at most, got or not. Default: 1,000,000.
	Backlog int `json:"backlog,omitempty"`
	// Forget is after how long without a member a durable group loses its place. Default: 7 days.
	Forget time.Duration `json:"forget,omitempty"`
	// MaxTakeovers is how often a message is given to a member in all, before the death of the member that has it moves it to
	// the topic of dead letters instead: it may be what kills them. Default: 25.
	MaxTakeovers int `json:"maxTakeovers,omitempty"`
	// DeadLetter is what is put behind a topic's name to name its topic of dead letters. Default: ".dead".
	DeadLetter string `json:"deadLetter,omitempty"`
}

// Retention is what a topic keeps. Zero fields take the default.
type Retention struct {
	Messages int           `json:"messages,omitempty"`
	Age      time.Duration `json:"age,omitempty"`
}

func (o *Options) setDefaults() {
	def := func(n *int, d int) {
		if *n <= 0 {
			*n = d
		}
	}
	duration := func(t *time.Duration, d time.Duration) {
		if *t <= 0 {
			*t = d
		}
	}
	if o.Prefix == "" {
		o.Prefix = "nvent"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.DeadLetter == "" {
		o.DeadLetter = ".dead"
	}
	if o.Topics == nil {
		o.Topics = map[string]Retention{"runs.": {100, time.Minute}}
	}
	duration(&o.Lease, 15*time.Second)
	o.Lease = max(o.Lease, 100*time.Millisecond)
	duration(&o.Forget, 7*24*time.Hour)
	duration(&o.Retention.Age, time.Hour)
	def(&o.Retention.Messages, 10_000)
	def(&o.Backlog, 1_000_000)
	def(&o.MaxTakeovers, 25)
}

// retention returns what a topic keeps.
func (o *Options) retention(topic string) Retention {
	r, longest := o.Retention, -1
	for prefix, other := range o.Topics {
		if len(prefix) > longest && strings.HasPrefix(topic, prefix) {
			r, longest = other, len(prefix)
		}
	}
	if r.Messages <= 0 {
		r.Messages = o.Retention.Messages
	}
	if r.Age <= 0 {
		r.Age = o.Retention.Age
	}
	return r
}
