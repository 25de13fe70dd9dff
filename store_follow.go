package nvent

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// pollFloor is how long a follower of a log waits for a hint before it looks by itself. A lost hint costs this, no more.
const pollFloor = 2 * time.Second

// followPage is how many events a follower reads at once.
const followPage = 500

// Follow iterates over the log of a subject, from the event after the given seq on (0: from the beginning), and goes on with
// what is appended until ctx ends or the caller breaks off. To resume, pass the seq of the last event that was seen: nothing
// is left out or repeated. It works across instances. An error ends the iteration; that of a ctx that has ended is its cause.
func (s *Store) Follow(ctx context.Context, subject string, after uint64) iter.Seq2[EventRecord, error] {
	return func(yield func(EventRecord, error) bool) {
		if err := checkSubject(subject); err != nil {
			yield(EventRecord{}, wrap(s.name, "follow", err))
			return
		}
		news := s.listen(ctx, subject)
		defer news.close()
		for {
			records, err := s.readRange(ctx, subject, adapter.Range{After: after, Limit: followPage})
			if err != nil {
				yield(EventRecord{}, err)
				return
			}
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
				after = r.Seq
			}
			if len(records) == followPage {
				continue
			}
			if !await(ctx, s.o.clock, jittered(pollFloor), news.hints) {
				yield(EventRecord{}, wrap(s.name, "follow", about(subject, context.Cause(ctx))))
				return
			}
		}
	}
}

// Subscribe calls fn for every event that is appended to the log of a subject from now on, on any instance, one at a time
// and in order, until the subscription ends. Each event comes once and none is left out: when the store cannot be reached it
// goes on where it was. It returns when the subscription is in place; ctx bounds only that. To read from an earlier event
// on, use [Store.Follow].
func (s *Store) Subscribe(ctx context.Context, subject string, fn func(EventRecord)) (*Subscription, error) {
	const op = "subscribe"
	last, err := s.Read(ctx, subject, ReadOptions{Limit: 1, Direction: Backward})
	if err != nil {
		return nil, err
	}
	after := uint64(0)
	if len(last) > 0 {
		after = last[0].Seq
	}
	sub, err := s.subs.start(ctx, subject, func(ctx context.Context, ready func()) error {
		ready()
		for {
			err := s.pass(ctx, subject, &after, fn)
			if ctx.Err() != nil {
				return err
			}
			if !errors.Is(err, ErrUnavailable) {
				s.o.log.Error("subscription to a log has ended", "subject", subject, "after", after, "error", err)
				return err
			}
			if !await(ctx, s.o.clock, jittered(pollFloor), nil) {
				return err
			}
		}
	})
	return sub, wrap(s.name, op, err)
}

// pass follows a log for a function until there is an error.
func (s *Store) pass(ctx context.Context, subject string, after *uint64, fn func(EventRecord)) error {
	for r, err := range s.Follow(ctx, subject, *after) {
		if err != nil {
			return err
		}
		*after = r.Seq
		s.call(fn, subject, r)
		if ctx.Err() != nil {
			break
		}
	}
	return context.Cause(ctx)
}

func (s *Store) call(fn func(EventRecord), subject string, r EventRecord) {
	defer func() {
		if p := recover(); p != nil {
			s.o.log.Error("subscriber of a log panicked", "subject", subject, "seq", r.Seq, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	fn(r)
}

// hintTopic returns the topic that says that the log of a subject has grown. Subjects share the topics of their shards: a
// topic for every subject could not exist everywhere. Those of runs are the engine's.
func hintTopic(subject string) (topic, key string) {
	if run, ok := strings.CutPrefix(subject, runPrefix); ok {
		return "runs." + strconv.Itoa(adapter.Shard(run)), run
	}
	return "logs." + strconv.Itoa(adapter.Shard(adapter.Partition(ownPrefix+subject))), subject
}

// hint tells followers that the log of a subject has grown. When it fails they see it a little later by themselves, so the
// append has not failed.
func (s *Store) hint(ctx context.Context, subject string) {
	if s.o.stream == nil {
		return
	}
	topic, key := hintTopic(subject)
	if err := s.o.stream.Publish(ctx, adapter.Message{Topic: topic, Key: key, Data: []byte("null")}); err != nil {
		s.o.log.Debug("followers of a log get no hint; they find out by polling", "subject", subject, "error", err)
	}
}

// logNews says that a log may have grown.
type logNews struct {
	key   string // of the messages that are about the log
	hints chan struct{}
	stop  context.CancelFunc
	ended chan struct{}
}

// listen begins to listen for hints. A stream that cannot be reached is not an error: the log is polled.
func (s *Store) listen(ctx context.Context, subject string) *logNews {
	n := &logNews{hints: make(chan struct{}, 1), ended: make(chan struct{})}
	ctx, n.stop = context.WithCancel(ctx)
	if s.o.stream == nil {
		close(n.ended)
		return n
	}
	var topic string
	topic, n.key = hintTopic(subject)
	go func() {
		defer close(n.ended)
		for {
			err := s.o.stream.Subscribe(ctx, topic, adapter.SubscribeOptions{Ready: n.tell}, n.hear)
			if err == nil || ctx.Err() != nil || errors.Is(err, ErrClosed) {
				return
			}
			s.o.log.Warn("no hints about a log; it is polled", "subject", subject, "error", err)
			if !await(ctx, s.o.clock, jittered(pollFloor), nil) {
				return
			}
		}
	}()
	return n
}

func (n *logNews) hear(_ context.Context, m *adapter.Message) error {
	if m.Key == n.key {
		n.tell()
	}
	return nil
}

func (n *logNews) tell() {
	select {
	case n.hints <- struct{}{}:
	default:
	}
}

func (n *logNews) close() {
	n.stop()
	<-n.ended
}

// await waits until hints has something or d has passed. It reports false when ctx has ended before that.
func await(ctx context.Context, clock adapter.Clock, d time.Duration, hints <-chan struct{}) bool {
	due := make(chan struct{})
	t := clock.AfterFunc(d, func() { close(due) })
	defer t.Stop()
	select {
	case <-hints:
	case <-due:
	case <-ctx.Done():
		return false
	}
	return true
}

// jittered returns d, give or take a tenth, so that instances do not act in step.
func jittered(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5+1) }
