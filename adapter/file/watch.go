package file

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// watchBuffer is how many events a slow watcher may be behind before it loses some.
const watchBuffer = 4096

// watcher is a call of Watch. The mutex of the Queue guards it.
type watcher struct {
	events []adapter.QueueEvent
	lost   bool // events after those were dropped
	wake   chan struct{}
}

// event tells the watchers, once the transaction is committed.
func (in *Queue) event(tx *sqlite.Tx, t adapter.EventType, queue, id string, data json.RawMessage) {
	in.mu.Lock()
	watched := len(in.watchers[queue]) > 0
	in.mu.Unlock()
	if !watched {
		return
	}
	e := adapter.QueueEvent{Type: t, Queue: queue, JobID: id, At: timeOf(tx.Now), Data: data}
	tx.After(func() { in.tell(e) })
}

func (in *Queue) tell(e adapter.QueueEvent) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, w := range in.watchers[e.Queue] {
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

// Watch calls fn for what this process does in a queue. See [adapter.Queue].
func (in *Queue) Watch(ctx context.Context, queue string, ready func(), fn func(adapter.QueueEvent)) error {
	select {
	case <-in.done:
		return fail("watch", adapter.ErrClosed)
	default:
	}
	w := &watcher{wake: make(chan struct{}, 1)}
	in.mu.Lock()
	in.watchers[queue] = append(in.watchers[queue], w)
	in.mu.Unlock()
	defer func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.watchers[queue] = slices.DeleteFunc(in.watchers[queue], func(other *watcher) bool { return other == w })
	}()
	if ready != nil {
		ready()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-in.done:
			return fail("watch", adapter.ErrClosed)
		case <-w.wake:
		}
		in.mu.Lock()
		events, lost := w.events, w.lost
		w.events, w.lost = nil, false
		in.mu.Unlock()
		if lost {
			events = append(events, adapter.QueueEvent{Type: adapter.EventLost, Queue: queue, At: in.b.o.Clock.Now()})
		}
		for _, e := range events {
			if ctx.Err() != nil {
				return nil
			}
			fn(e)
		}
	}
}
