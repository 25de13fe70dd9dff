package nvent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/engine"
	"github.com/nvent-go/nvent/internal/firing"
	"github.com/nvent-go/nvent/trigger"
)

// Triggers looks after the triggers of all instances: their definitions are documents of the store, in the collection
// "triggers". What is changed on one instance reaches the others at once, or within half a minute if a hint gets lost.
//
// Its methods may be called from many goroutines, before the App is started too, block until the backend has answered or ctx
// ends, and return errors of type [*Error].
type Triggers struct {
	service *firing.Service
	store   string // name of the adapter
	encode  func(any) (json.RawMessage, error)
}

// Triggers returns the triggers.
func (a *App) Triggers() *Triggers { return a.triggers }

// TriggerInfo is a trigger and what has become of it.
type TriggerInfo struct {
	TriggerDefinition
	Next    time.Time       `json:"next,omitzero"`    // the next tick; zero: none
	Last    time.Time       `json:"last,omitzero"`    // everything up to this has been decided about
	Fired   int64           `json:"fired"`            // ticks that were
	Skipped int64           `json:"skipped"`          // ticks that were missed and left out
	Pending int             `json:"pending"`          // starts that have been decided on and are being made
	Started *TriggerStart   `json:"started,omitzero"` // the latest start of a tick
	Failure *TriggerFailure `json:"failure,omitzero"` // the latest tick that was given up
}

// TriggerStart is what a trigger has started.
type TriggerStart struct {
	ID string    `json:"id"` // of the run, or the job
	At time.Time `json:"at"`
}

// TriggerFailure says why a trigger has given up a tick.
type TriggerFailure struct {
	Error string    `json:"error"`
	At    time.Time `json:"at"`
}

// Get returns a trigger. An unknown one is ErrNotFound.
func (t *Triggers) Get(ctx context.Context, name string) (TriggerInfo, error) {
	i, err := t.service.Get(ctx, name)
	if err != nil {
		return TriggerInfo{}, wrap(t.store, "get trigger", err)
	}
	return triggerInfo(i), nil
}

// TriggerQuery selects a page of triggers.
type TriggerQuery struct {
	Cursor string // of the page before
	Limit  int    // 0 = 100
}

// List returns triggers in the order of their names, a page at a time. A page may have fewer than it could.
func (t *Triggers) List(ctx context.Context, q TriggerQuery) (Page[TriggerInfo], error) {
	const op = "list triggers"
	if q.Limit < 0 || q.Limit > maxPage {
		return Page[TriggerInfo]{}, wrap(t.store, op, fmt.Errorf("%w: limit %d: use 1 to %d, or 0 for 100", ErrInvalid, q.Limit, maxPage))
	}
	page, err := t.service.List(ctx, q.Cursor, q.Limit)
	if err != nil {
		return Page[TriggerInfo]{}, wrap(t.store, op, err)
	}
	list := Page[TriggerInfo]{Next: page.Next}
	for _, i := range page.Items {
		list.Items = append(list.Items, triggerInfo(i))
	}
	return list, nil
}

// Save creates a trigger, or changes the one that has the Version of the definition, as Get returned it. It returns the
// trigger as it is then, with its new version. A trigger that is malformed is ErrInvalid with everything that is wrong; one of
// another version is ErrConflict.
//
// A new schedule counts from now: what would have been due before is not. What a program declares may be changed too. It stays
// changed until the program declares something else.
func (t *Triggers) Save(ctx context.Context, def TriggerDefinition) (TriggerDefinition, error) {
	const op = "save trigger"
	if len(def.Input) > 0 {
		if _, err := t.encode(def.Input); err != nil {
			return def, wrap(t.store, op, about(fmt.Sprintf("trigger %q: input", def.Name), err))
		}
	}
	saved, err := t.service.Save(ctx, def)
	if errors.Is(err, ErrConflict) {
		err = hinted(err, "get the trigger, apply the change to it, and save it with its _version")
	}
	return saved, wrap(t.store, op, err)
}

// Pause ends the firing of a trigger until it is resumed. What it misses meanwhile is not caught up.
func (t *Triggers) Pause(ctx context.Context, name string) error {
	return wrap(t.store, "pause trigger", t.service.SetPaused(ctx, name, true))
}

// Resume lets a trigger fire again.
func (t *Triggers) Resume(ctx context.Context, name string) error {
	return wrap(t.store, "resume trigger", t.service.SetPaused(ctx, name, false))
}

// Delete removes a trigger. A missing one is not an error, unless [IfVersion] asks for it. A trigger that a program declares
// stays deleted until the program declares something else under its name.
func (t *Triggers) Delete(ctx context.Context, name string, o ...DocumentOption) error {
	expect := adapter.AnyVersion
	for _, opt := range o {
		expect = opt.version
	}
	return wrap(t.store, "delete trigger", t.service.Delete(ctx, name, expect))
}

// Fire fires a trigger by hand, whatever its type, and even if it is paused. It returns the ID of the run, or of the job. The
// payload takes the place of an event's. [WithKey] makes it idempotent; other options are ErrInvalid.
func (t *Triggers) Fire(ctx context.Context, name string, payload any, o ...StartOption) (string, error) {
	const op = "fire trigger"
	var opts engine.StartOptions
	for _, opt := range o {
		opt.set(&opts)
	}
	if opts.Labels != nil || opts.Headers != nil {
		return "", wrap(t.store, op, fmt.Errorf("trigger %q: %w: of the options of a start, only WithKey goes with a trigger", name, ErrInvalid))
	}
	var data json.RawMessage
	if payload != nil {
		var err error
		if data, err = t.encode(payload); err != nil {
			return "", wrap(t.store, op, about(fmt.Sprintf("trigger %q: payload", name), err))
		}
	}
	id, err := t.service.Fire(ctx, name, opts.Key, data)
	return id, wrap(t.store, op, err)
}

func triggerInfo(i firing.Info) TriggerInfo {
	st := i.State
	info := TriggerInfo{TriggerDefinition: i.Definition, Next: i.Next, Fired: st.Fired, Skipped: st.Skipped, Pending: len(st.Pending)}
	if st.Last != 0 {
		info.Last = time.UnixMilli(st.Last)
	}
	if st.Started != nil {
		info.Started = &TriggerStart{ID: st.Started.ID, At: time.UnixMilli(st.Started.At)}
	}
	if st.Failure != nil {
		info.Failure = &TriggerFailure{Error: st.Failure.Error, At: time.UnixMilli(st.Failure.At)}
	}
	return info
}

// newTriggers makes what fires the triggers of an App.
func (a *App) newTriggers(ctx context.Context, drivers adapter.Opened, instance string) error {
	service, err := firing.New(ctx, firing.Options{
		Store: drivers.Store, Stream: drivers.Stream, Clock: a.config.Clock, Logger: a.log, Instance: instance,
		Launch: a.launch, Encode: a.encode, Topic: a.onTopic,
		Bus: func(event string, f func(context.Context, any)) (off func(context.Context)) {
			end := a.bus.On(event, func(ctx context.Context, m BusMessage) { f(ctx, m.Payload) })
			return func(context.Context) { end() }
		},
	})
	if err != nil {
		return fmt.Errorf("prepare triggers: %w", err)
	}
	a.triggers = &Triggers{service: service, store: drivers.Store.Info().Name, encode: a.encode}
	return nil
}

// addTrigger takes a trigger to declare at Start.
func (a *App) addTrigger(t Trigger) error {
	if t.err == nil {
		_, t.err = trigger.Compile(t.def)
	}
	if t.err != nil {
		return t.err
	}
	for _, other := range a.declared {
		if other.def.Name == t.def.Name {
			return fmt.Errorf("trigger %q: %w: it has been added already", t.def.Name, ErrInvalid)
		}
	}
	a.declared = append(a.declared, t)
	return nil
}

// declareTriggers saves the triggers of this program, unless they are there.
func (a *App) declareTriggers(ctx context.Context) error {
	for _, t := range a.declared {
		name := t.def.Flow
		if name == "" && t.def.Job == nil {
			name = t.def.Name
		}
		if name != "" && a.flows[name] == nil {
			if _, err := a.engine.CurrentFlow(ctx, name); err != nil {
				return fmt.Errorf("trigger %q starts a flow that is not known here or in the store: %w; add the flow too", t.def.Name, err)
			}
		}
		if err := a.triggers.service.Declare(ctx, t.def, t.function); err != nil {
			return fmt.Errorf("declare trigger: %w", err)
		}
	}
	return nil
}

// launch starts what a trigger starts.
func (a *App) launch(ctx context.Context, s firing.Start) (string, error) {
	labels := map[string]string{"trigger": s.Trigger}
	if s.Job == nil {
		run, err := a.StartFlow(ctx, s.Flow, s.Input, WithKey(s.Key), WithRunLabels(labels))
		if err != nil {
			return "", err
		}
		return run.ID(), nil
	}
	in := JobInput{Name: s.Job.Name, Data: s.Input, Key: s.Key, Labels: labels, Timeout: time.Duration(s.Job.Timeout)}
	if r := s.Job.Retry; r != nil {
		in.Attempts, in.Backoff = r.Attempts, r.Backoff
	}
	return a.queue.Enqueue(ctx, s.Job.Queue, in)
}

// onTopic subscribes a trigger to a topic.
func (a *App) onTopic(ctx context.Context, topic, group string, f func(context.Context, firing.Message) error,
	lost func(error)) (off func(context.Context), err error) {
	handle := func(ctx context.Context, e *StreamEvent) error {
		err := f(ctx, firing.Message{ID: e.ID, At: e.At, Data: e.Data})
		if _, hopeless := errors.AsType[*firing.Hopeless](err); hopeless {
			return flow.Permanent(err)
		}
		return err
	}
	// What is hopeless becomes a dead letter; everything else is tried for as long as it takes.
	sub, err := a.stream.Subscribe(ctx, topic, handle, SubscribeOptions{Group: group, MaxDeliveries: math.MaxInt32})
	if err != nil {
		return nil, err
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		<-sub.Done()
		if err := sub.Err(); err != nil {
			lost(err)
		}
	}()
	return func(ctx context.Context) {
		if sub.Unsubscribe(ctx) == nil { // else its handlers still run; the stream waits for them when it is closed
			<-watched
		}
	}, nil
}
