package nvent

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// Queue holds jobs until a worker takes them. It is the same on every adapter: what it accepts on one, it accepts on all.
//
// Its methods may be called from many goroutines, block until the backend has answered or ctx ends, and return errors of
// type [*Error]. Typed jobs ([Job]) are the comfortable way in; a Queue is for jobs of any name, and for looking after them.
type Queue struct {
	driver  adapter.Queue
	name    string // of the adapter
	o       queueOptions
	watches queueWatches
}

type queueOptions struct {
	maxPayload int // bytes; 0 = defaultMaxPayload
	attempts   int // of jobs that set none; 0 = 1
	backoff    adapter.Backoff
	clock      adapter.Clock
	log        *slog.Logger
}

func newQueue(driver adapter.Queue, o queueOptions) *Queue {
	if o.maxPayload == 0 {
		o.maxPayload = defaultMaxPayload
	}
	o.attempts = max(o.attempts, 1)
	q := &Queue{driver: driver, name: driver.Info().Name, o: o}
	q.watches.init()
	return q
}

// close ends the listeners. It does not close the adapter.
func (q *Queue) close() { q.watches.close() }

// redeliveries is how often a job is delivered again after its worker has died.
const redeliveries = 5

// maxPriority bounds priorities to what every backend can sort by.
const maxPriority = 1_000_000

// JobInput is a job to enqueue. The adapter may keep what Data refers to if it is a json.RawMessage: do not change it
// afterwards.
type JobInput struct {
	Name string // what kind of job it is; it selects the handler
	Data any    // encoded as JSON; a json.RawMessage is taken as it is

	// Attempts is how often the job is tried in total, and Backoff how long to wait in between. Zero values mean what
	// queue.defaultConfig says, each by itself.
	Attempts int
	Backoff  flow.Backoff
	// Delay is how long the job waits before it may be taken; RunAt says the same as a time. At most one of them is set.
	Delay time.Duration
	RunAt time.Time
	// Priority decides between jobs that wait: higher first, 0 is normal, from -1,000,000 to 1,000,000.
	Priority int
	// Key makes the job unique in its queue: while a job of this key is known, finished or not, another one is not added.
	Key string
	// Timeout bounds each delivery: then the handler's context ends. 0 = none.
	Timeout time.Duration
	Labels  map[string]string // at most 8; jobs are found by them
	Headers map[string]string // carried along, such as a trace context
}

// ScheduleOptions says when a scheduled job runs.
type ScheduleOptions struct {
	Delay time.Duration
	Cron  string // refused: see [Queue.Schedule]
}

// Enqueue adds a job and returns its ID, a UUID. With a Key the ID is that of [JobID]; when a job of this key is known, it is
// left as it is. When Enqueue returns nil the backend has the job. An error other than ErrInvalid and ErrTooLarge leaves
// that unknown.
func (q *Queue) Enqueue(ctx context.Context, queue string, job JobInput) (string, error) {
	ids, err := q.EnqueueAll(ctx, queue, job)
	if err != nil {
		return "", err
	}
	return ids[0], nil
}

// EnqueueAll is [Queue.Enqueue] for many jobs in one call of the adapter. The IDs are aligned with the jobs. When a job is
// refused none is added; after another error some may have been.
func (q *Queue) EnqueueAll(ctx context.Context, queue string, jobs ...JobInput) ([]string, error) {
	const op = "enqueue"
	if err := checkName("queue", queue); err != nil {
		return nil, wrap(q.name, op, err)
	}
	now := q.o.clock.Now()
	list := make([]adapter.NewJob, len(jobs))
	for i := range jobs {
		j, err := q.prepare(queue, &jobs[i], now)
		if err == nil {
			j.Data, err = encodeJobData(jobs[i].Data, q.o.maxPayload)
		}
		if err != nil {
			return nil, wrap(q.name, op, jobError(i, len(jobs), jobs[i].Name, err))
		}
		j.Labels, j.Headers = maps.Clone(j.Labels), maps.Clone(j.Headers)
		list[i] = j
	}
	return q.add(ctx, list)
}

// Schedule is [Queue.Enqueue] with a delay of its own. A cron expression is refused with ErrUnsupported: what recurs is a
// trigger of the App, which fires once however many instances run, and not a property of one job.
func (q *Queue) Schedule(ctx context.Context, queue string, job JobInput, o ScheduleOptions) (string, error) {
	if o.Cron != "" {
		return "", wrap(q.name, "schedule", hinted(fmt.Errorf("cron %q: %w", o.Cron, ErrUnsupported),
			"add a trigger to the App: nvent.Enqueues(name, nvent.Cron(expression, zone), job, ...), or a document with type schedule"))
	}
	if o.Delay != 0 {
		if job.Delay != 0 {
			return "", wrap(q.name, "schedule", fmt.Errorf("%w: the job has a delay, and the schedule too; set one", ErrInvalid))
		}
		job.Delay = o.Delay
	}
	return q.Enqueue(ctx, queue, job)
}

// add hands prepared jobs to the adapter and returns their IDs.
func (q *Queue) add(ctx context.Context, jobs []adapter.NewJob) ([]string, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	ids := make([]string, len(jobs))
	for i := range jobs {
		ids[i] = jobs[i].ID
	}
	if _, err := q.driver.Enqueue(ctx, jobs...); err != nil {
		return nil, wrap(q.name, "enqueue", err)
	}
	return ids, nil
}

// prepare checks all of a job but its data and returns it without them. Labels and headers are still the caller's.
func (q *Queue) prepare(queue string, in *JobInput, now time.Time) (adapter.NewJob, error) {
	if err := checkJob(in); err != nil {
		return adapter.NewJob{}, err
	}
	j := adapter.NewJob{
		Queue: queue, Name: in.Name, Labels: in.Labels, Headers: in.Headers,
		Attempts: in.Attempts, Backoff: queueBackoff(in.Backoff),
		Priority: in.Priority, RunAt: in.RunAt, Redeliver: redeliveries, Timeout: in.Timeout,
	}
	if in.Key != "" {
		j.ID = JobID(queue, in.Key)
	} else {
		j.ID = newID(now)
	}
	if j.Attempts == 0 {
		j.Attempts = q.o.attempts
	}
	if j.Backoff.Kind == "" {
		j.Backoff = q.o.backoff
	}
	if in.Delay > 0 {
		j.RunAt = now.Add(in.Delay)
	}
	return j, nil
}

func checkJob(in *JobInput) error {
	if err := checkKey("name of the job", in.Name); err != nil {
		return err
	}
	if in.Key != "" {
		if err := checkKey("key of the job", in.Key); err != nil {
			return err
		}
	}
	if attempts := in.Attempts; attempts != 0 || in.Backoff != (flow.Backoff{}) {
		if attempts == 0 {
			attempts = 1 // the configured number is right; the back-off may not be
		}
		if _, _, err := flow.ForJob(flow.Attempts(attempts, in.Backoff)); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	switch {
	case in.Delay < 0:
		return fmt.Errorf("%w: the delay is negative: %v", ErrInvalid, in.Delay)
	case in.Timeout < 0:
		return fmt.Errorf("%w: the timeout is negative: %v", ErrInvalid, in.Timeout)
	case in.Delay != 0 && !in.RunAt.IsZero():
		return fmt.Errorf("%w: the job has a Delay and a RunAt; set one", ErrInvalid)
	case in.Priority > maxPriority || in.Priority < -maxPriority:
		return fmt.Errorf("%w: priority %d is beyond ±%d", ErrInvalid, in.Priority, maxPriority)
	}
	if err := checkLabels(in.Labels); err != nil {
		return err
	}
	return checkHeaders(in.Headers)
}

func queueBackoff(b flow.Backoff) adapter.Backoff {
	return adapter.Backoff{Kind: b.Kind, Base: time.Duration(b.Base), Max: time.Duration(b.Max), Jitter: b.Jitter}
}

// jobError says which of several jobs an error is about.
func jobError(i, n int, name string, err error) error {
	if n > 1 {
		return about(fmt.Sprintf("job %d of %d (%q)", i+1, n, name), err)
	}
	return about(fmt.Sprintf("job %q", name), err)
}
