package nvent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

func TestPublishCarriesEveryField(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, ctx := open(t), t.Context()
		var got *StreamEvent
		sub, err := p.Stream.Subscribe(ctx, "orders", func(_ context.Context, e *StreamEvent) error {
			got = e
			return nil
		}, SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		headers := map[string]string{"h": "w"}
		err = p.Publish(ctx, "orders", StreamInput{
			Data: 42, Key: "k", RunID: "r", FlowName: "f", Headers: headers, Labels: map[string]string{"l": "v"},
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got == nil || got.ID == "" || got.Topic != "orders" || got.Key != "k" || string(got.Data) != "42" || got.RunID != "r" ||
			got.FlowName != "f" || got.Headers["h"] != "w" || got.Labels["l"] != "v" || got.At.IsZero() {
			t.Errorf("got %+v", got)
		}
		if len(headers) != 1 {
			t.Errorf("the caller's headers have become %v", headers)
		}
		var n int
		if err := got.Decode(&n); err != nil || n != 42 {
			t.Errorf("decoded %d, %v", n, err)
		}
		var s string
		if err := got.Decode(&s); err == nil || !strings.Contains(err.Error(), `of topic "orders" as *string`) {
			t.Errorf("a number as a string: %v", err)
		}
		if n, err := p.SubscriptionCount(ctx, "orders"); n != 1 || err != nil {
			t.Errorf("%d subscriptions, %v", n, err)
		}
		if err := sub.Unsubscribe(ctx); err != nil {
			t.Error(err)
		}
		if n, err := p.SubscriptionCount(ctx, "orders"); n != 0 || err != nil {
			t.Errorf("%d subscriptions after Unsubscribe, %v", n, err)
		}
	})
}

func TestTopicsLeavesTheEnginesOut(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	for _, topic := range []string{"a.1", "a.2", "b"} {
		if err := p.Publish(ctx, topic, StreamInput{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.drivers.stream.Publish(ctx, adapter.Message{Topic: "runs.7", Data: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string][]string{"": {"a.1", "a.2", "b"}, "a.": {"a.1", "a.2"}} {
		if topics, err := p.Topics(ctx, prefix); err != nil || !slices.Equal(topics, want) {
			t.Errorf("topics with %q: %q, %v; want %q", prefix, topics, err, want)
		}
	}
}

func TestPublishRefuses(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	for _, c := range []struct {
		topic string
		e     StreamInput
		kind  error
		want  string
	}{
		{"", StreamInput{}, ErrInvalid, "memory: publish: invalid argument: the name of the topic is empty"},
		{"runs.1", StreamInput{}, ErrInvalid, `topic "runs.1" is the engine's (choose`},
		{"t", StreamInput{Data: func() {}}, ErrInvalid, "memory: publish: event 1 to t: invalid argument: encode func() as JSON"},
		{"t", StreamInput{Data: strings.Repeat("x", 1<<20)}, ErrTooLarge, "the limit is 1048576"},
		{"t", StreamInput{Key: "a\x00"}, ErrInvalid, "Key"},
		{"t", StreamInput{RunID: "a\x00"}, ErrInvalid, "RunID"},
		{"t", StreamInput{Headers: map[string]string{"": ""}}, ErrInvalid, "header"},
		{"t", StreamInput{Labels: map[string]string{"": ""}}, ErrInvalid, "label"},
	} {
		err := p.Publish(ctx, c.topic, c.e)
		checkProblem(t, c.want, err, c.kind, c.want)
		if err == nil {
			t.Errorf("%s: published", c.want)
		}
	}
	if err := p.PublishAll(ctx, "t"); err != nil {
		t.Errorf("no events: %v", err)
	}
}

func TestSubscribeRefuses(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	h := func(context.Context, *StreamEvent) error { return nil }
	for want, o := range map[string]SubscribeOptions{
		"about a group, and there is none (set Group": {Exclusive: true},
		"about a group, and there is none":            {MaxDeliveries: 1},
		"name of the group":                           {Group: "a b"},
		"prefetch -1":                                 {Prefetch: -1},
		"-1 deliveries":                               {Group: "g", MaxDeliveries: -1},
		"never sends anything there":                  {Group: "g", DeadLetter: "d"},
		"the topic itself":                            {Group: "g", MaxDeliveries: 1, DeadLetter: "t"},
		`"runs.1" is the engine's`:                    {Group: "g", MaxDeliveries: 1, DeadLetter: "runs.1"},
	} {
		_, err := p.Stream.Subscribe(ctx, "t", h, o)
		checkProblem(t, want, err, ErrInvalid, want)
		if err == nil {
			t.Errorf("%s: subscribed", want)
		}
	}
	_, err := p.Stream.Subscribe(ctx, "t", nil, SubscribeOptions{})
	checkProblem(t, "nil", err, ErrInvalid, "handler is nil")
	_, err = p.Stream.Subscribe(ctx, "", h, SubscribeOptions{})
	checkProblem(t, "topic", err, ErrInvalid, "topic is empty")
}

func TestGroupGetsFailedEventsAgainUntilTheyAreGivenUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		err      error
		panics   bool
		want     int
		reported string
	}{
		{"error", errors.New("boom\nwith more"), false, 3, "boom"},
		{"permanent", flow.Permanent(errors.New("boom for good")), false, 1, "boom for good"},
		{"panic", nil, true, 3, "handler panicked: ouch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, ctx := open(t), t.Context()
				calls, goodCalls := 0, 0
				handle := func(_ context.Context, e *StreamEvent) error {
					if string(e.Data) == `"good"` {
						goodCalls++
						return nil
					}
					calls++
					if c.panics {
						panic("ouch")
					}
					return c.err
				}
				_, err := p.Stream.Subscribe(ctx, "t", handle, SubscribeOptions{Group: "g", MaxDeliveries: 3})
				if err != nil {
					t.Fatal(err)
				}
				var dead []*StreamEvent
				_, err = p.Stream.Subscribe(ctx, "t.dead", func(_ context.Context, e *StreamEvent) error {
					dead = append(dead, e)
					return nil
				}, SubscribeOptions{Group: "graves"})
				if err != nil {
					t.Fatal(err)
				}
				bad := StreamInput{Data: "bad", Key: "k", Headers: map[string]string{"h": "w"}}
				err = p.PublishAll(ctx, "t", bad, StreamInput{Data: "good"})
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if calls != c.want || goodCalls != 1 {
					t.Errorf("%d calls for the bad event and %d for the good one, want %d and 1", calls, goodCalls, c.want)
				}
				if len(dead) != 1 {
					t.Fatalf("%d dead letters", len(dead))
				}
				d := dead[0]
				if string(d.Data) != `"bad"` || d.Key != "k" || d.Headers["h"] != "w" || d.Headers["nvent-topic"] != "t" ||
					d.Headers["nvent-error"] != c.reported || d.Headers["nvent-deliveries"] != fmt.Sprint(c.want) {
					t.Errorf("dead letter is %+v", d)
				}
				if !strings.Contains(p.log.String(), "event is given up") {
					t.Error("giving up is not logged")
				}
			})
		})
	}
}

// uncounted is a stream that does not count deliveries, and cannot publish to one topic.
type uncounted struct {
	adapter.Stream
	refuse string
}

func (s uncounted) Subscribe(ctx context.Context, topic string, o adapter.SubscribeOptions,
	h func(context.Context, *adapter.Message) error) error {
	return s.Stream.Subscribe(ctx, topic, o, func(ctx context.Context, m *adapter.Message) error {
		blind := *m
		blind.Delivery = 0
		return h(ctx, &blind)
	})
}

func (s uncounted) Publish(ctx context.Context, m ...adapter.Message) error {
	if m[0].Topic == s.refuse {
		return ErrUnavailable
	}
	return s.Stream.Publish(ctx, m...)
}

func TestDeliveriesAreCountedHereWhereTheBackendDoesNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, ctx := open(t), t.Context()
		s := newStream(uncounted{Stream: p.drivers.stream}, p.Stream.o)
		defer s.close()
		calls := 0
		_, err := s.Subscribe(ctx, "t", func(context.Context, *StreamEvent) error {
			calls++
			return errors.New("boom")
		}, SubscribeOptions{Group: "g", MaxDeliveries: 4})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Publish(ctx, "t", StreamInput{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if calls != 4 {
			t.Errorf("%d calls, want 4", calls)
		}
	})
}

func TestAnEventThatCannotBeBuriedIsKept(t *testing.T) {
	t.Parallel()
	p := open(t)
	s := newStream(uncounted{Stream: p.drivers.stream, refuse: "d"}, p.Stream.o)
	defer s.close()
	r := &receiver{stream: s, topic: "t", o: SubscribeOptions{Group: "g", MaxDeliveries: 1, DeadLetter: "d"},
		handler: func(context.Context, *StreamEvent) error { return errors.New("boom") }}
	err := r.receive(t.Context(), &adapter.Message{ID: "1", Topic: "t", Delivery: 5})
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "boom") {
		t.Errorf("error is %v: the event would be acknowledged, or its cause forgotten", err)
	}
}

func TestSubscriptionsEndWithTheStream(t *testing.T) {
	t.Parallel()
	p := open(t)
	h := func(context.Context, *StreamEvent) error { return nil }
	ctx, cancel := context.WithCancel(t.Context())
	sub, err := p.Stream.Subscribe(ctx, "t", h, SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case <-sub.Done():
		t.Error("it ended with the context of Subscribe")
	default:
	}
	p.Stream.close()
	<-sub.Done()
	if sub.Err() != nil {
		t.Errorf("it ended with %v", sub.Err())
	}
	_, err = p.Stream.Subscribe(t.Context(), "t", h, SubscribeOptions{})
	checkProblem(t, "closed", err, ErrClosed, "memory: subscribe")
}
