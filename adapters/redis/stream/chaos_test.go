package stream_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
	"github.com/nvent-go/nvent/adapters/redis/stream"
)

// TestChaos publishes while connections are killed, the server is restarted, and members die and are replaced. What Publish has
// confirmed is handled, nothing stays with the dead, and who only looks on misses nothing.
func TestChaos(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	o := stream.Options{Lease: 500 * time.Millisecond}
	publisher, observer := mustOpen(t, server.URL(), o), mustOpen(t, server.URL(), o)
	var handled, watched seen
	r := rand.New(rand.NewPCG(5, 6))
	subscribe(t, observer, "chaos", adapter.SubscribeOptions{}, watched.handle)
	failing := func(ctx context.Context, m *adapter.Message) error {
		if m.Delivery == 1 && m.Data[1] == '7' {
			return errors.New("the first time")
		}
		return handled.handle(ctx, m)
	}
	var members []*own
	join := func() {
		var s *own
		until(t, "an instance opens", func() (ok bool) {
			var err error
			s, err = open(t.Context(), server.URL(), o)
			return err == nil
		})
		t.Cleanup(func() { s.Close() })
		subscribe(t, s, "chaos", adapter.SubscribeOptions{Group: "g", Prefetch: 1 + 3*(len(members)%2)}, failing)
		members = append(members, s)
	}
	for range 3 {
		join()
	}
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { stopped <- n }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			err := publisher.Publish(t.Context(), adapter.Message{Topic: "chaos", Data: text(n)})
			if err == nil {
				n++
			} else if !errors.Is(err, adapter.ErrUnavailable) {
				t.Errorf("publish: %v", err)
				return
			}
		}
	}()
	c := redistest.Client(t, server.URL())
	for round := range 40 {
		<-time.After(50 * time.Millisecond)
		switch {
		case round%13 == 12:
			server.Stop()
			server.Run()
		case round%7 == 6:
			i := r.IntN(len(members))
			members[i].link.cut()
			members[i] = members[len(members)-1]
			members = members[:len(members)-1]
			join()
		default:
			kind := []string{"normal", "pubsub"}[r.IntN(2)]
			_ = c.Do(t.Context(), c.B().Arbitrary("CLIENT", "KILL", "TYPE", kind, "SKIPME", "no").Build()).Error() // it kills this one too
		}
	}
	close(stop)
	n := <-stopped
	if n < 100 {
		t.Fatalf("only %d messages were published", n)
	}
	for name, s := range map[string]*seen{"the group": &handled, "the observer": &watched} {
		until(t, fmt.Sprintf("%s has all of %d messages, not %d", name, n, s.len()), func() bool { return s.len() >= n })
	}
	until(t, "nothing is left with anybody", func() bool {
		pending, err := c.Do(t.Context(), c.B().Xpending().Key("test:{t:chaos}:s").Group("g").Build()).ToArray()
		if err != nil || len(pending) == 0 {
			return false
		}
		left, err := pending[0].AsInt64()
		return err == nil && left == 0
	})
	t.Logf("%d messages", n)
}
