package adaptertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/adaptertest"
	"github.com/nvent-go/nvent/adapter/memory"
)

// queue is the memory queue with some of its methods replaced. A nil field leaves the method as it is.
type queue struct {
	*memory.Queue
	info    func(adapter.Info) adapter.Info
	enqueue func(ctx context.Context, jobs []adapter.NewJob) ([]adapter.Enqueued, error)
	consume func(ctx context.Context, queue string, o adapter.ConsumeOptions, h handler) error
	settle  func(ctx context.Context, s []adapter.Settlement) []error
	lookup  func(ctx context.Context, queue string, ids []string) ([]adapter.Job, error)
	list    func(ctx context.Context, queue string, q adapter.JobQuery) (adapter.Page[adapter.Job], error)
	apply   func(ctx context.Context, queue string, a adapter.JobAction, sel adapter.Selection) (int, error)
	stats   func(ctx context.Context, queues []string) ([]adapter.QueueStats, error)
	pause   func(ctx context.Context, queue string, paused bool) error
	watch   func(ctx context.Context, queue string, ready func(), fn func(adapter.QueueEvent)) error
	close   func() error
}

type handler = func(ctx context.Context, d *adapter.Delivery)

func (q *queue) Info() adapter.Info {
	if q.info != nil {
		return q.info(q.Queue.Info())
	}
	return q.Queue.Info()
}

func (q *queue) Enqueue(ctx context.Context, jobs ...adapter.NewJob) ([]adapter.Enqueued, error) {
	if q.enqueue != nil {
		return q.enqueue(ctx, jobs)
	}
	return q.Queue.Enqueue(ctx, jobs...)
}

func (q *queue) Consume(
	ctx context.Context, name string, o adapter.ConsumeOptions, h func(context.Context, *adapter.Delivery),
) error {
	if q.consume != nil {
		return q.consume(ctx, name, o, h)
	}
	return q.Queue.Consume(ctx, name, o, h)
}

func (q *queue) Settle(ctx context.Context, s ...adapter.Settlement) []error {
	if q.settle != nil {
		return q.settle(ctx, s)
	}
	return q.Queue.Settle(ctx, s...)
}

func (q *queue) Lookup(ctx context.Context, name string, ids ...string) ([]adapter.Job, error) {
	if q.lookup != nil {
		return q.lookup(ctx, name, ids)
	}
	return q.Queue.Lookup(ctx, name, ids...)
}

func (q *queue) List(ctx context.Context, name string, query adapter.JobQuery) (adapter.Page[adapter.Job], error) {
	if q.list != nil {
		return q.list(ctx, name, query)
	}
	return q.Queue.List(ctx, name, query)
}

func (q *queue) Apply(ctx context.Context, name string, a adapter.JobAction, sel adapter.Selection) (int, error) {
	if q.apply != nil {
		return q.apply(ctx, name, a, sel)
	}
	return q.Queue.Apply(ctx, name, a, sel)
}

func (q *queue) Stats(ctx context.Context, queues ...string) ([]adapter.QueueStats, error) {
	if q.stats != nil {
		return q.stats(ctx, queues)
	}
	return q.Queue.Stats(ctx, queues...)
}

func (q *queue) SetPaused(ctx context.Context, name string, paused bool) error {
	if q.pause != nil {
		return q.pause(ctx, name, paused)
	}
	return q.Queue.SetPaused(ctx, name, paused)
}

func (q *queue) Watch(ctx context.Context, name string, ready func(), fn func(adapter.QueueEvent)) error {
	if q.watch != nil {
		return q.watch(ctx, name, ready, fn)
	}
	return q.Queue.Watch(ctx, name, ready, fn)
}

func (q *queue) Close() error {
	if q.close != nil {
		return q.close()
	}
	return q.Queue.Close()
}

// breaking returns an opener of memory queues that edit has broken.
func breaking(edit func(q *queue)) func(*memory.Backend) adapter.Queue {
	return func(b *memory.Backend) adapter.Queue {
		q := &queue{Queue: b.Queue()}
		edit(q)
		return q
	}
}

// editJobs changes jobs on their way in.
func editJobs(edit func(j *adapter.NewJob)) func(*memory.Backend) adapter.Queue {
	return breaking(func(q *queue) {
		q.enqueue = func(ctx context.Context, jobs []adapter.NewJob) ([]adapter.Enqueued, error) {
			jobs = slices.Clone(jobs)
			for i := range jobs {
				edit(&jobs[i])
			}
			return q.Queue.Enqueue(ctx, jobs...)
		}
	})
}

// editSettlements changes settlements on their way in.
func editSettlements(edit func(s *adapter.Settlement)) func(*memory.Backend) adapter.Queue {
	return breaking(func(q *queue) {
		q.settle = func(ctx context.Context, s []adapter.Settlement) []error {
			s = slices.Clone(s)
			for i := range s {
				edit(&s[i])
			}
			return q.Queue.Settle(ctx, s...)
		}
	})
}

// editHandler puts something between the queue and the handler.
func editHandler(wrap func(q *queue, h handler) handler) func(*memory.Backend) adapter.Queue {
	return breaking(func(q *queue) {
		q.consume = func(ctx context.Context, name string, o adapter.ConsumeOptions, h handler) error {
			return q.Queue.Consume(ctx, name, o, wrap(q, h))
		}
	})
}

func TestBrokenQueues(t *testing.T) {
	t.Parallel()
	sound := func(b *memory.Backend) adapter.Queue { return b.Queue() }
	catch(t, adaptertest.QueueChecks(), sound, slices.Concat(brokenJobs(), brokenDeliveries(), brokenViews(), brokenLives()))
}

// brokenJobs change or misplace jobs.
func brokenJobs() []broken[adapter.Queue] {
	return []broken[adapter.Queue]{
		{"ignores the delay", "order/not-before-run-at", editJobs(func(j *adapter.NewJob) { j.RunAt = j.RunAt.AddDate(-1, 0, 0) })},
		{"ignores the priority", "order/higher-priority-first", editJobs(func(j *adapter.NewJob) { j.Priority = 0 })},
		{"redelivers for ever", "lease/redeliver-is-the-bound", editJobs(func(j *adapter.NewJob) { j.Redeliver = 1 << 20 })},
		{"ignores the timeout", "cause/timeout", editJobs(func(j *adapter.NewJob) { j.Timeout = 0 })},
		{"keeps every finished job", "keep/no-more-than-told", editJobs(func(j *adapter.NewJob) { j.Keep.Count = 0 })},
		{"keeps finished jobs for long", "keep/no-longer-than-told", editJobs(func(j *adapter.NewJob) { j.Keep.Completed *= 1000 })},
		{"drops labels", "enqueue/keeps-every-field", editJobs(func(j *adapter.NewJob) { j.Labels = nil })},
		{"puts numbers through floats", "enqueue/keeps-json-values", editJobs(func(j *adapter.NewJob) {
			var v any
			if json.Unmarshal(j.Data, &v) == nil {
				j.Data, _ = json.Marshal(v)
			}
		})},
		{"takes a known ID for a new one", "id/refused-while-waiting", breaking(func(q *queue) {
			q.enqueue = func(ctx context.Context, jobs []adapter.NewJob) ([]adapter.Enqueued, error) {
				results, err := q.Queue.Enqueue(ctx, jobs...)
				for i := range results {
					results[i].Existing = ""
				}
				return results, err
			}
		})},
		{"takes the last job first", "order/first-in-first-out", breaking(func(q *queue) {
			q.enqueue = func(ctx context.Context, jobs []adapter.NewJob) ([]adapter.Enqueued, error) {
				jobs = slices.Clone(jobs)
				slices.Reverse(jobs)
				results, err := q.Queue.Enqueue(ctx, jobs...)
				slices.Reverse(results)
				return results, err
			}
		})},
	}
}

// brokenDeliveries hand out or settle wrongly.
func brokenDeliveries() []broken[adapter.Queue] {
	return []broken[adapter.Queue]{
		{"loses a job on a crash", "lease/job-of-the-dead-is-redelivered", editHandler(func(q *queue, h handler) handler {
			return func(ctx context.Context, d *adapter.Delivery) {
				q.Queue.Settle(ctx, adapter.Settlement{Queue: d.Queue, ID: d.ID, Receipt: d.Receipt, Verdict: adapter.Discard})
				h(ctx, d)
			}
		})},
		{"delivers twice", "consume/each-job-once", editHandler(func(_ *queue, h handler) handler {
			return func(ctx context.Context, d *adapter.Delivery) {
				h(ctx, d)
				h(ctx, d)
			}
		})},
		{"does not renew the lease", "lease/renewed-while-the-handler-runs", func(b *memory.Backend) adapter.Queue {
			return editHandler(func(_ *queue, h handler) handler {
				return func(ctx context.Context, d *adapter.Delivery) {
					b.ExpireLease(d.Queue, d.ID)
					h(ctx, d)
				}
			})(b)
		}},
		{"keeps a lost lease", "lease/handler-learns-of-the-loss", editHandler(func(_ *queue, h handler) handler {
			return func(ctx context.Context, d *adapter.Delivery) { h(context.WithoutCancel(ctx), d) }
		})},
		{"does not tell who was cancelled", "cause/canceled", editHandler(func(_ *queue, h handler) handler {
			return func(ctx context.Context, d *adapter.Delivery) {
				h2, cancel := context.WithCancel(context.WithoutCancel(ctx))
				defer cancel()
				defer context.AfterFunc(ctx, cancel)() // ends, but without its cause
				h(h2, d)
			}
		})},
		{"accepts a stale settlement", "lease/stale-receipt-is-fenced", breaking(func(q *queue) {
			q.settle = func(ctx context.Context, s []adapter.Settlement) []error {
				q.Queue.Settle(ctx, s...)
				return make([]error, len(s))
			}
		})},
		{"touches the job on a stale settlement", "lease/stale-receipt-is-fenced", breaking(func(q *queue) {
			q.settle = func(ctx context.Context, s []adapter.Settlement) []error {
				errs := q.Queue.Settle(ctx, s...)
				for i, err := range errs {
					if errors.Is(err, adapter.ErrLeaseLost) {
						_, _ = q.Queue.Apply(ctx, s[i].Queue, adapter.ActionCancel, adapter.Selection{IDs: []string{s[i].ID}})
					}
				}
				return errs
			}
		})},
		{"settles the first of a batch only", "settle/many-aligned", breaking(func(q *queue) {
			q.settle = func(ctx context.Context, s []adapter.Settlement) []error {
				return append(q.Queue.Settle(ctx, s[:1]...), make([]error, len(s)-1)...)
			}
		})},
		{"does not count a retry", "retry/counts-attempts", editSettlements(func(s *adapter.Settlement) {
			if s.Verdict == adapter.Retry {
				s.Verdict = adapter.Release
			}
		})},
		{"counts a release", "release/counts-nothing", editSettlements(func(s *adapter.Settlement) {
			if s.Verdict == adapter.Release {
				s.Verdict = adapter.Retry
			}
		})},
		{"ignores the delay of a retry", "retry/after-its-delay", editSettlements(func(s *adapter.Settlement) { s.Delay = 0 })},
		{"fails what is to be discarded", "settle/discard-frees-the-id", editSettlements(func(s *adapter.Settlement) {
			if s.Verdict == adapter.Discard {
				s.Verdict = adapter.Fail
			}
		})},
		{"drops results", "settle/complete", editSettlements(func(s *adapter.Settlement) { s.Result = nil })},
		{"completes what was left unsettled", "consume/unsettled-is-released", editHandler(func(q *queue, h handler) handler {
			return func(ctx context.Context, d *adapter.Delivery) {
				h(ctx, d)
				q.Queue.Settle(ctx, adapter.Settlement{Queue: d.Queue, ID: d.ID, Receipt: d.Receipt})
			}
		})},
		{"exceeds the concurrency", "concurrency/reached-and-kept", breaking(func(q *queue) {
			q.consume = func(ctx context.Context, name string, o adapter.ConsumeOptions, h handler) error {
				limit := o.Concurrency
				o.Concurrency = func() int { return limit() + 1 }
				return q.Queue.Consume(ctx, name, o, h)
			}
		})},
		{"asks for the concurrency once", "concurrency/changes-live", breaking(func(q *queue) {
			q.consume = func(ctx context.Context, name string, o adapter.ConsumeOptions, h handler) error {
				n := o.Concurrency()
				o.Concurrency = func() int { return n }
				return q.Queue.Consume(ctx, name, o, h)
			}
		})},
	}
}

// brokenViews show something wrong.
func brokenViews() []broken[adapter.Queue] {
	return []broken[adapter.Queue]{
		{"does not pause", "pause/holds-jobs-on-all-instances", breaking(func(q *queue) {
			q.pause = func(context.Context, string, bool) error { return nil }
		})},
		{"pages by position", "page/nothing-twice-nothing-missed-under-change", breaking(func(q *queue) {
			q.list = func(ctx context.Context, name string, query adapter.JobQuery) (adapter.Page[adapter.Job], error) {
				at, _ := strconv.Atoi(query.Cursor)
				limit := query.Limit
				query.Cursor, query.Limit = "", 1000
				page, err := q.Queue.List(ctx, name, query)
				page.Items = page.Items[min(at, len(page.Items)):]
				if page.Next = ""; len(page.Items) > limit {
					page.Items, page.Next = page.Items[:limit], strconv.Itoa(at+limit)
				}
				return page, err
			}
		})},
		{"repeats a page for ever", "list/in-order-of-creation", breaking(func(q *queue) {
			q.list = func(ctx context.Context, name string, query adapter.JobQuery) (adapter.Page[adapter.Job], error) {
				query.Cursor = ""
				return q.Queue.List(ctx, name, query)
			}
		})},
		{"ignores labels in lists", "list/by-state-name-and-label", breaking(func(q *queue) {
			q.list = func(ctx context.Context, name string, query adapter.JobQuery) (adapter.Page[adapter.Job], error) {
				query.Label = ""
				return q.Queue.List(ctx, name, query)
			}
		})},
		{"removes what runs", "apply/remove-only-where-it-applies", breaking(func(q *queue) {
			q.apply = func(ctx context.Context, name string, a adapter.JobAction, sel adapter.Selection) (int, error) {
				n, err := q.Queue.Apply(ctx, name, a, sel)
				if a == adapter.ActionRemove && n == 0 {
					return q.Queue.Apply(ctx, name, adapter.ActionCancel, sel)
				}
				return n, err
			}
		})},
		{"counts without the delayed", "stats/counts-every-state", breaking(func(q *queue) {
			q.stats = func(ctx context.Context, queues []string) ([]adapter.QueueStats, error) {
				all, err := q.Queue.Stats(ctx, queues...)
				for _, s := range all {
					s.Counts[adapter.JobDelayed] = 0
				}
				return all, err
			}
		})},
		{"tells events out of order", "watch/life-of-a-job-in-order", breaking(func(q *queue) {
			q.watch = func(ctx context.Context, name string, ready func(), fn func(adapter.QueueEvent)) error {
				var late []adapter.QueueEvent
				return q.Queue.Watch(ctx, name, ready, func(ev adapter.QueueEvent) {
					if ev.Type == adapter.EventActive {
						late = append(late, ev)
						return
					}
					fn(ev)
					if ev.Type == adapter.EventCompleted || ev.Type == adapter.EventFailed {
						for _, ev := range late {
							fn(ev)
						}
						late = nil
					}
				})
			}
		})},
		{"loses events in silence", "watch/says-what-was-lost", breaking(func(q *queue) {
			q.watch = func(ctx context.Context, name string, ready func(), fn func(adapter.QueueEvent)) error {
				return q.Queue.Watch(ctx, name, ready, func(ev adapter.QueueEvent) {
					if ev.Type != adapter.EventLost {
						fn(ev)
					}
				})
			}
		})},
		{"claims to be global", "watch/global-as-claimed", breaking(func(q *queue) {
			q.watch = func(ctx context.Context, _ string, ready func(), _ func(adapter.QueueEvent)) error {
				ready()
				<-ctx.Done()
				return nil
			}
		})},
	}
}
