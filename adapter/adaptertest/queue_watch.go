package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/nvent-go/nvent/adapter"
)

func queueWatchChecks() []queueCheck {
	return []queueCheck{
		{Name: "watch/life-of-a-job-in-order", run: watchLife},
		{Name: "watch/global-as-claimed", run: watchGlobal},
		{Name: "watch/says-what-was-lost", run: watchLost},
		{Name: "watch/ends-with-its-context", run: watchEnds},
	}
}

// watch starts Watch and waits until it has begun.
func watch(ctx context.Context, e *queueEnv, q adapter.Queue, queue string, fn func(adapter.QueueEvent)) (<-chan error, error) {
	began := make(chan struct{}, 10)
	done := e.start(func() error { return q.Watch(ctx, queue, func() { began <- struct{}{} }, fn) })
	return done, e.signal("watching has begun", began)
}

// types returns the types of a job's events; an empty ID: of the queue's.
func types(events []adapter.QueueEvent, id string) []string {
	var found []string
	for _, ev := range events {
		if ev.JobID == id {
			found = append(found, string(ev.Type))
		}
	}
	return found
}

// inOrder reports whether all of want are in got, in this order.
func inOrder(got []string, want ...adapter.EventType) bool {
	for _, g := range got {
		if len(want) > 0 && g == string(want[0]) {
			want = want[1:]
		}
	}
	return len(want) == 0
}

func watchLife(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	var events tally[adapter.QueueEvent]
	var g gauge
	_, err = watch(ctx, e, q, queue, func(ev adapter.QueueEvent) {
		g.enter()
		defer g.leave()
		events.add(ev)
	})
	if err != nil {
		return err
	}
	good, bad := newJob(queue), newJob(queue)
	if err := enqueue(ctx, q, good, bad, newJob(e.name())); err != nil {
		return err
	}
	_, err = consume(ctx, e, q, queue, 2, func(hctx context.Context, d *adapter.Delivery) {
		if d.ID == good.ID {
			finish(hctx, e, q, d, adapter.Complete, func(s *adapter.Settlement) { s.Result = json.RawMessage(`{"n":1}`) })
			return
		}
		finish(hctx, e, q, d, adapter.Fail, func(s *adapter.Settlement) { s.Err = `broken "thing"` })
	})
	if err != nil {
		return err
	}
	for _, j := range []struct{ id, state string }{{good.ID, "completed"}, {bad.ID, "failed"}} {
		if _, err := untilState(ctx, e, q, queue, j.id, adapter.JobState(j.state)); err != nil {
			return err
		}
	}
	for _, paused := range []bool{true, false} {
		if err := setPaused(ctx, q, queue, paused); err != nil {
			return err
		}
	}
	err = e.until(ctx, "all events were seen in order", func() (bool, error) {
		seen := events.list()
		return inOrder(types(seen, good.ID), adapter.EventAdded, adapter.EventActive, adapter.EventCompleted) &&
			inOrder(types(seen, bad.ID), adapter.EventAdded, adapter.EventActive, adapter.EventFailed) &&
			inOrder(types(seen, ""), adapter.EventPaused, adapter.EventResumed), nil
	})
	seen := events.list()
	if err != nil {
		return fmt.Errorf("%w: good %v, bad %v, queue %v", err, types(seen, good.ID), types(seen, bad.ID), types(seen, ""))
	}
	if _, top := g.read(); top != 1 {
		return fmt.Errorf("%d events were delivered at once", top)
	}
	for _, ev := range seen {
		if ev.Queue != queue {
			return fmt.Errorf("event of queue %s, watched is %s", ev.Queue, queue)
		}
		if ev.At.IsZero() {
			return fmt.Errorf("event %s has no time", ev.Type)
		}
		switch ev.Type {
		case adapter.EventCompleted:
			err = sameJSON(ev.Data, json.RawMessage(`{"n":1}`))
		case adapter.EventFailed:
			err = sameJSON(ev.Data, json.RawMessage(`"broken \"thing\""`))
		}
		if err != nil {
			return fmt.Errorf("data of event %s: %w", ev.Type, err)
		}
	}
	return nil
}

func watchGlobal(ctx context.Context, e *queueEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	if !a.Info().Caps.Has(adapter.CapGlobalEvents) {
		return nil // sees its own events only, which other checks look at
	}
	queue := e.name()
	var events tally[adapter.QueueEvent]
	if _, err := watch(ctx, e, a, queue, func(ev adapter.QueueEvent) { events.add(ev) }); err != nil {
		return err
	}
	j := newJob(queue)
	if err := enqueue(ctx, b, j); err != nil {
		return err
	}
	var seen tally[adapter.Job]
	if _, err := consume(ctx, e, b, queue, 1, completing(e, b, &seen)); err != nil {
		return err
	}
	return e.until(ctx, "another instance's events were seen", func() (bool, error) {
		return inOrder(types(events.list(), j.ID), adapter.EventAdded, adapter.EventActive, adapter.EventCompleted), nil
	})
}

// watchLost keeps the callback busy while much happens. Events may be dropped then, but never without saying so.
func watchLost(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	var events tally[adapter.QueueEvent]
	open := make(chan struct{})
	_, err = watch(ctx, e, q, queue, func(ev adapter.QueueEvent) {
		if ev.Type == adapter.EventAdded || ev.Type == adapter.EventLost {
			events.add(ev)
		}
		select {
		case <-open:
		case <-e.over:
		}
	})
	if err != nil {
		return err
	}
	var want []string
	for range 30 {
		jobs := newJobs(queue, 200)
		want = append(want, jobIDs(jobs)...)
		if err := enqueue(ctx, q, jobs...); err != nil {
			return err
		}
	}
	close(open)
	last := newJob(queue)
	want = append(want, last.ID)
	// What is full now may drop the last one as well, so later ones follow until one arrives.
	if err := enqueue(ctx, q, last); err != nil {
		return err
	}
	err = e.until(ctx, "an event after the crowd was seen", func() (bool, error) {
		seen := events.list()
		if slices.ContainsFunc(seen, func(ev adapter.QueueEvent) bool { return slices.Contains(want[6000:], ev.JobID) }) {
			return true, nil
		}
		j := newJob(queue)
		want = append(want, j.ID)
		return false, enqueue(ctx, q, j)
	})
	if err != nil {
		return err
	}
	index := map[string]int{}
	for i, id := range want {
		index[id] = i
	}
	expected, lost := 0, false
	for _, ev := range events.list() {
		if ev.Type == adapter.EventLost {
			lost = true
			continue
		}
		i := index[ev.JobID]
		if i < expected {
			return fmt.Errorf("event %d came after event %d", i, expected-1)
		}
		if i > expected && !lost {
			return fmt.Errorf("%d events are missing before event %d, and no EventLost says so", i-expected, i)
		}
		expected, lost = i+1, false
	}
	return nil
}

func watchEnds(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	cause := errors.New("enough watched")
	wctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done, err := watch(wctx, e, q, e.name(), func(adapter.QueueEvent) {})
	if err != nil {
		return err
	}
	if err := e.quiet(ctx); err != nil {
		return err
	}
	select {
	case err := <-done:
		return fmt.Errorf("watch does not block: it returned %w", errOr(err, "nil"))
	default:
	}
	cancel(cause)
	if err := e.ended("watch", done); err != nil && !errors.Is(err, cause) {
		return fmt.Errorf("watch after its context ended: %w", err)
	}
	return nil
}
