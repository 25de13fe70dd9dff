package firing

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/trigger"
)

// hook subscribes a trigger to what it fires for, and ends a subscription that it does not need any more. A paused trigger
// stays subscribed: what it misses must not wait for it.
func (s *Service) hook(ctx context.Context, e *entry, v view) error {
	def := v.trig.Definition()
	want := ""
	if _, err := s.function(v); err == nil && def.Type == trigger.Event {
		want = "event " + def.Config.Event
		if def.Config.Topic != "" {
			want = "topic " + def.Config.Topic
		}
	}
	s.mu.Lock()
	lost := e.lost
	e.lost = false
	s.mu.Unlock()
	if e.listens == want && !lost {
		return nil
	}
	e.unhook(ctx)
	switch {
	case want == "":
		return nil
	case def.Config.Topic != "":
		topic := def.Config.Topic
		off, err := s.Topic(ctx, topic, Group(v.name), func(ctx context.Context, m Message) error { return s.message(ctx, e, topic, m) },
			func(err error) { s.rehook(e, err) })
		if err != nil {
			return fmt.Errorf("subscribe to topic %q: %w", topic, err)
		}
		e.off = off
	default:
		event := def.Config.Event
		e.off = s.Bus(event, func(ctx context.Context, payload any) { s.event(ctx, e, event, payload) })
	}
	e.listens = want
	return nil
}

// rehook has a trigger subscribe again.
func (s *Service) rehook(e *entry, cause error) {
	s.Logger.Warn("a trigger has lost its topic; subscribing again", "trigger", e.name, "error", cause)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.gone || s.due.closed {
		return
	}
	e.lost = true
	if e.busy {
		e.again = true
	} else {
		s.due.set(e, time.Time{})
	}
	s.ring()
}

// Group returns the group in which the instances share the topic of a trigger.
func Group(name string) string { return "trigger." + name }

// current returns the trigger as it is now. ok is false if it does not fire.
func (s *Service) current(e *entry) (v view, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.view, !e.gone && !e.trig.Definition().Paused
}

// retryEvery is how long a message waits for another try when its start has failed.
const retryEvery = time.Second

// message fires a trigger for a message of its topic. Its start has the message as its key, so a message that is delivered
// again starts nothing again.
func (s *Service) message(ctx context.Context, e *entry, topic string, m Message) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	v, ok := s.current(e)
	if !ok {
		return nil
	}
	start, ok, err := s.eventStart(v, m.Data, trigger.Firing{
		Type: trigger.Event, At: m.At.UTC().Format(time.RFC3339Nano), Event: topic, ID: m.ID, Payload: m.Data,
	}, m.At)
	if err != nil || !ok {
		return err
	}
	// With its time, because a stream that begins anew may use its IDs again.
	start.Key = "trigger/" + v.name + "/" + topic + "/" + m.ID + "/" + strconv.FormatInt(m.At.UnixMilli(), 10)
	_, err = s.Launch(ctx, start)
	switch {
	case err == nil:
		return nil
	case hopeless(err):
		return &Hopeless{err}
	}
	s.sleep(jittered(retryEvery)) // it is delivered again, on some backends at once
	return err
}

// event fires a trigger for an event of the bus. The bus keeps nothing: what fails here is logged and lost.
func (s *Service) event(ctx context.Context, e *entry, event string, payload any) {
	v, ok := s.current(e)
	if !ok {
		return
	}
	now := s.Clock.Now()
	data, err := s.Encode(payload)
	var start Start
	if err == nil {
		start, ok, err = s.eventStart(v, data, trigger.Firing{
			Type: trigger.Event, At: now.UTC().Format(time.RFC3339Nano), Event: event, Payload: data,
		}, now)
	}
	if err == nil && ok {
		_, err = s.Launch(context.WithoutCancel(ctx), start)
	}
	if err != nil {
		s.Logger.ErrorContext(ctx, "a trigger cannot start what it should; the event is lost to it", "trigger", v.name, "event", event,
			"error", err)
	}
}

// eventStart returns what an event starts. ok is false if it does not pass the filter.
func (s *Service) eventStart(v view, payload json.RawMessage, f trigger.Firing, at time.Time) (start Start, ok bool, err error) {
	function, err := s.function(v)
	if err != nil {
		return start, false, err
	}
	ok, err = v.trig.Match(f.Event, payload)
	if err != nil {
		return start, false, &Hopeless{err}
	}
	if !ok {
		return start, false, nil
	}
	start, err = s.start(v.trig, function, f, at)
	return start, err == nil, err
}

// Fire fires a trigger by hand, whatever its type and even if it is paused, and returns the ID of the run or the job. A key
// makes it idempotent.
func (s *Service) Fire(ctx context.Context, name, key string, payload json.RawMessage) (string, error) {
	r, err := s.read(ctx, name)
	if err != nil {
		return "", err
	}
	if !r.there() {
		return "", fmt.Errorf("trigger %q: %w", name, adapter.ErrNotFound)
	}
	t, err := trigger.Compile(r.def)
	if err != nil {
		return "", err
	}
	function, err := s.function(view{name: name, trig: t})
	if err != nil {
		return "", err
	}
	now, err := s.now(ctx)
	if err != nil {
		return "", err
	}
	start, err := s.start(t, function, trigger.Firing{
		Type: trigger.Manual, At: now.UTC().Format(time.RFC3339Nano), Payload: payload,
	}, now)
	if err != nil {
		return "", err
	}
	if key != "" {
		start.Key = "trigger/" + name + "/by-hand/" + key
	}
	id, err := s.Launch(ctx, start)
	if err != nil {
		return "", fmt.Errorf("fire trigger %q: %w", name, err)
	}
	return id, nil
}
