package nvent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/engine"
)

// Handler is the code of a kind of job: what [App.Add] takes. Make one with [JobType.Handle] or [JobType.HandleBatch].
type Handler struct {
	queue, name string
	err         error
	run         engine.JobHandler
}

// register gives the handler to an engine.
func (h Handler) register(e *engine.Engine) error {
	if h.err != nil {
		return h.err
	}
	return e.HandleJob(h.queue, h.name, h.run)
}

// queueName returns the queue that the handler's jobs are on.
func (h Handler) queueName() string { return h.queue }

// Handle makes h the handler of the jobs. It may run more than once for a job (after an error, or when a worker dies), and
// many times at once, for different jobs.
//
// An error, or a panic, fails the attempt: the job waits for its back-off and is tried again, until its attempts are used
// up; then it is kept as failed. [flow.Permanent] fails it at once, [flow.RetryAfter] says how long to wait. The context
// ends when the timeout has passed, the lease is lost, the job is cancelled, or the App is closed for good; it carries what
// [JobInfo] returns.
func (j *JobType[T]) Handle(h func(context.Context, T) error) Handler {
	err := j.err
	if err == nil && h == nil {
		err = fmt.Errorf("handle job %q on queue %q: %w: the function is nil", j.name, j.queue, ErrInvalid)
	}
	return Handler{queue: j.queue, name: j.name, err: err, run: func(ctx context.Context, d *adapter.Delivery) adapter.Settlement {
		v, err := j.decode(d)
		if err != nil {
			return settlement(d, err)
		}
		if j.timeout != 0 && d.Timeout == 0 { // else the adapter bounds the delivery, or nobody
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, j.timeout,
				fmt.Errorf("%w: job %q ran longer than %v", ErrTimeout, j.name, j.timeout))
			defer cancel()
		}
		return settlement(d, because(ctx, callJob(ctx, h, v)))
	}}
}

func callJob[T any](ctx context.Context, h func(context.Context, T) error, v T) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	return h(ctx, v)
}

func panicError(p any) error { return fmt.Errorf("handler panicked: %v\n%s", p, debug.Stack()) }

// because adds a timeout to the error that it led to.
func because(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || errors.Is(err, ErrTimeout) {
		return err
	}
	if cause := context.Cause(ctx); errors.Is(cause, ErrTimeout) {
		return fmt.Errorf("%w (%w)", err, cause)
	}
	return err
}

// settlement says how a delivery ends whose handler has returned err.
func settlement(d *adapter.Delivery, err error) adapter.Settlement {
	if err == nil {
		return adapter.Settlement{Verdict: adapter.Complete}
	}
	s := adapter.Settlement{Verdict: adapter.Fail, Err: storableText(err.Error())}
	attempt := d.Attempt + 1
	if attempt >= d.Attempts || flow.IsPermanent(err) {
		return s
	}
	s.Verdict = adapter.Retry
	var given bool
	if s.Delay, given = flow.RetryDelay(err); !given {
		b := flow.Backoff{
			Kind: d.Backoff.Kind, Base: flow.Duration(d.Backoff.Base), Max: flow.Duration(d.Backoff.Max), Jitter: d.Backoff.Jitter,
		}
		s.Delay = b.Delay(attempt, rand.Float64())
	}
	return s
}

// JobAttempt is what a handler can know about the attempt that it is.
type JobAttempt struct {
	ID       string // stable over attempts: give it to whoever must not do the work twice
	Queue    string
	Name     string
	Attempt  int // from 1
	Attempts int // tries in total
	Delivery int // from 1; more than one without a new attempt means that a worker died, or handed the job back
	Headers  map[string]string
	Labels   map[string]string
	Enqueued time.Time
}

// JobInfo returns what the job is whose handler got ctx. ok is false elsewhere, and in a batch.
func JobInfo(ctx context.Context) (info JobAttempt, ok bool) {
	d, _, ok := engine.JobOf(ctx)
	if !ok {
		return JobAttempt{}, false
	}
	return JobAttempt{
		ID: d.ID, Queue: d.Queue, Name: d.Name, Attempt: d.Attempt + 1, Attempts: max(d.Attempts, 1), Delivery: d.Delivery,
		Headers: d.Headers, Labels: d.Labels, Enqueued: d.CreatedAt,
	}, true
}

// Progress sets the progress of the job whose handler got ctx: anything that encodes as JSON. It shows on the job and as an
// event of its queue. ErrUnsupported: the adapter keeps none. ErrLeaseLost: the job is not this worker's any more.
func Progress(ctx context.Context, v any) error {
	raw, err := encodeJSON(v, defaultMaxPayload)
	if err != nil {
		return wrap("", "set progress", err)
	}
	return annotate(ctx, "set progress", raw)
}

// JobLog appends lines to the log of the job whose handler got ctx. They are read with [Queue.JobLog]. The errors are those
// of [Progress].
func JobLog(ctx context.Context, lines ...string) error {
	storable := make([]string, len(lines))
	for i, line := range lines {
		storable[i] = storableText(line)
	}
	return annotate(ctx, "log to job", nil, storable...)
}

func annotate(ctx context.Context, op string, progress []byte, lines ...string) error {
	d, q, ok := engine.JobOf(ctx)
	if !ok {
		return wrap("", op, hinted(fmt.Errorf("%w: the context is not that of a job's handler", ErrInvalid),
			"pass on the context that the handler got; a batch has no job of its own"))
	}
	name := q.Info().Name
	a, err := annotator(q)
	if err != nil {
		return wrap(name, op, err)
	}
	return wrap(name, op, a.Annotate(ctx, d.Queue, d.ID, d.Receipt, progress, lines...))
}
