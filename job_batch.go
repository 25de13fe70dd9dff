package nvent

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/engine"
)

// batchLinger is how long a batch that is not full waits for more jobs.
const batchLinger = 2 * time.Millisecond

// HandleBatch makes h the handler of the jobs, up to size of them at once. A batch takes what is there: it is handled when it
// is full, or a few milliseconds after its first job. It cannot have more jobs than the queue's concurrency, so set that at
// least to size.
//
// h returns an error for each value, aligned; nil instead of a slice means that all went well. Each job is settled by its own
// error, as with [JobType.Handle]. A panic fails the attempts of all; a slice of another length is a mistake in h, and fails
// all jobs for good. The context ends when the contexts of all its jobs have ended, or the timeout has passed.
func (j *JobType[T]) HandleBatch(size int, h func(context.Context, []T) []error) Handler {
	err := j.err
	switch {
	case err != nil:
	case size < 1:
		err = fmt.Errorf("handle job %q on queue %q: %w: a batch of %d: use 1 or more", j.name, j.queue, ErrInvalid, size)
	case h == nil:
		err = fmt.Errorf("handle job %q on queue %q: %w: the function is nil", j.name, j.queue, ErrInvalid)
	}
	return Handler{queue: j.queue, name: j.name, err: err, run: (&batcher[T]{job: j, size: size, handler: h}).handle}
}

// batcher collects deliveries, each of which has a goroutine of its own that waits for its error.
type batcher[T any] struct {
	job     *JobType[T]
	size    int
	handler func(context.Context, []T) []error

	mu   sync.Mutex
	next *batch[T] // that still takes values; nil: the next value begins one
}

// batch is a set of values that is handled together. The goroutine of its first delivery handles it.
type batch[T any] struct {
	ctx     context.Context // with the values of the first
	cancel  context.CancelCauseFunc
	values  []T
	live    int           // deliveries whose contexts have not ended; guarded by the batcher
	full    chan struct{} // closed by who fills it
	handled chan struct{} // closed when errs is there
	errs    []error       // nil: all went well
}

func (b *batcher[T]) handle(ctx context.Context, d *adapter.Delivery) adapter.Settlement {
	v, err := b.job.decode(d)
	if err != nil {
		return settlement(d, err)
	}
	current, i := b.join(ctx, v)
	if i == 0 {
		unhook := context.AfterFunc(ctx, func() { b.leave(current, context.Cause(ctx)) })
		b.lead(current)
		unhook()
	} else {
		select {
		case <-current.handled:
		case <-ctx.Done():
			b.leave(current, context.Cause(ctx))
			<-current.handled
		}
	}
	if current.errs != nil {
		err = current.errs[i]
	}
	return settlement(d, err)
}

// join adds a value to the batch that is being filled and returns its place there.
func (b *batcher[T]) join(ctx context.Context, v T) (current *batch[T], i int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	current = b.next
	if current == nil {
		current = &batch[T]{full: make(chan struct{}), handled: make(chan struct{})}
		current.ctx, current.cancel = context.WithCancelCause(context.WithoutCancel(engine.WithJob(ctx, nil, nil)))
		b.next = current
	}
	i = len(current.values)
	current.values = append(current.values, v)
	current.live++
	if len(current.values) == b.size {
		b.next = nil
		close(current.full)
	}
	return current, i
}

// leave notes that the context of a delivery has ended. That of the batch ends with the last.
func (b *batcher[T]) leave(current *batch[T], cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if current.live--; current.live > 0 {
		return
	}
	if b.next == current {
		b.next = nil // who comes now belongs to a batch that goes on
	}
	current.cancel(cause)
}

// lead waits until the batch is full or has waited long enough, and handles it.
func (b *batcher[T]) lead(current *batch[T]) {
	defer close(current.handled)
	defer current.cancel(nil)
	timer := time.NewTimer(batchLinger)
	defer timer.Stop()
	select {
	case <-current.full:
	case <-timer.C:
		b.mu.Lock()
		if b.next == current {
			b.next = nil
		}
		b.mu.Unlock()
	}
	ctx, cancel := b.bound(current.ctx)
	defer cancel()
	errs, err := b.call(ctx, current.values)
	n := len(current.values)
	if err == nil && errs != nil && len(errs) != n {
		err = flow.Permanent(fmt.Errorf("batch handler of job %q returned %d errors for %d jobs: return nil, or one for each",
			b.job.name, len(errs), n))
	}
	if err != nil {
		errs = slices.Repeat([]error{err}, n)
	}
	for i := range errs {
		errs[i] = because(ctx, errs[i])
	}
	current.errs = errs
}

func (b *batcher[T]) call(ctx context.Context, values []T) (errs []error, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	return b.handler(ctx, values), nil
}

// bound bounds a batch by the timeout of the job type.
func (b *batcher[T]) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if b.job.timeout == 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, b.job.timeout,
		fmt.Errorf("%w: a batch of job %q ran longer than %v", ErrTimeout, b.job.name, b.job.timeout))
}
