package nvent

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/decode"
)

// JobType is a kind of job whose data is a T: a name on a queue. Make one with [Job]. It may be used from many goroutines,
// and by several Apps.
type JobType[T any] struct {
	queue, name string
	template    JobInput // what its options say; zero Attempts: as configured
	timeout     time.Duration
	err         error // of its definition; every use returns it
}

// Job defines a kind of job. It takes [flow.Attempts] and [flow.Timeout]; without Attempts a job is tried as often as
// queue.defaultConfig says. A mistake in the definition is reported by everything that uses it: at the latest when its handler
// is added to an App.
//
//	var SendEmail = nvent.Job[Email]("mail", "send", flow.Attempts(10, flow.Exponential(time.Second)))
func Job[T any](queue, name string, o ...flow.Option) *JobType[T] {
	j := &JobType[T]{queue: queue, name: name}
	// Attempts that a later one replaces tell whether there is a later one.
	const unset = math.MaxInt
	retry, timeout, err := flow.ForJob(append([]flow.Option{flow.Attempts(unset, flow.Backoff{})}, o...)...)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrInvalid, err)
	} else if err = checkName("queue", queue); err == nil {
		err = checkKey("name of the job", name)
	}
	if err != nil {
		j.err = wrap("", "define job", about(fmt.Sprintf("%q on queue %q", name, queue), err))
		return j
	}
	if retry.Attempts == unset {
		retry.Attempts = 0
	}
	j.timeout = timeout
	j.template = JobInput{Name: name, Attempts: retry.Attempts, Backoff: retry.Backoff, Timeout: timeout}
	return j
}

// Queue returns the name of the queue.
func (j *JobType[T]) Queue() string { return j.queue }

// Name returns the name of the job.
func (j *JobType[T]) Name() string { return j.name }

// JobOption is an option of enqueueing a typed job.
type JobOption struct{ set func(*JobInput) }

// Delay lets the job wait before it may be taken.
func Delay(d time.Duration) JobOption {
	return JobOption{func(j *JobInput) { j.Delay = d }}
}

// At lets the job wait until a time.
func At(t time.Time) JobOption {
	return JobOption{func(j *JobInput) { j.RunAt = t }}
}

// Unique gives the job a key of its own in its queue: while a job of this key is known, finished or not, another one is not
// added, and enqueueing returns the ID of the first. How long finished jobs are known is the adapter's.
func Unique(key string) JobOption {
	return JobOption{func(j *JobInput) { j.Key = key }}
}

// Priority decides between jobs that wait: higher first, 0 is normal, from -1,000,000 to 1,000,000.
func Priority(p int) JobOption {
	return JobOption{func(j *JobInput) { j.Priority = p }}
}

// WithLabels makes the job findable by up to 8 names and values.
func WithLabels(labels map[string]string) JobOption {
	return JobOption{func(j *JobInput) { j.Labels = maps.Clone(labels) }}
}

// WithHeaders gives the job headers, such as a trace context.
func WithHeaders(headers map[string]string) JobOption {
	return JobOption{func(j *JobInput) { j.Headers = maps.Clone(headers) }}
}

// Enqueue adds a job and returns its ID, a UUID: see [Queue.Enqueue]. The App need not be started, nor handle such jobs.
func (j *JobType[T]) Enqueue(ctx context.Context, a *App, v T, o ...JobOption) (string, error) {
	ids, err := j.EnqueueAll(ctx, a, []T{v}, o...)
	if err != nil {
		return "", err
	}
	return ids[0], nil
}

// EnqueueAll adds a job for each value, in one call of the adapter: see [Queue.EnqueueAll]. The options hold for all of them,
// which is why Unique is refused for more than one.
func (j *JobType[T]) EnqueueAll(ctx context.Context, a *App, vs []T, o ...JobOption) ([]string, error) {
	return j.enqueue(ctx, a.Queue(), vs, o)
}

func (j *JobType[T]) enqueue(ctx context.Context, q *Queue, vs []T, o []JobOption) ([]string, error) {
	const op = "enqueue"
	if j.err != nil {
		return nil, j.err
	}
	in := j.template
	for _, opt := range o {
		opt.set(&in)
	}
	if in.Key != "" && len(vs) > 1 {
		return nil, wrap(q.name, op, hinted(fmt.Errorf("%w: %d jobs %q with the key %q", ErrInvalid, len(vs), j.name, in.Key),
			"only the first would be added; enqueue each with a key of its own"))
	}
	now := q.o.clock.Now()
	first, err := q.prepare(j.queue, &in, now)
	if err != nil {
		return nil, wrap(q.name, op, jobError(0, 1, j.name, err))
	}
	jobs := make([]adapter.NewJob, len(vs))
	for i := range vs {
		jobs[i] = first
		if i > 0 {
			jobs[i].ID = newID(now)
		}
		if jobs[i].Data, err = encodeJob(&vs[i], q.o.maxPayload); err != nil {
			return nil, wrap(q.name, op, jobError(i, len(vs), j.name, err))
		}
	}
	return q.add(ctx, jobs)
}

// encodeJob encodes a value without boxing it.
func encodeJob[T any](v *T, limit int) (json.RawMessage, error) {
	if raw, ok := any(v).(*json.RawMessage); ok {
		return encodeJobData(*raw, limit)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%w: encode %T as JSON: %w", ErrInvalid, *v, err)
	}
	if err := checkPayload(raw, limit); err != nil {
		return nil, err
	}
	return raw, checkJobData(raw)
}

// decode returns the data of a delivery. What does not decode now never will, so its error is permanent.
func (j *JobType[T]) decode(d *adapter.Delivery) (T, error) {
	var v T
	if err := decode.JSON(d.Data, &v); err != nil {
		return v, flow.Permanent(fmt.Errorf("decode data of job %q as %T: %w", j.name, v, err))
	}
	return v, nil
}
