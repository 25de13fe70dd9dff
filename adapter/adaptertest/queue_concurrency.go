package adaptertest

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/nvent-go/nvent/adapter"
)

func queueConcurrencyChecks() []queueCheck {
	return []queueCheck{
		{Name: "concurrency/reached-and-kept", run: concurrencyKept},
		{Name: "concurrency/changes-live", run: concurrencyLive},
		{Name: "concurrency/slow-job-holds-up-nobody", run: concurrencySlow},
		{Name: "concurrency/many-callers", run: concurrencyCallers},
	}
}

func concurrencyKept(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	if err := enqueue(ctx, q, newJobs(queue, 20)...); err != nil {
		return err
	}
	var g gauge
	h, got := holding(e)
	_, err = consume(ctx, e, q, queue, 3, func(hctx context.Context, d *adapter.Delivery) {
		g.enter()
		defer g.leave()
		h(hctx, d)
		finish(hctx, e, q, d, adapter.Complete, nil)
	})
	if err != nil {
		return err
	}
	for i := range 20 {
		d, err := next(e, fmt.Sprintf("job %d of 20", i+1), got)
		if err != nil {
			return err
		}
		if i == 2 {
			if err := e.quiet(ctx); err != nil {
				return err
			}
			if now, _ := g.read(); now != 3 {
				return fmt.Errorf("%d handlers run with concurrency 3 and jobs waiting", now)
			}
		}
		e.start(func() error {
			// The first three stay until the limit was looked at.
			err := e.until(ctx, "three ran at once", func() (bool, error) { _, top := g.read(); return top >= 3, nil })
			d.release()
			return err
		})
	}
	if _, top := g.read(); top != 3 {
		return fmt.Errorf("%d handlers ran at once with concurrency 3", top)
	}
	return nil
}

func concurrencyLive(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	if err := enqueue(ctx, q, newJobs(queue, 40)...); err != nil {
		return err
	}
	var limit atomic.Int64
	limit.Store(1)
	var g gauge
	h, got := holding(e)
	o := adapter.ConsumeOptions{Concurrency: func() int { return int(limit.Load()) }}
	_, err = consumeWith(ctx, e, q, queue, o, func(hctx context.Context, d *adapter.Delivery) {
		g.enter()
		defer g.leave()
		h(hctx, d)
		finish(hctx, e, q, d, adapter.Complete, nil)
	})
	if err != nil {
		return err
	}
	d, err := next(e, "a job", got)
	if err != nil {
		return err
	}
	limit.Store(4)
	d.release() // the next take asks for the limit
	var running []*held
	for range 4 {
		if d, err = next(e, "a job after concurrency went from 1 to 4", got); err != nil {
			return err
		}
		running = append(running, d)
	}
	limit.Store(1)
	for _, d := range running {
		d.release()
	}
	err = e.until(ctx, "at most one handler runs", func() (bool, error) { now, _ := g.read(); return now <= 1, nil })
	if err != nil {
		return err
	}
	// One that was taken before may still come; from then on it is one at a time.
	for i := range 8 {
		if d, err = next(e, "a job after concurrency went from 4 to 1", got); err != nil {
			return err
		}
		if i == 4 {
			g.reset()
		}
		d.release()
	}
	if _, top := g.read(); top != 1 {
		return fmt.Errorf("%d handlers ran at once after concurrency went to 1", top)
	}
	return nil
}

func concurrencySlow(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	jobs := newJobs(queue, 50)
	var seen tally[adapter.Job]
	done := completing(e, q, &seen)
	_, err = consume(ctx, e, q, queue, 2, func(hctx context.Context, d *adapter.Delivery) {
		if d.ID == jobs[0].ID {
			<-e.over
			return
		}
		done(hctx, d)
	})
	if err != nil {
		return err
	}
	if err := enqueue(ctx, q, jobs...); err != nil {
		return err
	}
	return e.until(ctx, "the other jobs were done", func() (bool, error) { return seen.len() == len(jobs)-1, nil })
}

// concurrencyCallers uses every method from many goroutines. It finds deadlocks, and races under -race.
func concurrencyCallers(ctx context.Context, e *queueEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	var seen tally[adapter.Job]
	if _, err := consume(ctx, e, a, queue, 4, completing(e, a, &seen)); err != nil {
		return err
	}
	err = e.all(8, func(i int) error {
		q := []adapter.Queue{a, b}[i%2]
		for range 10 {
			j := newJob(queue)
			if err := enqueue(ctx, q, j); err != nil {
				return err
			}
			if _, _, err := lookup(ctx, q, queue, j.ID); err != nil {
				return err
			}
			if _, err := q.List(ctx, queue, adapter.JobQuery{Limit: 5}); err != nil {
				return fmt.Errorf("list: %w", err)
			}
			if _, err := q.Stats(ctx, queue); err != nil {
				return fmt.Errorf("stats: %w", err)
			}
			if err := q.SetPaused(ctx, queue, false); err != nil {
				return fmt.Errorf("resume: %w", err)
			}
			if _, err := q.Apply(ctx, queue, adapter.ActionPromote, adapter.Selection{IDs: []string{j.ID}}); err != nil {
				return fmt.Errorf("promote: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return e.until(ctx, "all jobs were done", func() (bool, error) { return seen.len() == 80, nil })
}
