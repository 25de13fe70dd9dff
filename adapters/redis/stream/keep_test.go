package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
	"github.com/nvent-go/nvent/adapters/redis/stream"
)

// length returns how many messages a topic holds.
func length(t *testing.T, url, topic string) int64 {
	t.Helper()
	c := redistest.Client(t, url)
	n, err := c.Do(t.Context(), c.B().Xlen().Key("test:{t:"+topic+"}:s").Build()).AsInt64()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// burst publishes n messages, a hundred at a time.
func burst(t *testing.T, s adapter.Stream, topic string, from, to int) {
	t.Helper()
	for ; from < to; from += 100 {
		var m []adapter.Message
		for i := range 100 {
			m = append(m, adapter.Message{Topic: topic, Data: text(from + i)})
		}
		if err := s.Publish(t.Context(), m...); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRetentionBySize(t *testing.T) {
	t.Parallel()
	url := redistest.URL(t)
	o := stream.Options{Retention: stream.Retention{Messages: 500}, Topics: map[string]stream.Retention{"few": {Messages: 100}}}
	s := mustOpen(t, url, o)
	for topic, most := range map[string]int64{"size-many": 500, "few-size": 100} {
		burst(t, s, topic, 0, 2000)
		if n := length(t, url, topic); n > most+100 {
			t.Errorf("topic %s holds %d messages, want about %d", topic, n, most)
		}
	}
}

func TestRetentionByAge(t *testing.T) {
	t.Parallel()
	url := redistest.URL(t)
	s := mustOpen(t, url, stream.Options{Retention: stream.Retention{Age: 50 * time.Millisecond}})
	var got seen
	stop := subscribe(t, s, "age", adapter.SubscribeOptions{Group: "g"}, got.handle)
	n := 0
	publish := func(more int) {
		burst(t, s, "age", n, n+more)
		n += more
		until(t, "all are handled", func() bool { return got.len() == n })
	}
	publish(300)
	until(t, "what is old goes with what is new", func() bool {
		publish(100)
		return length(t, url, "age") <= 200
	})
	stop()
	burst(t, s, "age-alone", 0, 10)
	until(t, "a topic without groups vanishes by itself", func() bool { return length(t, url, "age-alone") == 0 })
}

// TestTrimSparesWhatSomebodyNeeds publishes more than is kept while subscriptions do not read.
func TestTrimSparesWhatSomebodyNeeds(t *testing.T) {
	t.Parallel()
	url := redistest.URL(t)
	o := stream.Options{Retention: stream.Retention{Messages: 100, Age: time.Millisecond}, Backlog: 5000, Lease: 600 * time.Millisecond}
	for name, so := range map[string]adapter.SubscribeOptions{
		"no group": {}, "busy group": {Group: "g"}, "group that is away": {Group: "g"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, topic := mustOpen(t, url, o), "spared-"+strings.ReplaceAll(name, " ", "-")
			var got seen
			hold := make(chan struct{})
			h := func(ctx context.Context, m *adapter.Message) error {
				<-hold
				return got.handle(ctx, m)
			}
			stop := subscribe(t, s, topic, so, h)
			if name == "group that is away" {
				close(hold)
				stop()
			}
			burst(t, s, topic, 0, 1000)
			if name == "group that is away" {
				subscribe(t, s, topic, so, h)
			} else {
				close(hold)
			}
			until(t, "all messages arrive", func() bool { return got.len() == 1000 })
		})
	}
}

func TestBacklogIsRefused(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, redistest.URL(t), stream.Options{Retention: stream.Retention{Messages: 100}, Backlog: 300})
	var got seen
	stop := subscribe(t, s, "full", adapter.SubscribeOptions{Group: "g"}, got.handle)
	stop()
	burst(t, s, "full", 0, 300)
	err := s.Publish(t.Context(), adapter.Message{Topic: "full", Data: text(1)})
	if !errors.Is(err, adapter.ErrUnavailable) {
		t.Fatalf("publish to a topic that is full: %v, want ErrUnavailable", err)
	}
	subscribe(t, s, "full", adapter.SubscribeOptions{Group: "g"}, got.handle)
	until(t, "the backlog is read", func() bool { return got.len() == 300 })
	until(t, "there is room again", func() bool {
		return s.Publish(t.Context(), adapter.Message{Topic: "full", Data: text(1)}) == nil
	})
}

// TestForgottenGroup: a group without members keeps nothing for ever.
func TestForgottenGroup(t *testing.T) {
	t.Parallel()
	url := redistest.URL(t)
	o := stream.Options{Retention: stream.Retention{Messages: 100}, Forget: 50 * time.Millisecond}
	s := mustOpen(t, url, o)
	var got seen
	subscribe(t, s, "forgotten", adapter.SubscribeOptions{Group: "g"}, got.handle)()
	until(t, "what the group has not read is trimmed", func() bool {
		burst(t, s, "forgotten", 0, 100)
		return length(t, url, "forgotten") <= 200
	})
}

// TestPoison gives a message to members that die of it.
func TestPoison(t *testing.T) {
	t.Parallel()
	url := redistest.URL(t)
	var log journal
	o := stream.Options{Lease: 200 * time.Millisecond, MaxTakeovers: 3, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	publisher := mustOpen(t, url, o)
	dead := make(chan *adapter.Message, 1)
	subscribe(t, publisher, "poison.dead", adapter.SubscribeOptions{}, func(_ context.Context, m *adapter.Message) error {
		dead <- m
		return nil
	})
	over := make(chan struct{})
	defer close(over)
	var deaths atomic.Int32
	join := func() {
		s := mustOpen(t, url, o)
		go func() {
			err := s.Subscribe(t.Context(), "poison", adapter.SubscribeOptions{Group: "g"}, func(context.Context, *adapter.Message) error {
				s.link.cut()
				deaths.Add(1)
				<-over
				return errors.New("dead")
			})
			if !errors.Is(err, adapter.ErrClosed) && err != nil {
				t.Errorf("subscribe: %v", err)
			}
		}()
	}
	join()
	until(t, "a member is there", func() bool { n, _ := publisher.Subscribers(t.Context(), "poison"); return n == 1 })
	poison := adapter.Message{Topic: "poison", Key: "k", Data: text(7), Labels: map[string]string{"a": "b"}}
	if err := publisher.Publish(t.Context(), poison); err != nil {
		t.Fatal(err)
	}
	for n := int32(1); n <= 3; n++ {
		until(t, fmt.Sprintf("%d members are dead", n), func() bool { return deaths.Load() == n })
		join()
	}
	select {
	case m := <-dead:
		if string(m.Data) != `"7"` || m.Key != "k" || m.Labels["a"] != "b" || m.Headers["nvent-topic"] != "poison" ||
			m.Headers["nvent-deliveries"] != "3" {
			text, _ := json.Marshal(m)
			t.Errorf("dead letter: %s", text)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the message has not become a dead letter")
	}
	until(t, "the log tells", func() bool { return log.count("message is given up") == 1 })
	if n := deaths.Load(); n != 3 {
		t.Errorf("%d members died, want 3", n)
	}
}

// TestIdleSubscriptionsCostLittle counts the connections and commands of an instance that waits on many topics.
func TestIdleSubscriptionsCostLittle(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := redistest.Client(t, server.URL())
	clients := func() int {
		list, err := c.Do(t.Context(), c.B().Arbitrary("CLIENT", "LIST").Build()).ToString()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(list, "\n")
	}
	before := clients()
	s := mustOpen(t, server.URL(), stream.Options{})
	var got seen
	for i := range 256 {
		o := adapter.SubscribeOptions{}
		if i%2 == 0 {
			o.Group = "g"
		}
		subscribe(t, s, fmt.Sprintf("idle.%d", i), o, got.handle)
	}
	if n := clients() - before; n > 3 {
		t.Errorf("256 subscriptions have %d connections, want at most 3", n)
	}
	for i := range 256 {
		publish(t, s, fmt.Sprintf("idle.%d", i), i)
	}
	until(t, "all subscriptions are served", func() bool { return got.len() == 256 })
}
