// Package firing fires triggers: it keeps their documents, knows which is due next, and starts what they start, once for each
// tick on however many instances.
//
// A tick is decided by one commit in the trigger's partition: it moves the last tick forward, by version, and notes the starts
// that follow from it, with their inputs. Then they are carried out, under keys made of trigger and tick, and crossed off. An
// instance that dies in between leaves its notes and a claim on them; when that has run out another one carries them out, and
// the keys see to it that nothing is started twice.
package firing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/trigger"
)

// Options configures a [Service]. All of it is required, but for Bus and Topic where nothing listens.
type Options struct {
	Store    adapter.Store
	Stream   adapter.Stream // carries hints that a trigger was changed
	Clock    adapter.Clock
	Logger   *slog.Logger
	Instance string

	// Launch starts a run of a flow, or enqueues a job, and returns its ID. Under a key that has been used it starts nothing.
	Launch func(ctx context.Context, s Start) (id string, err error)
	// Encode returns a value as JSON within the limits.
	Encode func(v any) (json.RawMessage, error)
	// Bus calls f for the events of a name on the bus of this process, until off is called.
	Bus func(event string, f func(ctx context.Context, payload any)) (off func(context.Context))
	// Topic calls f for the messages of a topic, each on one member of the group, until off is called, which waits for the calls
	// that run until its context ends. An error has the message delivered again; a [Hopeless] one has it put aside. lost is called
	// if the subscription ends by itself.
	Topic func(ctx context.Context, topic, group string, f func(context.Context, Message) error,
		lost func(error)) (off func(context.Context), err error)
}

// Message is a message of a topic.
type Message struct {
	ID   string
	At   time.Time
	Data json.RawMessage
}

// Start is what a trigger starts.
type Start struct {
	Trigger string          `json:"trigger"`
	Key     string          `json:"key,omitempty"`
	Flow    string          `json:"flow,omitempty"`
	Job     *trigger.Job    `json:"job,omitempty"`
	Input   json.RawMessage `json:"input"`
}

// Hopeless is an error that trying again does not cure.
type Hopeless struct{ Err error }

func (h *Hopeless) Error() string { return h.Err.Error() }

// Unwrap returns the cause.
func (h *Hopeless) Unwrap() error { return h.Err }

// hopeless reports whether trying again does not cure an error of a start.
func hopeless(err error) bool {
	var h *Hopeless
	return errors.As(err, &h) || errors.Is(err, adapter.ErrInvalid) || errors.Is(err, adapter.ErrTooLarge) ||
		errors.Is(err, adapter.ErrNotFound) || errors.Is(err, adapter.ErrUnsupported)
}

// Function makes the input of what a trigger starts, from the tick, or from the time and the payload of an event.
type Function func(at time.Time, payload json.RawMessage) (json.RawMessage, error)

// pollEvery is how often an instance asks for triggers that were changed elsewhere, in case that a hint was lost.
const pollEvery = 30 * time.Second

// atOnce is how many triggers an instance fires at once.
const atOnce = 16

// hintTopic is the topic on which instances tell each other that a trigger was changed.
const hintTopic = "nvent.triggers"

// Service fires triggers. Its methods may be called from many goroutines.
type Service struct {
	Options
	poll  bool // hints may get lost, or there are writers that send none
	slots chan struct{}
	wake  chan struct{}

	mu        sync.Mutex
	offset    time.Duration // store clock minus ours
	functions map[string]Function
	known     map[string]*entry
	due       dueHeap
	seen      int64 // the latest change that was seen, in Unix milliseconds
	changed   bool  // there may be changes that were not
	polled    time.Time

	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup // the loop, and what listens
	busy sync.WaitGroup // triggers that are being fired
}

// New returns a service that fires nothing yet. It declares its collections in the store.
func New(ctx context.Context, o Options) (*Service, error) {
	s := &Service{
		Options: o, functions: map[string]Function{}, known: map[string]*entry{}, changed: true,
		slots: make(chan struct{}, atOnce), wake: make(chan struct{}, 1),
	}
	s.poll = o.Store.Info().Scope != adapter.ScopeProcess || o.Stream.Info().Scope != adapter.ScopeProcess
	s.ctx, s.stop = context.WithCancel(context.Background())
	if err := o.Store.Declare(ctx, collections...); err != nil {
		return nil, fmt.Errorf("declare collections: %w", err)
	}
	return s, nil
}

// Start lets the triggers fire.
func (s *Service) Start() {
	s.wg.Go(s.listen)
	s.wg.Go(s.loop)
}

// Close ends the firing. It waits for what is being fired until ctx ends; what is left then, another instance does, or this
// one when it is back.
func (s *Service) Close(ctx context.Context) {
	s.mu.Lock()
	s.due.closed = true
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.busy.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	s.mu.Lock()
	entries := slices.Collect(maps.Values(s.known))
	s.mu.Unlock()
	for _, e := range entries {
		e.unhook(ctx)
	}
	s.stop()
	<-done
	s.wg.Wait()
}

// loop waits for the next trigger to be due, or for a change.
func (s *Service) loop() {
	for s.ctx.Err() == nil {
		if s.wantsRefresh() {
			if err := s.refresh(s.ctx); err != nil && s.ctx.Err() == nil {
				s.Logger.Warn("cannot read triggers; trying again", "error", err)
				s.sleep(jittered(2 * time.Second))
				continue
			}
		}
		s.fireDue()
		wait, bounded := s.wait()
		var timer adapter.Timer
		ring := make(chan struct{})
		if bounded {
			timer = s.Clock.AfterFunc(wait, func() { close(ring) })
		}
		select {
		case <-ring:
		case <-s.wake:
		case <-s.ctx.Done():
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

// wantsRefresh reports whether there may be changes to read.
func (s *Service) wantsRefresh() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed || s.poll && s.Clock.Now().Sub(s.polled) >= pollEvery
}

// wait returns how long there is nothing to do. bounded is false if that is for ever.
func (s *Service) wait() (d time.Duration, bounded bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Clock.Now()
	if s.poll {
		d, bounded = jittered(pollEvery)-now.Sub(s.polled), true
	}
	if s.changed {
		return 0, true
	}
	if len(s.due.entries) > 0 && !s.due.closed {
		if next := s.due.entries[0].at.Sub(now.Add(s.offset)); !bounded || next < d {
			d, bounded = next, true
		}
	}
	return max(d, 0), bounded
}

// fireDue begins to fire what is due.
func (s *Service) fireDue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Clock.Now().Add(s.offset)
	for !s.due.closed && len(s.due.entries) > 0 && !s.due.entries[0].at.After(now) {
		e := s.due.entries[0]
		s.due.remove(e)
		e.busy = true
		s.busy.Go(func() { s.tend(e) })
	}
}

// tend looks after one trigger, and notes when to do so again.
func (s *Service) tend(e *entry) {
	select {
	case s.slots <- struct{}{}:
	case <-s.ctx.Done():
		return
	}
	next, err := s.look(s.ctx, e)
	<-s.slots

	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Clock.Now().Add(s.offset)
	e.busy = false
	if err != nil && s.ctx.Err() == nil {
		e.failures++
		next = now.Add(jittered(min(time.Second<<min(e.failures, 5), 30*time.Second)))
		s.Logger.Warn("cannot look after a trigger; trying again", "trigger", e.name, "error", err)
	} else {
		e.failures = 0
	}
	if e.again {
		e.again, next = false, now
	}
	switch {
	case e.gone:
		s.wg.Go(func() { e.unhook(s.ctx) })
	case !next.IsZero():
		s.due.set(e, next)
	}
	s.ring()
}

// ring wakes the loop.
func (s *Service) ring() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// listen takes the hints of other instances.
func (s *Service) listen() {
	for s.ctx.Err() == nil {
		err := s.Stream.Subscribe(s.ctx, hintTopic, adapter.SubscribeOptions{Ready: s.noteChange},
			func(context.Context, *adapter.Message) error {
				s.noteChange()
				return nil
			})
		if s.ctx.Err() != nil {
			return
		}
		s.Logger.Warn("no hints about changed triggers; changes of other instances are seen later", "error", err)
		s.sleep(jittered(2 * time.Second))
	}
}

// noteChange has the loop read what was changed.
func (s *Service) noteChange() {
	s.mu.Lock()
	s.changed = true
	s.mu.Unlock()
	s.ring()
}

// hint tells all instances, this one too, that a trigger was changed.
func (s *Service) hint(ctx context.Context, name string) {
	s.noteChange()
	data, err := json.Marshal(map[string]string{"from": s.Instance})
	if err == nil {
		err = s.Stream.Publish(ctx, adapter.Message{Topic: hintTopic, Key: name, Data: data})
	}
	if err != nil {
		s.Logger.Warn("other instances learn of a changed trigger later", "trigger", name, "error", err)
	}
}

// now asks the store for its time, and learns how far its clock is from ours.
func (s *Service) now(ctx context.Context) (time.Time, error) {
	before := s.Clock.Now()
	now, err := s.Store.Now(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the store's clock: %w", err)
	}
	after := s.Clock.Now()
	s.mu.Lock()
	s.offset = now.Sub(before.Add(after.Sub(before) / 2))
	s.mu.Unlock()
	return now, nil
}

// sleep waits by the service's clock, or until the service ends.
func (s *Service) sleep(d time.Duration) {
	done := make(chan struct{})
	t := s.Clock.AfterFunc(d, func() { close(done) })
	defer t.Stop()
	select {
	case <-done:
	case <-s.ctx.Done():
	}
}

// jittered returns d, give or take a tenth.
func jittered(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5+1) }
