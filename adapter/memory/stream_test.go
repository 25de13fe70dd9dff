package memory_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

type receiver = func(ctx context.Context, m *adapter.Message) error

// subscribe runs Subscribe until the returned function is called, which waits for it and returns its error.
func subscribe(s *memory.Stream, o adapter.SubscribeOptions, h receiver) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	returned, ready := make(chan error, 1), make(chan struct{})
	o.Ready = func() { close(ready) }
	go func() { returned <- s.Subscribe(ctx, "t", o, h) }()
	<-ready
	return func() error {
		cancel()
		return <-returned
	}
}

func publish(t *testing.T, s *memory.Stream, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := s.Publish(context.Background(), adapter.Message{Topic: "t", Data: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
}

// replay returns the messages that are kept.
func replay(t *testing.T, s *memory.Stream, from string) string {
	t.Helper()
	var got []string
	stop := subscribe(s, adapter.SubscribeOptions{From: from}, func(_ context.Context, m *adapter.Message) error {
		got = append(got, string(m.Data))
		return nil
	})
	synctest.Wait()
	if err := stop(); err != nil {
		t.Error(err)
	}
	return fmt.Sprint(got)
}

func TestMessagesAreKeptByCountAndAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(&memory.Options{KeepMessagesCount: 3, KeepMessages: time.Hour}).Stream()
		defer s.Close()
		publish(t, s, "1", "2", "3", "4", "5")
		if got := replay(t, s, adapter.FromEarliest); got != "[3 4 5]" {
			t.Errorf("kept by count: %s", got)
		}
		var trimmed *adapter.Trimmed
		err := s.Subscribe(context.Background(), "t", adapter.SubscribeOptions{From: "1"}, func(context.Context, *adapter.Message) error { return nil })
		if !errors.As(err, &trimmed) || trimmed.First != 3 {
			t.Errorf("from a message that is gone: %v", err)
		}
		for _, from := range []string{"6", "x"} {
			err := s.Subscribe(context.Background(), "t", adapter.SubscribeOptions{From: from}, func(context.Context, *adapter.Message) error { return nil })
			if !errors.Is(err, adapter.ErrInvalid) {
				t.Errorf("from message %q: %v", from, err)
			}
		}
		time.Sleep(30 * time.Minute)
		publish(t, s, "6")
		time.Sleep(30 * time.Minute)
		publish(t, s, "7")
		if got := replay(t, s, adapter.FromEarliest); got != "[6 7]" {
			t.Errorf("kept by age: %s", got)
		}
		time.Sleep(time.Hour)
		if topics, err := s.Topics(context.Background(), ""); err != nil || len(topics) != 0 {
			t.Errorf("topics that hold nothing: %v, %v", topics, err)
		}
		publish(t, s, "8")
		var id string
		stop := subscribe(s, adapter.SubscribeOptions{From: adapter.FromEarliest}, func(_ context.Context, m *adapter.Message) error {
			id = m.ID
			return nil
		})
		synctest.Wait()
		if err := stop(); err != nil || id != "8" {
			t.Errorf("the first message of a topic that was forgotten has ID %s, want 8 (%v)", id, err)
		}
	})
}

func TestSubscriptionInPlaceGetsEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(&memory.Options{KeepMessages: -1, KeepMessagesCount: -1, Backlog: 100}).Stream()
		defer s.Close()
		hold := make(chan struct{})
		n := 0
		stop := subscribe(s, adapter.SubscribeOptions{}, func(context.Context, *adapter.Message) error {
			<-hold
			n++
			return nil
		})
		publish(t, s, "taken")
		synctest.Wait()
		for i := range 100 {
			publish(t, s, fmt.Sprint(i))
		}
		err := s.Publish(context.Background(), adapter.Message{Topic: "t"})
		if !errors.Is(err, adapter.ErrUnavailable) {
			t.Errorf("publishing beyond the backlog: %v", err)
		}
		close(hold)
		synctest.Wait()
		if n != 101 {
			t.Errorf("a slow subscription got %d messages, want 101", n)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := replay(t, s, adapter.FromEarliest); got != "[]" {
			t.Errorf("kept are %s, want none", got)
		}
	})
}

func TestKilledMemberIsReplacedAfterTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := memory.New(&memory.Options{DefaultLease: lease})
		dying, heir := b.Stream(), b.Stream()
		o := adapter.SubscribeOptions{Group: "g", Exclusive: true}
		ended := make(chan error, 1)
		stopDying := subscribe(dying, o, func(ctx context.Context, _ *adapter.Message) error {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return nil
		})
		began := time.Now()
		type delivery struct {
			text  string
			n     int
			after time.Duration
		}
		var got []delivery
		stopHeir := subscribe(heir, o, func(_ context.Context, m *adapter.Message) error {
			got = append(got, delivery{string(m.Data), m.Delivery, time.Since(began)})
			return nil
		})
		publish(t, heir, "1", "2")
		synctest.Wait()
		dying.Kill()
		if err := <-ended; err != adapter.ErrLeaseLost {
			t.Errorf("the killed handler ended with %v", err)
		}
		if err := stopDying(); !errors.Is(err, adapter.ErrClosed) {
			t.Errorf("subscribe of the killed instance returned %v", err)
		}
		synctest.Wait()
		if want := fmt.Sprint([]delivery{{"1", 2, lease}, {"2", 1, lease}}); fmt.Sprint(got) != want {
			t.Errorf("the heir got %v, want %v", got, want)
		}
		if err := stopHeir(); err != nil {
			t.Error(err)
		}
		if err := errors.Join(dying.Close(), heir.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestReceiverThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(nil).Stream()
		defer s.Close()
		calls := 0
		stop := subscribe(s, adapter.SubscribeOptions{Group: "g"}, func(context.Context, *adapter.Message) error {
			if calls++; calls < 3 {
				runtime.Goexit()
			}
			return nil
		})
		publish(t, s, "1")
		synctest.Wait()
		if calls != 3 {
			t.Errorf("%d calls, want 3", calls)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// BenchmarkStreamLatency is the time from a lone publish to the handler of a subscription.
func BenchmarkStreamLatency(b *testing.B) {
	s := memory.New(nil).Stream()
	defer s.Close()
	started := make(chan struct{})
	stop := subscribe(s, adapter.SubscribeOptions{}, func(context.Context, *adapter.Message) error {
		started <- struct{}{}
		return nil
	})
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Publish(b.Context(), adapter.Message{Topic: "t", Data: []byte(`{}`)}); err != nil {
			b.Fatal(err)
		}
		<-started
	}
	if err := stop(); err != nil {
		b.Fatal(err)
	}
}
