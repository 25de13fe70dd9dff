package queue

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// watchBlock is how long one read of the events waits.
const watchBlock = 5 * time.Second

// Watch calls fn for the events of a queue, those that Node causes included. It reads BullMQ's events stream, which keeps the
// last 10,000 or so: a watcher that falls further behind hears EventLost. See [adapter.Queue].
func (q *Queue) Watch(ctx context.Context, queue string, ready func(), fn func(adapter.QueueEvent)) error {
	const op = "watch"
	base, err := q.base(op, queue)
	if err != nil {
		return err
	}
	if q.closed() {
		return conn.Closed(op)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-q.done:
			cancel()
		case <-ended:
		}
	}()
	w := &watcher{q: q, queue: queue, base: base, key: base + "events", fn: fn}
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := w.read(ctx, ready)
		if w.placed {
			ready = nil
		}
		if q.closed() {
			return conn.Closed(op)
		}
		if ctx.Err() != nil {
			return nil
		}
		if !w.placed {
			return conn.Error(ctx, op, err)
		}
		if w.well {
			w.well, wait = false, 50*time.Millisecond
			q.o.Logger.Warn("redis: a watcher has lost the server, and tries again", "queue", queue, "error", conn.Error(ctx, op, err))
		}
		pause(ctx, wait)
	}
}

// watcher reads the events of a queue.
type watcher struct {
	q                *Queue
	queue, base, key string
	fn               func(adapter.QueueEvent)
	last             string // the last entry that was read
	placed           bool   // last is set
	well             bool   // the last read went well
}

// read reads events until something fails.
func (w *watcher) read(ctx context.Context, ready func()) error {
	client, release := w.q.client.Dedicate()
	defer release()
	defer client.Close()
	if !w.placed {
		tail, err := client.Do(ctx, client.B().Xrevrange().Key(w.key).End("+").Start("-").Count(1).Build()).AsXRange()
		if err != nil && !rueidis.IsRedisNil(err) {
			return err
		}
		w.last = "0-0"
		if len(tail) > 0 {
			w.last = tail[0].ID
		}
		w.placed = true
		if ready != nil {
			ready()
		}
	}
	for {
		entries, err := w.next(ctx, client)
		if err != nil {
			return err
		}
		w.well = true
		if len(entries) == 0 {
			continue
		}
		lost, err := w.lost(ctx, client)
		if err != nil {
			return err
		}
		if lost {
			w.fn(adapter.QueueEvent{Type: adapter.EventLost, Queue: w.queue, At: eventTime(entries[0].ID)})
		}
		for _, e := range entries {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			w.last = e.ID
			if ev, ok := w.event(e); ok {
				w.fn(ev)
			}
		}
	}
}

// lost reports whether entries after the last one that was read may have been trimmed. It is asked after a read: what is whole
// then was whole before.
func (w *watcher) lost(ctx context.Context, client rueidis.DedicatedClient) (bool, error) {
	if w.last != "0-0" {
		head, err := client.Do(ctx, client.B().Xrange().Key(w.key).Start("-").End("+").Count(1).Build()).AsXRange()
		if err != nil && !rueidis.IsRedisNil(err) {
			return false, err
		}
		return len(head) == 0 || earlier(w.last, head[0].ID), nil
	}
	// The stream was empty before. Trimming leaves as many as the bound.
	length, err := client.Do(ctx, client.B().Xlen().Key(w.key).Build()).AsInt64()
	if err != nil {
		return false, err
	}
	bound, err := client.Do(ctx, client.B().Hget().Key(w.base+"meta").Field("opts.maxLenEvents").Build()).AsInt64()
	if err != nil {
		bound = 10_000
	}
	return length >= bound, nil
}

// next returns the next entries; none after a while without any.
func (w *watcher) next(ctx context.Context, client rueidis.DedicatedClient) ([]rueidis.XRangeEntry, error) {
	ctx, cancel := conn.Blocking(ctx, watchBlock+watchdog)
	defer cancel()
	cmd := client.B().Xread().Count(1000).Block(watchBlock.Milliseconds()).Streams().Key(w.key).Id(w.last).Build()
	streams, err := client.Do(ctx, cmd).AsXRead()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	return streams[w.key], err
}

// watched are the events that the contract names; others are BullMQ's own affair.
var watched = map[string]adapter.EventType{
	"added": adapter.EventAdded, "waiting": adapter.EventWaiting, "active": adapter.EventActive, "progress": adapter.EventProgress,
	"completed": adapter.EventCompleted, "failed": adapter.EventFailed, "paused": adapter.EventPaused, "resumed": adapter.EventResumed,
}

func (w *watcher) event(e rueidis.XRangeEntry) (adapter.QueueEvent, bool) {
	t, ok := watched[e.FieldValues["event"]]
	ev := adapter.QueueEvent{Type: t, Queue: w.queue, JobID: e.FieldValues["jobId"], At: eventTime(e.ID)}
	switch t {
	case adapter.EventCompleted:
		ev.Data = value(e.FieldValues["returnvalue"])
	case adapter.EventProgress:
		ev.Data = value(e.FieldValues["data"])
	case adapter.EventFailed:
		raw, err := json.Marshal(e.FieldValues["failedReason"])
		if err != nil {
			return ev, false // a text always encodes
		}
		ev.Data = raw
	}
	return ev, ok
}

// eventTime returns when an entry was written: the first half of its ID.
func eventTime(id string) time.Time {
	ms, _, _ := strings.Cut(id, "-")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

// earlier reports whether an entry comes before another.
func earlier(a, b string) bool {
	am, as, _ := strings.Cut(a, "-")
	bm, bs, _ := strings.Cut(b, "-")
	if am != bm {
		return len(am) < len(bm) || len(am) == len(bm) && am < bm
	}
	return len(as) < len(bs) || len(as) == len(bs) && as < bs
}
