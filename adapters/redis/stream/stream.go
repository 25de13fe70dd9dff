package stream

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// Stream is an [adapter.Stream].
type Stream struct {
	client rueidis.Client
	o      Options
	info   adapter.Info
	keys   keys
	id     string // of this instance; its subscriptions are numbered
	ear    ear

	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // ear and keeper

	mu      sync.Mutex
	started bool // ear and keeper
	closed  bool
	made    int // subscriptions
	topics  map[string]*topic
	named   map[string]time.Time // when a topic's name was written last
}

// topic is a topic with subscriptions of this instance. mu of the stream guards it.
type topic struct {
	name    string
	channel string
	subs    map[*subscription]struct{}
	last    string    // the last ID when the subscriptions were renewed last
	renewed time.Time // when that was asked for
}

// Open returns a stream over a client that stays the caller's: Close leaves it open. Set DisableRetry in the client's options:
// this version of the library reuses the memory of a command that it repeats while a broken connection may still write it.
func Open(ctx context.Context, client rueidis.Client, o Options) (*Stream, error) {
	o.setDefaults()
	if strings.ContainsAny(o.Prefix, "{}") {
		return nil, conn.Invalid("open stream", fmt.Sprintf("prefix %q", o.Prefix), "leave braces out: a Cluster takes them for a hash tag")
	}
	server, err := conn.Inspect(ctx, client)
	if err != nil {
		return nil, err
	}
	var raw [8]byte
	rand.Read(raw[:])
	s := &Stream{
		client: client,
		o:      o,
		info: adapter.Info{Name: conn.Name, Scope: adapter.ScopeShared, Durability: server.Durability,
			Caps: adapter.CapReplay},
		keys:   keys{o.Prefix},
		id:     hex.EncodeToString(raw[:]),
		topics: map[string]*topic{},
		named:  map[string]time.Time{},
	}
	s.ctx, s.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	s.ear = ear{s: s, changed: make(chan struct{}, 1)}
	return s, nil
}

// Info returns what the stream claims. Durability is what the server's persistence promised when the stream was opened.
func (s *Stream) Info() adapter.Info { return s.info }

func (s *Stream) usable(ctx context.Context, op string) error {
	if s.ctx.Err() != nil {
		return conn.Closed(op)
	}
	return conn.Error(ctx, op, ctx.Err())
}

// partingTime bounds how long saying goodbye to the server may take: what was not said is found out by the lease.
const partingTime = 2 * time.Second

// Close ends the subscriptions: what their handlers have not acknowledged goes to other members at once, and the handlers'
// contexts end with [adapter.ErrClosed]. It does not wait for handlers, Subscribe does; and for the server at most 2 s.
func (s *Stream) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	var subs []*subscription
	for _, t := range s.topics {
		for b := range t.subs {
			subs = append(subs, b)
		}
	}
	s.mu.Unlock()
	s.cancel(adapter.ErrClosed)
	s.wg.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), partingTime)
	defer cancel()
	calls := make([]call, 0, len(subs))
	for _, b := range subs {
		b.abandon(adapter.ErrClosed)
		b.parted.Store(true)
		calls = append(calls, b.leaving())
	}
	if len(calls) == 0 {
		return nil
	}
	for _, r := range s.run(ctx, calls...) {
		if err := r.Error(); err != nil {
			s.o.Logger.Warn("subscriptions count until their lease is over", "reason", "the server did not hear of their end", "error", err)
			break
		}
	}
	return nil
}

// add makes a subscription one that is kept alive and woken.
func (s *Stream) add(b *subscription) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return adapter.ErrClosed
	}
	t := s.topics[b.topic]
	if t == nil {
		t = &topic{name: b.topic, channel: s.keys.wake(b.topic), subs: map[*subscription]struct{}{}, renewed: time.Now()}
		s.topics[b.topic] = t
	}
	t.subs[b] = struct{}{}
	if !s.started {
		s.started = true
		s.wg.Go(func() { s.ear.run(s.ctx) })
		s.wg.Go(func() { s.keep(s.ctx) })
	}
	s.ear.call()
	return nil
}

func (s *Stream) remove(b *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[b.topic]
	if delete(t.subs, b); len(t.subs) == 0 {
		delete(s.topics, b.topic)
		s.ear.call()
	}
}

// wake tells the subscriptions of some topics that there may be news; left: that a member has left something behind.
func (s *Stream) wake(left bool, which func(*topic) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.topics {
		if !which(t) {
			continue
		}
		for b := range t.subs {
			if left {
				b.orphans.Store(true)
			}
			b.wake()
		}
	}
}
