package adapter

import (
	"context"
	"encoding/json"
	"io"
	"time"
)

// Queue holds jobs and hands each to a consumer under a lease.
//
// A job is delivered at least once: when its consumer dies, the lease runs out and the job is delivered again, up to
// NewJob.Redeliver times. What a queue may never do is deliver a job to a second consumer while the first one holds a
// live lease, or accept a settlement from a consumer that has lost it.
type Queue interface {
	Info() Info

	// Enqueue adds jobs, in one round trip where the backend can. Results are aligned with jobs.
	//
	// It is idempotent by ID within a queue: a job whose ID is known (in any state, and for Info.IDRetained after its end)
	// is left as it is, and its state is reported in Enqueued.Existing. Jobs of one call may go to several queues. On an
	// error some of them may have been added. Jobs of equal priority are delivered in the order of their enqueueing; of two
	// jobs the one with the higher Priority goes first.
	Enqueue(ctx context.Context, jobs ...NewJob) ([]Enqueued, error)

	// Consume takes jobs of one queue and calls h for each, in a goroutine of its own, at most Concurrency at once. It
	// blocks until ctx ends, then takes nothing more and returns nil once every h has returned. It returns earlier, with an
	// error, only when it cannot go on for good (closed, refused); it reconnects by itself.
	//
	// The adapter renews the leases of all deliveries while their h runs. The context that h gets carries the values of ctx
	// but not its cancellation; it ends when h returns, or earlier with a cause: [ErrLeaseLost] when the lease is gone,
	// [ErrCanceled] when the job was cancelled, [ErrTimeout] after the job's Timeout, [ErrClosed] on Close. h settles its
	// delivery exactly once before it returns; returning unsettled counts as Release. d is valid until h returns.
	Consume(ctx context.Context, queue string, o ConsumeOptions, h func(ctx context.Context, d *Delivery)) error

	// Settle ends deliveries. It returns one error per settlement, aligned: nil, [ErrLeaseLost] when the receipt is no
	// longer the current one (the job is then untouched), or what prevented it. Adapters batch calls made at the same time.
	Settle(ctx context.Context, s ...Settlement) []error

	// Lookup returns the jobs with these IDs, in any order. Unknown IDs are left out.
	Lookup(ctx context.Context, queue string, ids ...string) ([]Job, error)

	// List returns jobs in the order of creation (Desc: newest first), a page at a time.
	List(ctx context.Context, queue string, q JobQuery) (Page[Job], error)

	// Apply does an action to the selected jobs and returns how many it changed. A selection by query changes at most
	// Limit jobs a call: repeat until it returns 0. Jobs in a state that the action does not apply to are left alone.
	Apply(ctx context.Context, queue string, a JobAction, sel Selection) (int, error)

	// Stats returns the counts of the named queues, or of all known ones. A queue that nobody has used has zero counts.
	Stats(ctx context.Context, queues ...string) ([]QueueStats, error)

	// SetPaused pauses or resumes a queue for all consumers. While paused no job is handed out; what runs goes on.
	SetPaused(ctx context.Context, queue string, paused bool) error

	// Watch calls fn for what happens in a queue, one event at a time and in order, until ctx ends. It blocks. Without
	// [CapGlobalEvents] it sees what this instance does only. When fn is slow events are dropped, and the next one that is
	// delivered is of type EventLost. ready, if not nil, is called once when watching has begun.
	Watch(ctx context.Context, queue string, ready func(), fn func(QueueEvent)) error

	// Close releases the deliveries that are still running, ends Consume and Watch, and frees what the adapter opened.
	io.Closer
}

// Annotator is implemented by queues that claim [CapAnnotate].
type Annotator interface {
	// Annotate sets the progress of a running job (nil leaves it as it is) and appends lines to its log. A receipt that is
	// no longer current returns [ErrLeaseLost].
	Annotate(ctx context.Context, queue, id, receipt string, progress json.RawMessage, lines ...string) error
	// JobLog returns log lines of a job, oldest first, from offset on, at most limit, and how many there are.
	JobLog(ctx context.Context, queue, id string, offset, limit int) (lines []string, total int, err error)
}

// NewJob is a job to enqueue.
type NewJob struct {
	ID      string // a UUID; required
	Queue   string // required
	Name    string // what kind of job it is
	Data    json.RawMessage
	Headers map[string]string // trace context and the like; carried, not interpreted
	Labels  map[string]string // at most 8; List finds jobs by them

	Attempts int     // tries in total, for foreign workers and for display; ours decide and settle Retry
	Backoff  Backoff // likewise
	Priority int     // higher first; 0 is normal
	RunAt    time.Time
	// Redeliver is how many times the job may be delivered again after a lost lease. After that it fails by itself.
	Redeliver int
	Lease     time.Duration // how long a silent consumer keeps the job; 0 = the adapter's default
	Timeout   time.Duration // limit of one delivery, renewals notwithstanding; 0 = none
	Keep      Keep
}

// Keep says how long a finished job stays to be looked at. A zero field means the adapter's default, a negative one means
// not at all.
type Keep struct {
	Completed time.Duration
	Failed    time.Duration
	Count     int // finished jobs of the queue, of each of the two states
}

// Backoff is the delay between attempts.
type Backoff struct {
	Kind   string        `json:"kind,omitempty"` // BackoffFixed or BackoffExponential; empty = none
	Base   time.Duration `json:"base,omitempty"`
	Max    time.Duration `json:"max,omitempty"`    // 0 = no limit
	Jitter float64       `json:"jitter,omitempty"` // 0..1: the part of the delay that is random
}

// The kinds of back-off.
const (
	BackoffFixed       = "fixed"       // Base every time
	BackoffExponential = "exponential" // Base, 2 Base, 4 Base, ... up to Max
)

// Enqueued is the result of enqueueing one job.
type Enqueued struct {
	ID       string
	Existing JobState // empty: created now; else the state of the job that has this ID already
}

// JobState is where a job is in its life.
type JobState string

// The states. A job of a paused queue stays waiting: pausing is the queue's property, not the job's.
const (
	JobWaiting   JobState = "waiting"
	JobDelayed   JobState = "delayed" // until RunAt, or until the delay of a Retry is over
	JobActive    JobState = "active"
	JobCompleted JobState = "completed"
	JobFailed    JobState = "failed"
)

// Job is a job as the queue knows it.
type Job struct {
	NewJob
	State      JobState
	RawState   string // the backend's own word, where it differs
	Attempt    int    // attempts that ended with Retry or Fail, or in Complete
	Delivery   int    // times it was handed out, this one included
	Result     json.RawMessage
	Error      string // of the last failed attempt
	Progress   json.RawMessage
	CreatedAt  time.Time
	StartedAt  time.Time // of the last delivery
	FinishedAt time.Time
}

// Delivery is a job handed to a consumer.
type Delivery struct {
	Job
	Receipt string // opaque proof of the lease, needed to settle
}

// ConsumeOptions configures Queue.Consume.
type ConsumeOptions struct {
	Consumer string // who takes the jobs, for people to read
	// Concurrency returns how many deliveries may run at once. It is asked before each take, so it can change.
	Concurrency func() int
	// Prefetch is how many jobs beyond Concurrency may be leased in advance. 0 lets the adapter choose.
	Prefetch int
	// Ready, if not nil, is called once when the consumer has begun to take jobs.
	Ready func()
}

// Verdict is how a delivery ended.
type Verdict int

// The verdicts.
const (
	Complete Verdict = iota // done, with Result
	Retry                   // counts an attempt; deliver again after Delay
	Fail                    // counts an attempt; final; the job is kept as failed with Err
	Release                 // hand back after Delay; counts neither an attempt nor a redelivery
	Discard                 // forget the job as if it had never been; its ID is free again
)

// String returns the verdict in lower case.
func (v Verdict) String() string {
	switch v {
	case Complete:
		return "complete"
	case Retry:
		return "retry"
	case Fail:
		return "fail"
	case Release:
		return "release"
	case Discard:
		return "discard"
	}
	return "unknown"
}

// Settlement ends one delivery.
type Settlement struct {
	Queue, ID, Receipt string
	Verdict            Verdict
	Result             json.RawMessage // Complete
	Err                string          // Retry, Fail
	Delay              time.Duration   // Retry, Release
}

// JobAction is a bulk operation of Queue.Apply.
type JobAction string

// The actions.
const (
	ActionRetry   JobAction = "retry"   // failed → waiting, with no attempts used
	ActionRemove  JobAction = "remove"  // any state but active → gone
	ActionPromote JobAction = "promote" // delayed → waiting
	ActionCancel  JobAction = "cancel"  // any unfinished state → gone; a running handler's context ends with ErrCanceled
)

// Selection names jobs by ID, or by a query. Exactly one of the two is set.
type Selection struct {
	IDs   []string
	Query *JobQuery
	Limit int // of a query; 0 = 1000
}

// JobQuery selects jobs. Zero fields do not select.
type JobQuery struct {
	States        []JobState
	Name          string
	Label, Value  string // jobs whose label Label is Value
	After, Before time.Time
	Cursor        string // of the page before
	Limit         int    // 0 = 100
	Desc          bool
}

// Page is a part of a list. Next is empty at the end, else the Cursor of the next page.
type Page[T any] struct {
	Items []T
	Next  string
}

// QueueStats is the state of one queue.
type QueueStats struct {
	Queue         string
	Paused        bool
	Counts        map[JobState]int64 // every state is present
	OldestWaiting time.Time          // zero: nothing waits
	Approx        bool               // counts are estimates
}

// EventType is the type of a queue event.
type EventType string

// The queue events. A job event carries the job's ID, a queue event (paused, resumed, lost) none.
const (
	EventAdded     EventType = "added"
	EventWaiting   EventType = "waiting"
	EventActive    EventType = "active"
	EventProgress  EventType = "progress"
	EventCompleted EventType = "completed" // Data: the result
	EventFailed    EventType = "failed"    // Data: the error, a JSON string
	EventPaused    EventType = "paused"
	EventResumed   EventType = "resumed"
	EventLost      EventType = "lost" // events were dropped before this one
)

// QueueEvent is something that happened in a queue.
type QueueEvent struct {
	Type  EventType
	Queue string
	JobID string
	At    time.Time
	Data  json.RawMessage
}
