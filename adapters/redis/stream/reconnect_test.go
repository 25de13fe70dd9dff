package stream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
	"github.com/nvent-go/nvent/adapters/redis/stream"
)

// until waits for a condition.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after 30 s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func mustOpen(t *testing.T, url string, o stream.Options) *own {
	t.Helper()
	s, err := open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// seen collects the data of messages, with how often each came.
type seen struct {
	mu    sync.Mutex
	times map[string]int
}

func (s *seen) handle(_ context.Context, m *adapter.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.times == nil {
		s.times = map[string]int{}
	}
	s.times[string(m.Data)]++
	return nil
}

func (s *seen) count(data string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.times[data]
}

func (s *seen) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.times)
}

// subscribe starts a subscription and waits until it is in place. What it returns ends it and waits for that.
func subscribe(
	t *testing.T, s adapter.Stream, topic string, o adapter.SubscribeOptions, h func(context.Context, *adapter.Message) error,
) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	o.Ready = func() { close(ready) }
	go func() { done <- s.Subscribe(ctx, topic, o, h) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, adapter.ErrClosed) {
			t.Errorf("subscribe to %s: %v", topic, err)
		}
	})
	t.Cleanup(stop)
	select {
	case <-ready:
	case err := <-done:
		done <- err
		t.Fatalf("subscribe to %s: %v", topic, err)
	case <-time.After(20 * time.Second):
		t.Fatal("not ready after 20 s")
	}
	return stop
}

func text(n int) json.RawMessage { return json.RawMessage(fmt.Sprintf(`"%d"`, n)) }

// publish publishes until the stream takes the message.
func publish(t *testing.T, s adapter.Stream, topic string, n int) {
	t.Helper()
	var err error
	until(t, "publish", func() bool {
		err = s.Publish(t.Context(), adapter.Message{Topic: topic, Data: text(n)})
		return !errors.Is(err, adapter.ErrUnavailable)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// journal is a log that can be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.b.String(), text)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// interruption is something that happens to the server while messages flow.
type interruption struct {
	name  string
	begin func(t *testing.T, s *redistest.Server)
	end   func(t *testing.T, s *redistest.Server)
}

func interruptions() []interruption {
	none := func(*testing.T, *redistest.Server) {}
	return []interruption{
		{"connections killed", func(t *testing.T, s *redistest.Server) {
			c := redistest.Client(t, s.URL())
			for _, kind := range []string{"normal", "pubsub"} {
				if err := c.Do(t.Context(), c.B().Arbitrary("CLIENT", "KILL", "TYPE", kind).Build()).Error(); err != nil {
					t.Fatal(err)
				}
			}
		}, none},
		{"server killed", func(_ *testing.T, s *redistest.Server) { s.Stop() }, func(_ *testing.T, s *redistest.Server) { s.Run() }},
		{"server paused for longer than the lease",
			func(_ *testing.T, s *redistest.Server) {
				s.Signal(syscall.SIGSTOP)
				<-time.After(1200 * time.Millisecond) // the pause is what is tested
			},
			func(_ *testing.T, s *redistest.Server) { s.Signal(syscall.SIGCONT) }},
	}
}

// TestSubscriptionsGoOn interrupts the server while messages are published: what was published arrives, and the log says once that
// the connection was lost, and once that it is back.
func TestSubscriptionsGoOn(t *testing.T) {
	t.Parallel()
	for _, in := range interruptions() {
		t.Run(in.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
			var log journal
			o := stream.Options{Lease: 600 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))}
			a, b := mustOpen(t, server.URL(), stream.Options{Lease: o.Lease}), mustOpen(t, server.URL(), o)
			got := make([]seen, 3)
			subscribe(t, b, "topic", adapter.SubscribeOptions{}, got[0].handle)
			subscribe(t, b, "topic", adapter.SubscribeOptions{Group: "g"}, got[1].handle)
			subscribe(t, b, "topic", adapter.SubscribeOptions{Group: "x", Exclusive: true}, got[2].handle)
			n := 0
			for ; n < 20; n++ {
				publish(t, a, "topic", n)
			}
			in.begin(t, server)
			in.end(t, server)
			for ; n < 40; n++ {
				publish(t, a, "topic", n)
			}
			for i := range got {
				until(t, fmt.Sprintf("subscription %d has all messages", i), func() bool { return got[i].len() == n })
				if extra := got[0].count(`"30"`); extra > 1 {
					t.Errorf("without a group a message came %d times", extra)
				}
			}
			if lost, back := log.count("connection for subscriptions lost"), log.count("subscriptions go on"); lost != back || lost > 1 ||
				lost == 0 && in.name != interruptions()[2].name {
				t.Errorf("the log says %d times that the connection was lost, and %d times that it is back:\n%s", lost, back, &log)
			}
		})
	}
}

// TestServerLosesEverything restarts a server that keeps nothing: subscriptions are put in place again.
func TestServerLosesEverything(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := mustOpen(t, server.URL(), stream.Options{Lease: 300 * time.Millisecond})
	got := make([]seen, 2)
	subscribe(t, s, "topic", adapter.SubscribeOptions{}, got[0].handle)
	subscribe(t, s, "topic", adapter.SubscribeOptions{Group: "g"}, got[1].handle)
	publish(t, s, "topic", 1)
	for i := range got {
		until(t, "the first message arrives", func() bool { return got[i].len() == 1 })
	}
	server.Stop()
	server.Run()
	publish(t, s, "topic", 2)
	for i := range got {
		until(t, "a message after the loss arrives", func() bool { return got[i].len() == 2 })
	}
	n := 0
	until(t, "the subscriptions count again", func() bool {
		n, _ = s.Subscribers(t.Context(), "topic")
		return n == 2
	})
}

// TestPausedServer looks at contexts while the server does not answer.
func TestPausedServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := mustOpen(t, server.URL(), stream.Options{})
	var got seen
	stops := []func(){subscribe(t, s, "topic", adapter.SubscribeOptions{}, got.handle),
		subscribe(t, s, "topic", adapter.SubscribeOptions{Group: "g"}, got.handle)}
	server.Signal(syscall.SIGSTOP)
	defer server.Signal(syscall.SIGCONT)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for name, call := range map[string]func() error{
		"publish":     func() error { return s.Publish(ctx, adapter.Message{Topic: "topic", Data: text(1)}) },
		"topics":      func() error { _, err := s.Topics(ctx, ""); return err },
		"subscribers": func() error { _, err := s.Subscribers(ctx, "topic"); return err },
	} {
		began := time.Now()
		if err := call(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s returned %v, want the cause of its context", name, err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s returned %v after its context had ended", name, took)
		}
	}
	began := time.Now()
	for _, stop := range stops {
		stop()
	}
	if took := time.Since(began); took > 6*time.Second { // each may try for two seconds to say goodbye
		t.Errorf("ending two subscriptions took %v", took)
	}
}
