package nvent

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// RunEvent is news of a run on the [Bus].
type RunEvent struct {
	RunID string
	Flow  string
	Epoch int    // above 1 after a restart
	Seq   uint64 // of the record in the run's log that says so
	// Error is what failed the run, or the reason of its cancellation.
	Error string
}

// The events of runs on the [Bus] of the App that recorded them: each of them comes once, on one instance, and not at all when
// that instance dies at this moment. They are news; the truth is in the log. Listeners are called one after the other in a
// goroutine of their own, so a slow one delays the others and no run.
var (
	RunStarted   = NewBusEvent[RunEvent]("run.started") // restarts too
	RunCompleted = NewBusEvent[RunEvent]("run.completed")
	RunFailed    = NewBusEvent[RunEvent]("run.failed")
	RunCanceled  = NewBusEvent[RunEvent]("run.canceled")
)

// runEvents are the events by the records that they tell of.
var runEvents = map[string]BusEvent[RunEvent]{
	flow.RecordFlowStarted: RunStarted, flow.RecordFlowCompleted: RunCompleted,
	flow.RecordFlowFailed: RunFailed, flow.RecordFlowCanceled: RunCanceled,
}

// What the names of news begin with.
const (
	runEventPrefix   = "run."
	queueEventPrefix = "queue."
)

// QueueBusEvent returns the event of the [Bus] for what happens in the queues that the App has handlers for, such as
// "queue.completed". It tells what [Queue.On] tells, once the App has been started.
func QueueBusEvent(t EventType) BusEvent[QueueEvent] {
	return NewBusEvent[QueueEvent](queueEventPrefix + string(t))
}

// busNews brings news of the engine and of the queues to the bus.
type busNews struct {
	app *App

	mu      sync.Mutex
	pending []BusMessage
	running bool // a goroutine publishes what is pending
	idle    *sync.Cond

	watch sync.Once // of the queues
}

func (n *busNews) init(a *App) {
	n.app = a
	n.idle = sync.NewCond(&n.mu)
	a.bus.listening = n.listening
}

// run is told of records that are committed. It does not block.
func (n *busNews) run(run string, records []adapter.Record) {
	if !n.app.bus.heardAny(runEventPrefix) {
		return
	}
	for i := range records {
		r := &records[i]
		e, ok := runEvents[r.Type]
		if !ok || !n.app.bus.heard(e.Name()) {
			continue
		}
		n.push(BusMessage{e.Name(), RunEvent{RunID: run, Flow: r.Flow, Epoch: r.Epoch, Seq: r.Seq, Error: runError(r)}})
	}
}

// runError returns why a run ended, in the words of its last record.
func runError(r *adapter.Record) string {
	if r.Type != flow.RecordFlowFailed && r.Type != flow.RecordFlowCanceled {
		return ""
	}
	var sum flow.Summary
	switch err := json.Unmarshal(r.Data, &sum); {
	case err != nil:
		return ""
	case sum.Error != nil:
		return sum.Error.Step + ": " + sum.Error.Error
	}
	return sum.Reason
}

// push adds news, and sees to it that they are published.
func (n *busNews) push(m BusMessage) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pending = append(n.pending, m)
	if !n.running {
		n.running = true
		go n.publish()
	}
}

// publish publishes what is pending, in order.
func (n *busNews) publish() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.pending) > 0 {
		list := n.pending
		n.pending = nil
		n.mu.Unlock()
		for _, m := range list {
			n.app.bus.Publish(context.Background(), m.Name, m.Payload)
		}
		n.mu.Lock()
	}
	n.running = false
	n.idle.Broadcast()
}

// close waits until all news are published, at most until ctx ends.
func (n *busNews) close(ctx context.Context) {
	defer context.AfterFunc(ctx, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.idle.Broadcast()
	})()
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.running && ctx.Err() == nil {
		n.idle.Wait()
	}
}

// listening is told that somebody listens to a name, or to all if it is empty. It returns when events of queues come in.
func (n *busNews) listening(name string) {
	a := n.app
	if name != "" && !strings.HasPrefix(name, queueEventPrefix) {
		return
	}
	a.mu.Lock()
	started := a.phase == phaseStarted
	a.mu.Unlock()
	if started {
		n.watchQueues()
	}
}

// start is called when the App starts, before its workers do.
func (n *busNews) start() {
	if n.app.bus.heardAny(queueEventPrefix) {
		n.watchQueues()
	}
}

func (n *busNews) watchQueues() {
	n.watch.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		for _, queue := range slices.Sorted(maps.Keys(n.app.queues)) {
			_, err := n.app.queue.On(ctx, queue, "", func(e QueueEvent) {
				n.app.bus.Publish(context.Background(), queueEventPrefix+string(e.Type), e)
			})
			if err != nil {
				n.app.log.Error("events of a queue do not reach the event bus", "queue", queue, "error", err)
			}
		}
	})
}
