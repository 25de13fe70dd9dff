package enginetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

func fleetChecks() []Check {
	return []Check{
		{"fleet/instances-share-work", shareWork},
		{"fleet/close-waits-for-handlers", closeWaits},
		{"fleet/close-hands-back-without-an-attempt", closeHandsBack},
		{"fleet/survivor-takes-over", survivorTakesOver},
		{"fleet/zombie-changes-nothing", zombie},
		{"fleet/instance-without-the-handler-hands-back", withoutHandler},
		{"fleet/starting-touches-nothing", startingTouchesNothing},
	}
}

// shareWork runs two steps that meet: with one worker each, two instances have to take one each.
func shareWork(ctx context.Context, w *world) error {
	var here atomic.Int64
	met := make(chan struct{})
	build := func() setup {
		f := flow.New[int, int]("share")
		flow.Returns(f, flow.Start(f, "meet", func(ctx context.Context, n int) (int, error) {
			if here.Add(1) == 2 {
				close(met)
			}
			select {
			case <-met:
				return n, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}))
		return setup{start: true, defs: []any{f}, config: func(c *nvent.Config) { c.Queue.Default.Worker.Concurrency = 1 }}
	}
	a, err := w.open(ctx, build())
	if err != nil {
		return err
	}
	if _, err := w.open(ctx, build()); err != nil {
		return err
	}
	one, err := a.StartFlow(ctx, "share", 1)
	if err != nil {
		return err
	}
	two, err := a.StartFlow(ctx, "share", 2)
	if err != nil {
		return err
	}
	if err := w.signal(ctx, "both instances have taken a job", met); err != nil {
		return err
	}
	for n, id := range []string{one.ID(), two.ID()} {
		p, err := w.finish(ctx, a, id)
		if err == nil {
			err = p.completed(n + 1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func closeWaits(ctx context.Context, w *world) error {
	running, release := make(chan struct{}, 9), make(chan struct{})
	a, err := w.single(ctx, "closing", holding(running, release))
	if err != nil {
		return err
	}
	look, err := w.open(ctx, setup{})
	if err != nil {
		return err
	}
	run, err := a.StartFlow(ctx, "closing", 5)
	if err != nil {
		return err
	}
	if err := w.signal(ctx, "the handler runs", running); err != nil {
		return err
	}
	closed := w.task(func() error { return w.stop(a) })
	if err := pause(ctx, w.h.Quiet); err != nil {
		return err
	}
	select {
	case err := <-closed:
		return fmt.Errorf("close did not wait for the handler: %w", err)
	default:
	}
	close(release)
	if err := <-closed; err != nil {
		return err
	}
	p, err := w.finish(ctx, look, run.ID())
	if err != nil {
		return err
	}
	return p.completed(5)
}

func closeHandsBack(ctx context.Context, w *world) error {
	running := make(chan struct{}, 9)
	a, err := w.single(ctx, "handed", holding(running, nil))
	if err != nil {
		return err
	}
	run, err := a.StartFlow(ctx, "handed", 5)
	if err != nil {
		return err
	}
	if err := w.signal(ctx, "the handler runs", running); err != nil {
		return err
	}
	a.gone = true
	stop, cancel := context.WithTimeout(ctx, w.h.Quiet)
	defer cancel()
	if err := a.Close(stop); err == nil {
		return errors.New("close says nothing of the handler that it has cut short")
	}
	b, err := w.single(ctx, "handed", pass[int])
	if err != nil {
		return err
	}
	p, err := w.finish(ctx, b, run.ID())
	if err != nil {
		return err
	}
	done, err := p.record(flow.RecordStepCompleted, "work")
	if err != nil || done.Attempt != 1 {
		return wrong(err, "the step completed at attempt %d, want 1", done.Attempt)
	}
	return errors.Join(p.completed(5), p.counts(flow.RecordStepRetry, "", 0))
}

func survivorTakesOver(ctx context.Context, w *world) error {
	running := make(chan struct{}, 9)
	a, err := w.single(ctx, "survivor", holding(running, nil))
	if err != nil {
		return err
	}
	run, err := a.StartFlow(ctx, "survivor", 5)
	if err != nil {
		return err
	}
	if err := w.signal(ctx, "the handler runs", running); err != nil {
		return err
	}
	w.kill(a)
	b, err := w.single(ctx, "survivor", pass[int])
	if err != nil {
		return err
	}
	p, err := w.finish(ctx, b, run.ID())
	if err != nil {
		return err
	}
	done, err := p.record(flow.RecordStepCompleted, "work")
	if err != nil || done.Attempt != 1 {
		return wrong(err, "a crash counted as an attempt: completed at attempt %d", done.Attempt)
	}
	return p.completed(5)
}

// zombie is an instance whose queue has given up on it, and which then comes back with an outcome: first that of the other
// instance, or its own, but one.
func zombie(ctx context.Context, w *world) error {
	running, release := make(chan struct{}, 9), make(chan struct{})
	a, err := w.single(ctx, "zombie", func(context.Context, int) (int, error) {
		running <- struct{}{}
		select {
		case <-release:
		case <-w.over:
		}
		return 111, nil
	}, flow.Timeout(time.Hour))
	if err != nil {
		return err
	}
	run, err := a.StartFlow(ctx, "zombie", 5)
	if err != nil {
		return err
	}
	if err := w.signal(ctx, "the handler runs", running); err != nil {
		return err
	}
	a.faults.kill() // the adapters of a lose the backend; a itself goes on
	b, err := w.single(ctx, "zombie", func(context.Context, int) (int, error) { return 222, nil })
	if err != nil {
		return err
	}
	p, err := w.finish(ctx, b, run.ID())
	if err != nil {
		return err
	}
	close(release)
	if err := pause(ctx, w.h.Quiet); err != nil {
		return err
	}
	w.bury(a)
	again, err := w.finish(ctx, b, run.ID())
	if err != nil {
		return err
	}
	if len(again.log) != len(p.log) {
		return fmt.Errorf("the log has grown after its end:\n%s", Diff(p.log, again.log))
	}
	return errors.Join(again.completed(222), again.counts(flow.RecordStepCompleted, "work", 1))
}

// withoutHandler starts a run of a newer version of a flow where an older instance works.
func withoutHandler(ctx context.Context, w *world) error {
	newer := func() *flow.Flow[int, int] {
		f := flow.New[int, int]("rolling")
		one := flow.Start(f, "one", pass[int])
		flow.Returns(f, flow.On(f, "two", one.Completed(), func(_ context.Context, n int) (int, error) { return 2 * n, nil }))
		return f
	}
	older := flow.New[int, int]("rolling")
	flow.Returns(older, flow.Start(older, "one", pass[int]))
	first, err := w.start(ctx, newer())
	if err != nil {
		return err
	}
	if err := w.stop(first); err != nil { // it has saved its definition
		return err
	}
	old, err := w.start(ctx, older)
	if err != nil {
		return err
	}
	client, err := w.open(ctx, setup{defs: []any{newer()}})
	if err != nil {
		return err
	}
	run, err := nvent.Start(ctx, client.App, newer(), 21)
	if err != nil {
		return err
	}
	if err := recorded(ctx, client.App, run.ID(), flow.RecordStepCompleted, "one"); err != nil {
		return err
	}
	if err := pause(ctx, w.h.Quiet); err != nil {
		return err
	}
	if _, err := w.start(ctx, newer()); err != nil {
		return err
	}
	if err := w.stop(old); err != nil { // else it might take the job again and again
		return err
	}
	p, err := w.finish(ctx, client, run.ID())
	if err != nil {
		return err
	}
	done, err := p.record(flow.RecordStepCompleted, "two")
	if err != nil || done.Attempt != 1 {
		return wrong(err, "the step completed at attempt %d, want 1", done.Attempt)
	}
	return errors.Join(p.completed(42), p.counts(flow.RecordStepRetry, "", 0), p.counts(flow.RecordStepFailed, "", 0))
}

func startingTouchesNothing(ctx context.Context, w *world) error {
	var ran atomic.Int64
	running, release := make(chan struct{}, 9), make(chan struct{})
	work := func(ctx context.Context, n int) (int, error) {
		ran.Add(1)
		return holding(running, release)(ctx, n)
	}
	a, err := w.single(ctx, "calm", work)
	if err != nil {
		return err
	}
	run, err := a.StartFlow(ctx, "calm", 5)
	if err != nil {
		return err
	}
	if err := w.signal(ctx, "the handler runs", running); err != nil {
		return err
	}
	if _, err := w.single(ctx, "calm", work); err != nil {
		return err
	}
	if err := pause(ctx, 3*w.h.Lease); err != nil {
		return err
	}
	if n := ran.Load(); n != 1 {
		return fmt.Errorf("the handler began %d times while its instance was well", n)
	}
	close(release)
	p, err := w.finish(ctx, a, run.ID())
	if err != nil {
		return err
	}
	return p.completed(5)
}
