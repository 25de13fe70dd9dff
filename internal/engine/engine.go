// Package engine runs flows and jobs on any trio of adapters: the imperative shell around the pure core of package flow.
//
// The store decides, the queue only wakes. Everything that happens to a run goes through its mailbox ([box]), which decides
// with flow.Definition.Apply, commits, issues what follows, and only then lets deliveries be settled:
//
//	commit → enqueue → settle
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// Options configures an engine. Adapters, Clock, Logger and Instance are required.
type Options struct {
	Queue    adapter.Queue
	Stream   adapter.Stream
	Store    adapter.Store
	Clock    adapter.Clock
	Logger   *slog.Logger
	Instance string // unique among everything that shares the store

	Concurrency func(queue string) int
	StepTimeout time.Duration // of a step that sets none
	MaxPayload  int           // bytes
	EventTTL    time.Duration // of logs, from the end of a run; 0 = for ever
	MetadataTTL time.Duration // of all else of a run, from its end; 0 = for ever
	Cleanup     Cleanup
	// Recorded is called with the records of each commit of this engine, in the order of the run's log. It must not block.
	// nil: nobody wants to know.
	Recorded func(run string, records []adapter.Record)
}

// Cleanup says what becomes of a run's state documents.
type Cleanup struct {
	Strategy string
	TTL      time.Duration // of CleanupTTL
}

// The clean-up strategies.
const (
	CleanupNever      = "never"       // kept as long as the run's metadata
	CleanupImmediate  = "immediate"   // deleted in the commit that ends the run
	CleanupOnComplete = "on-complete" // deleted in the commit that completes the run; kept when it failed or was cancelled
	CleanupTTL        = "ttl"         // vanish some time after the end of the run
)

// Engine runs flows and jobs. Its methods may be called from many goroutines.
type Engine struct {
	Options
	defs     definitions
	handlers handlers
	shards   [64]boxShard
	hub      hub
	hints    hintSender
	behind   writeBehind
	held     heldRuns
	timers   timers
	parts    partCache
	pace     pace
	pauses   flowPauses
	tx       adapter.Transactor // nil: the store shares no transactions with the queue
	narrow   bool               // the queue reaches fewer processes than the store: dispatches have an owner

	offset  atomic.Int64 // store clock minus ours, in nanoseconds
	ctx     context.Context
	stop    context.CancelCauseFunc
	wg      sync.WaitGroup // background loops
	alarmMu sync.Mutex
	alarmed map[string]time.Time
}

// New returns an engine on open adapters. It declares its collections in the store and starts nothing.
func New(ctx context.Context, o Options) (*Engine, error) {
	e := &Engine{Options: o, alarmed: map[string]time.Time{}}
	e.ctx, e.stop = context.WithCancelCause(context.Background())
	e.narrow = o.Queue.Info().Scope < o.Store.Info().Scope
	if tx, ok := o.Store.(adapter.Transactor); ok && o.Store.Info().Caps.Has(adapter.CapTx) && tx.Shares(o.Queue) {
		e.tx = tx
	}
	e.defs.store = o.Store
	for i := range e.shards {
		e.shards[i].boxes = map[string]*box{}
	}
	e.hub.init(e)
	e.hints.init(e)
	e.behind.init(e)
	e.held.init()
	e.timers.init(e)
	e.pace.init()
	if err := o.Store.Declare(ctx, collections...); err != nil {
		return nil, fmt.Errorf("declare collections: %w", err)
	}
	if err := e.syncClock(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// Start begins the background work: write-behind, hints, the reconciler, and the heartbeat where dispatches have an owner.
func (e *Engine) Start() {
	e.loop(e.hints.run)
	e.loop(e.behind.run)
	e.loop(e.behind.record)
	e.loop(e.reconcileLoop)
	e.loop(e.heldLoop)
	e.loop(e.purgeLoop)
	e.loop(e.timers.run)
	if e.narrow {
		e.loop(e.heartbeatLoop)
	}
}

func (e *Engine) loop(f func(context.Context)) {
	e.wg.Go(func() { f(e.ctx) })
}

// Close ends the background work. Workers must have ended before: see [Engine.Work].
func (e *Engine) Close() {
	e.stop(adapter.ErrClosed)
	e.hub.close()
	e.wg.Wait()
}

// later runs f in the background, until the engine ends. An error is an alarm: the reconciler will see to it.
func (e *Engine) later(f func(ctx context.Context) error) {
	if e.ctx.Err() != nil {
		return
	}
	e.wg.Go(func() {
		if err := f(e.ctx); err != nil && e.ctx.Err() == nil {
			e.alarm("later", "what follows a commit is not done; the reconciler will do it", "error", err)
		}
	})
}

// syncClock learns how far the store's clock is from ours.
func (e *Engine) syncClock(ctx context.Context) error {
	before := e.Clock.Now()
	now, err := e.Store.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	after := e.Clock.Now()
	e.offset.Store(int64(now.Sub(before.Add(after.Sub(before) / 2))))
	return nil
}

// now returns the store's time, as well as we know it.
func (e *Engine) now() time.Time { return e.storeTime(e.Clock.Now()) }

// storeTime converts a time of our clock to the store's.
func (e *Engine) storeTime(host time.Time) time.Time { return host.Add(time.Duration(e.offset.Load())) }

// sawStoreTime corrects our idea of the store's clock by the time of a commit that has just returned.
func (e *Engine) sawStoreTime(at time.Time) {
	if diff := at.Sub(e.now()); diff > 50*time.Millisecond || diff < -time.Second {
		e.offset.Add(int64(diff))
	}
}

// hostTime converts a time of the store's clock to ours.
func (e *Engine) hostTime(store time.Time) time.Time {
	return store.Add(-time.Duration(e.offset.Load()))
}

// alarm logs something that a person should look at, once a minute for each key.
func (e *Engine) alarm(key, msg string, args ...any) {
	now := e.Clock.Now()
	e.alarmMu.Lock()
	last, seen := e.alarmed[key]
	quiet := seen && now.Sub(last) < time.Minute
	if !quiet {
		if len(e.alarmed) > 1000 {
			clear(e.alarmed)
		}
		e.alarmed[key] = now
	}
	e.alarmMu.Unlock()
	if !quiet {
		e.Logger.Warn(msg, args...)
	}
}

// sleep waits for d by the engine's clock and reports whether it passed before ctx ended.
func (e *Engine) sleep(ctx context.Context, d time.Duration) bool {
	done := make(chan struct{})
	t := e.Clock.AfterFunc(d, func() { close(done) })
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// jittered returns d, give or take a tenth, so that instances do not act in step.
func jittered(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

// refused reports whether a store's error says that the batch itself is at fault: it was not applied, and never will be.
func refused(err error) bool {
	return errors.Is(err, adapter.ErrTooLarge) || errors.Is(err, adapter.ErrInvalid) ||
		errors.Is(err, adapter.ErrCrossPartition) || errors.Is(err, adapter.ErrUnsupported)
}

// AddFlow makes a flow known to this engine.
func (e *Engine) AddFlow(def *flow.Definition) {
	e.defs.add(def)
	e.defs.own.add(def.Name(), def)
}
