package enginetest

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/nvent-go/nvent/adapter"
)

// faultyQueue is a queue with faults. It embeds nothing, so that no call goes past them.
type faultyQueue struct {
	q adapter.Queue
	f *faults
}

func (w faultyQueue) Info() adapter.Info { return w.q.Info() }

func (w faultyQueue) Close() error { return w.q.Close() }

func (w faultyQueue) Enqueue(ctx context.Context, jobs ...adapter.NewJob) ([]adapter.Enqueued, error) {
	if w.f.skew != 0 {
		// A driver counts from its own host's clock, which here is not the backend's.
		jobs = slices.Clone(jobs)
		for i := range jobs {
			if !jobs[i].RunAt.IsZero() {
				jobs[i].RunAt = jobs[i].RunAt.Add(-w.f.skew)
			}
		}
	}
	return faulty(ctx, w.f, "enqueue", func(ctx context.Context) ([]adapter.Enqueued, error) { return w.q.Enqueue(ctx, jobs...) })
}

func (w faultyQueue) Consume(ctx context.Context, queue string, o adapter.ConsumeOptions, h func(context.Context, *adapter.Delivery)) error {
	return w.f.blocking(ctx, "consume", false, o.Ready, func(ctx context.Context, ready func()) error {
		o.Ready = ready
		return w.q.Consume(ctx, queue, o, func(ctx context.Context, d *adapter.Delivery) {
			if w.f.isDead() {
				return
			}
			ctx, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			defer context.AfterFunc(w.f.dead, func() { cancel(adapter.ErrLeaseLost) })()
			h(ctx, d)
		})
	})
}

func (w faultyQueue) Settle(ctx context.Context, s ...adapter.Settlement) []error {
	errs, err := faulty(ctx, w.f, "settle", func(ctx context.Context) ([]error, error) { return w.q.Settle(ctx, s...), nil })
	if err != nil {
		return slices.Repeat([]error{err}, len(s))
	}
	return errs
}

func (w faultyQueue) Lookup(ctx context.Context, queue string, ids ...string) ([]adapter.Job, error) {
	return faulty(ctx, w.f, "lookup", func(ctx context.Context) ([]adapter.Job, error) { return w.q.Lookup(ctx, queue, ids...) })
}

func (w faultyQueue) List(ctx context.Context, queue string, q adapter.JobQuery) (adapter.Page[adapter.Job], error) {
	return faulty(ctx, w.f, "list jobs", func(ctx context.Context) (adapter.Page[adapter.Job], error) { return w.q.List(ctx, queue, q) })
}

func (w faultyQueue) Apply(ctx context.Context, queue string, a adapter.JobAction, sel adapter.Selection) (int, error) {
	return faulty(ctx, w.f, string(a)+" jobs", func(ctx context.Context) (int, error) { return w.q.Apply(ctx, queue, a, sel) })
}

func (w faultyQueue) Stats(ctx context.Context, queues ...string) ([]adapter.QueueStats, error) {
	return faulty(ctx, w.f, "stats", func(ctx context.Context) ([]adapter.QueueStats, error) { return w.q.Stats(ctx, queues...) })
}

func (w faultyQueue) SetPaused(ctx context.Context, queue string, paused bool) error {
	_, err := faulty(ctx, w.f, "pause", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, w.q.SetPaused(ctx, queue, paused)
	})
	return err
}

func (w faultyQueue) Watch(ctx context.Context, queue string, ready func(), fn func(adapter.QueueEvent)) error {
	return w.f.blocking(ctx, "watch", false, ready, func(ctx context.Context, ready func()) error { return w.q.Watch(ctx, queue, ready, fn) })
}

// Annotate and JobLog are there whether or not the queue has them: who asks looks at the capabilities first.
func (w faultyQueue) Annotate(ctx context.Context, queue, id, receipt string, progress json.RawMessage, lines ...string) error {
	a, ok := w.q.(adapter.Annotator)
	if !ok {
		return adapter.ErrUnsupported
	}
	_, err := faulty(ctx, w.f, "annotate", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, a.Annotate(ctx, queue, id, receipt, progress, lines...)
	})
	return err
}

func (w faultyQueue) JobLog(ctx context.Context, queue, id string, offset, limit int) (lines []string, total int, err error) {
	a, ok := w.q.(adapter.Annotator)
	if !ok {
		return nil, 0, adapter.ErrUnsupported
	}
	type log struct {
		lines []string
		total int
	}
	l, err := faulty(ctx, w.f, "job log", func(ctx context.Context) (log, error) {
		lines, total, err := a.JobLog(ctx, queue, id, offset, limit)
		return log{lines, total}, err
	})
	return l.lines, l.total, err
}
