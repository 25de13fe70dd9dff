package memory

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// watchBuffer is how many events a slow watcher may be behind before it loses some.
const watchBuffer = 4096

// watcher is a call of Watch. The mutex of the queue guards it.
type watcher struct {
	events []adapter.QueueEvent
	lost   bool // events after those were dropped
	wake   chan struct{}
}

// event tells the watchers what happened. j is nil for what happened to the queue.
func (q *jobQueue) event(t adapter.EventType, j *job, at time.Time, data json.RawMessage) {
	if len(q.watchers) == 0 {
		return
	}
	e := adapter.QueueEvent{Type: t, Queue: q.name, At: at, Data: data}
	if j != nil {
		e.JobID = j.spec.ID
	}
	for _, w := range q.watchers {
		if len(w.events) == watchBuffer {
			w.lost = true
			continue
		}
		w.events = append(w.events, e)
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// Watch calls fn for the events of a queue, those that other instances cause included. See [adapter.Queue].
func (in *Queue) Watch(ctx context.Context, queue string, ready func(), fn func(adapter.QueueEvent)) error {
	select {
	case <-in.done:
		return fail("watch", adapter.ErrClosed, "")
	default:
	}
	q := in.b.queue(queue, true)
	w := &watcher{wake: make(chan struct{}, 1)}
	q.mu.Lock()
	q.watchers = append(q.watchers, w)
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		i := slices.Index(q.watchers, w)
		q.watchers = slices.Delete(q.watchers, i, i+1)
		q.mu.Unlock()
	}()
	if ready != nil {
		ready()
	}
	var events []adapter.QueueEvent
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-in.done:
			return fail("watch", adapter.ErrClosed, "")
		case <-w.wake:
		}
		var lost bool
		q.mu.Lock()
		events, w.events = w.events, events[:0]
		lost, w.lost = w.lost, false
		q.mu.Unlock()
		if lost {
			events = append(events, adapter.QueueEvent{Type: adapter.EventLost, Queue: queue, At: in.b.now()})
		}
		for _, e := range events {
			if ctx.Err() != nil {
				return nil
			}
			fn(e)
		}
		clear(events)
	}
}
