package adaptertest_test

import (
	"context"
	"errors"
	"sync"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

// bare is a queue that claims to annotate, but cannot.
type bare struct{ adapter.Queue }

// brokenLives misbehave from opening to closing: they lie, hang, leak and panic.
func brokenLives() []broken[adapter.Queue] {
	return []broken[adapter.Queue]{
		{"claims what it has not", "info/annotator-only-as-claimed", func(b *memory.Backend) adapter.Queue { return bare{b.Queue()} }},
		{"does what it does not claim", "info/annotator-only-as-claimed", breaking(func(q *queue) {
			q.info = func(i adapter.Info) adapter.Info {
				i.Caps &^= adapter.CapAnnotate
				return i
			}
		})},
		{"has no name", "info/is-honest", breaking(func(q *queue) {
			q.info = func(i adapter.Info) adapter.Info {
				i.Name = ""
				return i
			}
		})},
		{"ignores cancellation", "cancel/every-call-returns-the-cause", breaking(func(q *queue) {
			q.enqueue = func(ctx context.Context, jobs []adapter.NewJob) ([]adapter.Enqueued, error) {
				return q.Queue.Enqueue(context.WithoutCancel(ctx), jobs...)
			}
		})},
		{"loses the cause of a cancellation", "cancel/every-call-returns-the-cause", breaking(func(q *queue) {
			q.lookup = func(ctx context.Context, name string, ids []string) ([]adapter.Job, error) {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				return q.Queue.Lookup(ctx, name, ids...)
			}
		})},
		{"consumes beyond its context", "drain/ended-context-returns-nil", breaking(func(q *queue) {
			q.consume = func(ctx context.Context, name string, o adapter.ConsumeOptions, h handler) error {
				return q.Queue.Consume(context.WithoutCancel(ctx), name, o, h)
			}
		})},
		{"cancels handlers with consume", "drain/waits-for-handlers", breaking(func(q *queue) {
			q.consume = func(ctx context.Context, name string, o adapter.ConsumeOptions, h handler) error {
				return q.Queue.Consume(ctx, name, o, func(hctx context.Context, d *adapter.Delivery) {
					hctx, cancel := context.WithCancel(hctx)
					defer cancel()
					defer context.AfterFunc(ctx, cancel)()
					h(hctx, d)
				})
			}
		})},
		{"does not wait for handlers", "drain/waits-for-handlers", breaking(func(q *queue) {
			q.consume = func(ctx context.Context, name string, o adapter.ConsumeOptions, h handler) error {
				done := make(chan error, 1)
				go func() { done <- q.Queue.Consume(ctx, name, o, h) }()
				select {
				case err := <-done:
					return err
				case <-ctx.Done():
					return nil
				}
			}
		})},
		{"leaks a goroutine", "close/leaks-nothing", breaking(func(q *queue) {
			q.enqueue = func(ctx context.Context, jobs []adapter.NewJob) ([]adapter.Enqueued, error) {
				go func() { select {} }()
				return q.Queue.Enqueue(ctx, jobs...)
			}
		})},
		{"closes as if it crashed", "cause/closed-and-released", breaking(func(q *queue) {
			q.close = func() error {
				q.Kill()
				return nil
			}
		})},
		{"cannot be closed twice", "close/every-call-returns-closed", breaking(func(q *queue) {
			var once sync.Once
			q.close = func() error {
				err := errors.New("closed already")
				once.Do(func() { err = q.Queue.Close() })
				return err
			}
		})},
		{"works on after close", "close/every-call-returns-closed", func(b *memory.Backend) adapter.Queue {
			shadow := b.Queue() // keeps the backend's data in reach
			return breaking(func(q *queue) {
				q.stats = func(ctx context.Context, queues []string) ([]adapter.QueueStats, error) {
					return shadow.Stats(ctx, queues...)
				}
			})(b)
		}},
		{"panics", "list/lookup-leaves-unknown-out", breaking(func(q *queue) {
			q.lookup = func(context.Context, string, []string) ([]adapter.Job, error) { panic("broken on purpose") }
		})},
		{"hangs", "list/lookup-leaves-unknown-out", breaking(func(q *queue) {
			q.lookup = func(context.Context, string, []string) ([]adapter.Job, error) { select {} }
		})},
	}
}
