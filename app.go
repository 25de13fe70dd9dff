// Package nvent is event-driven work: jobs on queues, flows of steps wired by the events that they emit, on memory or on the
// backend of your choice, with the same code and the same promises.
//
// An [App] runs what it is given: flows (package flow), and jobs ([Job]). [Start] begins a run of a flow, [Run.Wait] returns
// its result, and [Run.Events] follows its log. No crash of a process loses a run.
package nvent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/engine"
	"github.com/nvent-go/nvent/trigger"
)

// App is nvent in a program: adapters, flows and jobs, and the workers that run them. Make one with [New], give it what it
// runs with [App.Add], and start it. Its methods may be called from many goroutines.
type App struct {
	config Config
	log    *slog.Logger
	engine *engine.Engine
	opened []func() error // closes adapters that this app opened, in the order of opening

	queue  *Queue
	stream *Stream
	store  *Store
	bus    *Bus
	news   busNews

	triggers *Triggers

	mu       sync.Mutex
	phase    phase
	flows    map[string]*flow.Definition
	built    map[goFlow]*flow.Definition // what the flows built in Go were when they were added
	wirings  []flow.Wiring               // documents, compiled at Start
	queues   map[string]bool             // that this app has handlers for
	declared []Trigger                   // saved at Start
	closed   chan struct{}               // closed when Close has ended
	closeErr error

	stopTaking context.CancelFunc // ends the taking of jobs
	abort      context.CancelFunc // ends running handlers
	abortCtx   context.Context
	workers    sync.WaitGroup
}

type phase int

const (
	phaseNew phase = iota
	phaseStarted
	phaseClosing
)

// New opens the adapters that the configuration names (memory, if it names none) and returns an App that runs nothing yet.
// It blocks until the adapters are ready, at most until ctx ends. The caller must Close the App.
func New(ctx context.Context, c Config) (*App, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	a := &App{
		config: c, log: c.Logger, flows: map[string]*flow.Definition{}, built: map[goFlow]*flow.Definition{},
		queues: map[string]bool{}, closed: make(chan struct{}),
	}
	instance := uuid.NewString()
	drivers, err := a.open(ctx, instance)
	if err != nil {
		return nil, errors.Join(err, a.closeAdapters())
	}
	a.bus = newBus(c.Logger)
	a.news.init(a)
	a.engine, err = engine.New(ctx, engine.Options{
		Queue: drivers.Queue, Stream: drivers.Stream, Store: drivers.Store,
		Clock: c.Clock, Logger: c.Logger, Instance: instance,
		Concurrency: c.concurrency, StepTimeout: c.Flow.StepTimeout, MaxPayload: c.Limits.Payload,
		EventTTL: c.Store.Retention.EventTTL, MetadataTTL: c.Store.Retention.MetadataTTL,
		Recorded: a.news.run,
		Cleanup:  engine.Cleanup{Strategy: c.Store.State.Cleanup.Strategy, TTL: c.Store.State.Cleanup.TTL},
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start engine: %w", err), a.closeAdapters())
	}
	a.portable(drivers)
	if err := a.newTriggers(ctx, drivers, instance); err != nil {
		a.engine.Close()
		return nil, errors.Join(err, a.closeAdapters())
	}
	a.sayOnce(drivers)
	return a, nil
}

// Queue returns the queue of jobs.
func (a *App) Queue() *Queue { return a.queue }

// Stream returns the stream between instances.
func (a *App) Stream() *Stream { return a.stream }

// Store returns the store of logs, documents and keys.
func (a *App) Store() *Store { return a.store }

// Bus returns the event bus of this process.
func (a *App) Bus() *Bus { return a.bus }

// goFlow is a flow built in Go, whatever its types.
type goFlow interface {
	Definition() (*flow.Definition, error)
	Handlers() []flow.Handler
}

// Add gives the App what it runs, before it is started: flows built in Go (*flow.Flow), flows that are documents
// (flow.Wiring), handlers of steps by name (flow.Handler), handlers of jobs (Handler), and triggers (Trigger, or
// TriggerDefinition). It reports all mistakes at once; what is right has been added then.
func (a *App) Add(defs ...any) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.phase != phaseNew {
		return fmt.Errorf("add to app: %w: it has been started; add everything before Start", adapter.ErrInvalid)
	}
	var errs []error
	for i, def := range defs {
		if err := a.add(def); err != nil {
			errs = append(errs, fmt.Errorf("add argument %d: %w", i+1, err))
		}
	}
	return errors.Join(errs...)
}

func (a *App) add(def any) error {
	switch def := def.(type) {
	case goFlow:
		return a.addGoFlow(def)
	case flow.Wiring:
		a.wirings = append(a.wirings, def)
		return nil
	case flow.Handler:
		return a.engine.HandleStep(def)
	case Trigger:
		return a.addTrigger(def)
	case trigger.Definition:
		return a.addTrigger(Trigger{def: def})
	case Handler:
		a.queues[def.queueName()] = true
		return def.register(a.engine)
	case nil:
		return fmt.Errorf("%w: it is nil", adapter.ErrInvalid)
	}
	return fmt.Errorf("%w: a %T is not something that an App runs: pass a *flow.Flow, a flow.Wiring, a flow.Handler, "+
		"the Handle of a job, or a trigger",
		adapter.ErrInvalid, def)
}

func (a *App) addGoFlow(f goFlow) error {
	d, err := f.Definition()
	if err != nil {
		return err
	}
	if err := a.addDefinition(d); err != nil {
		return err
	}
	a.built[f] = d
	var errs []error
	for _, h := range f.Handlers() {
		errs = append(errs, a.engine.HandleStep(h))
	}
	return errors.Join(errs...)
}

func (a *App) addDefinition(d *flow.Definition) error {
	if old, dup := a.flows[d.Name()]; dup && old.Hash() != d.Hash() {
		return fmt.Errorf("flow %q: %w: there is another one of this name", d.Name(), adapter.ErrInvalid)
	} else if dup {
		return fmt.Errorf("flow %q: %w: it has been added already", d.Name(), adapter.ErrInvalid)
	}
	a.flows[d.Name()] = d
	return nil
}

// Start checks that every step has its handler, saves the flows and triggers, and lets the workers run and the triggers fire.
// It returns when the workers can take jobs; ctx bounds that only. Queues with worker.autorun off are left alone.
func (a *App) Start(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.phase != phaseNew {
		return fmt.Errorf("start app: %w: it has been started already", adapter.ErrInvalid)
	}
	if err := a.bind(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(a.flows)) {
		if err := a.engine.SaveFlow(ctx, a.flows[name]); err != nil {
			return err
		}
	}
	if err := a.declareTriggers(ctx); err != nil {
		return err
	}
	a.phase = phaseStarted
	a.news.start()
	a.engine.Start()
	a.startWorkers(ctx)
	a.triggers.service.Start()
	return nil
}

// bind compiles the documents and checks all flows against the handlers.
func (a *App) bind() error {
	var errs []error
	for _, w := range a.wirings {
		d, err := flow.Compile(w)
		if err == nil {
			err = a.addDefinition(d)
		}
		errs = append(errs, err)
	}
	a.wirings = nil
	handlers := a.engine.StepHandlers()
	for _, name := range slices.Sorted(maps.Keys(a.flows)) {
		d := a.flows[name]
		_, err := flow.Bind(d, handlers)
		errs = append(errs, err)
		a.engine.AddFlow(d)
		for _, s := range d.Steps() {
			if !s.External {
				a.queues[s.Queue] = true
			}
		}
	}
	return errors.Join(errs...)
}

func (a *App) startWorkers(ctx context.Context) {
	var take context.Context
	take, a.stopTaking = context.WithCancel(context.Background())
	a.abortCtx, a.abort = context.WithCancel(context.Background())
	var ready sync.WaitGroup
	for _, queue := range slices.Sorted(maps.Keys(a.queues)) {
		if !a.config.autorun(queue) {
			continue
		}
		ready.Add(1)
		once := sync.OnceFunc(ready.Done)
		a.workers.Go(func() {
			defer once()
			if err := a.engine.Work(take, a.abortCtx, queue, once); err != nil {
				a.log.Error("worker ended", "queue", queue, "error", err)
			}
		})
	}
	done := make(chan struct{})
	go func() { ready.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Run starts the App, waits until ctx ends, and closes it, giving handlers 30 seconds to finish. It returns nil after a
// graceful stop.
func (a *App) Run(ctx context.Context) error {
	if err := a.Start(ctx); err != nil {
		return errors.Join(err, a.Close(context.WithoutCancel(ctx)))
	}
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	return a.Close(stop)
}
