package nvent

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nvent-go/nvent/adapter"
)

// QueueEvent is something that happened in a queue: what, to which job, when, and for completed the result, for failed the
// error as a JSON string, for progress the progress.
type QueueEvent = adapter.QueueEvent

// EventType is the type of a queue event.
type EventType = adapter.EventType

// The queue events. Those of jobs carry the job's ID, the others none.
const (
	EventAdded     = adapter.EventAdded
	EventWaiting   = adapter.EventWaiting
	EventActive    = adapter.EventActive
	EventProgress  = adapter.EventProgress
	EventCompleted = adapter.EventCompleted
	EventFailed    = adapter.EventFailed
	EventPaused    = adapter.EventPaused
	EventResumed   = adapter.EventResumed
	EventLost      = adapter.EventLost
)

// On calls fn for each event of one type in a queue, or of every type if event is empty, one at a time and in order, until
// off is called or the App is closed. It returns when the listener is in place; ctx bounds only that.
//
// Events are news, not facts: when fn is slow some are dropped, and then every listener of the queue gets an [EventLost],
// whatever it asked for. An adapter without global events reports what this instance does. A call of fn that has begun may
// still run when off returns; no other follows. off may be called more than once, and from within fn.
func (q *Queue) On(ctx context.Context, queue string, event EventType, fn func(QueueEvent)) (off func(), err error) {
	const op = "listen to queue"
	switch event {
	case "", EventAdded, EventWaiting, EventActive, EventProgress, EventCompleted, EventFailed, EventPaused, EventResumed, EventLost:
	default:
		return nil, wrap(q.name, op, fmt.Errorf("%w: event %q: use added, waiting, active, progress, completed, failed, paused, "+
			"resumed, lost, or none for all", ErrInvalid, event))
	}
	if fn == nil {
		return nil, wrap(q.name, op, fmt.Errorf("%w: the function is nil", ErrInvalid))
	}
	if err := checkName("queue", queue); err != nil {
		return nil, wrap(q.name, op, err)
	}
	l := &queueListener{event: event, fn: fn}
	w, err := q.watches.add(q, queue, l)
	if err != nil {
		return nil, wrap(q.name, op, err)
	}
	off = func() { q.watches.remove(w, l) }
	select {
	case <-w.ready:
		return off, nil
	case <-w.ended:
		err = w.err
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	off()
	return nil, wrap(q.name, op, err)
}

// queueWatches are the watches of queues: one of the adapter for all listeners of a queue.
type queueWatches struct {
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	byQueue map[string]*queueWatch
}

type queueWatch struct {
	queue     string
	stop      context.CancelFunc
	ready     chan struct{}
	ended     chan struct{} // closed when the adapter has ended the watch
	err       error         // why; read it after ended
	listeners atomic.Pointer[[]*queueListener]
}

type queueListener struct {
	event EventType
	fn    func(QueueEvent)
	off   atomic.Bool
}

func (s *queueWatches) init() {
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.byQueue = map[string]*queueWatch{}
}

// close ends all watches and waits for the calls that run.
func (s *queueWatches) close() {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	s.running.Wait()
}

func (s *queueWatches) add(q *Queue, queue string, l *queueListener) (*queueWatch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return nil, ErrClosed
	}
	w := s.byQueue[queue]
	if w == nil {
		w = &queueWatch{queue: queue, ready: make(chan struct{}), ended: make(chan struct{})}
		w.listeners.Store(&[]*queueListener{l})
		s.byQueue[queue] = w
		var ctx context.Context
		ctx, w.stop = context.WithCancel(s.ctx)
		s.running.Go(func() { s.run(ctx, q, w) })
		return w, nil
	}
	list := append(slices.Clone(*w.listeners.Load()), l)
	w.listeners.Store(&list)
	return w, nil
}

// remove takes a listener away; the last one ends the watch.
func (s *queueWatches) remove(w *queueWatch, l *queueListener) {
	l.off.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(*w.listeners.Load()), func(x *queueListener) bool { return x == l })
	w.listeners.Store(&list)
	if len(list) == 0 {
		s.forget(w)
	}
}

// forget ends a watch, so that the next listener begins a new one. s.mu is held.
func (s *queueWatches) forget(w *queueWatch) {
	w.stop()
	if s.byQueue[w.queue] == w {
		delete(s.byQueue, w.queue)
	}
}

func (s *queueWatches) run(ctx context.Context, q *Queue, w *queueWatch) {
	ready := sync.OnceFunc(func() { close(w.ready) })
	err := q.driver.Watch(ctx, w.queue, ready, func(e QueueEvent) { w.dispatch(q.o.log, e) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(w)
	if w.err = err; err == nil {
		w.err = ErrClosed
	}
	close(w.ended)
	select {
	case <-w.ready:
		if err != nil && s.ctx.Err() == nil {
			q.o.log.Error("listeners of a queue hear nothing any more", "queue", w.queue, "error", err)
		}
	default: // On returns the error
	}
}

func (w *queueWatch) dispatch(log *slog.Logger, e QueueEvent) {
	for _, l := range *w.listeners.Load() {
		if (l.event == "" || l.event == e.Type || e.Type == EventLost) && !l.off.Load() {
			l.call(log, e)
		}
	}
}

func (l *queueListener) call(log *slog.Logger, e QueueEvent) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("listener of a queue panicked", "queue", e.Queue, "event", e.Type, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	l.fn(e)
}
