package memory

import (
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// job is a job of a queue. The mutex of the queue guards it.
type job struct {
	spec    adapter.NewJob // what it was enqueued with; it never changes
	created time.Time
	started time.Time // the last delivery
	held    *delivery // that has it while it is active, else nil

	state  adapter.JobState
	seq    uint64 // place in line
	made   uint64 // place in the catalogue
	chunk  *chunk // of the catalogue
	inFIFO bool   // of the line, rather than in a heap
	index  int    // in the fifo or the heap that holds the job; -1 in none
	// prev and next link active, completed or failed jobs.
	prev, next *job

	attempt    int
	delivered  int
	lost       int // leases
	due        time.Time
	finished   time.Time
	result     []byte
	err        string
	annotation *annotation
}

// annotation is what a handler has noted about its job.
type annotation struct {
	progress []byte
	lines    []string // the latest
	dropped  int      // lines before them
}

// delivery is a job as a handler has it. It belongs to a worker, which uses it for one job after another. d is not written
// while the handler runs, so that it may be read at any time, even when the lease is gone and another worker has the job.
type delivery struct {
	d        adapter.Delivery
	ctx      *jobContext
	number   uint64 // of its ticket
	job      *job   // not to be looked at unless live
	consumer *consumer
	live     bool // the lease holds; guarded by the mutex of the queue
	orphan   bool // the instance was killed: the lease runs out at job.due
	late     bool // beyond its Timeout: likewise
}

// jobPool has the jobs that queues have forgotten.
var jobPool = sync.Pool{New: func() any { return new(job) }}

func newJob(spec *adapter.NewJob, now time.Time) *job {
	j := jobPool.Get().(*job)
	*j = job{spec: *spec, created: now, index: -1}
	return j
}

func (j *job) snapshot() adapter.Job {
	s := adapter.Job{NewJob: j.spec, State: j.state, Attempt: j.attempt, Delivery: j.delivered, CreatedAt: j.created, StartedAt: j.started}
	s.Result, s.Error, s.FinishedAt = j.result, j.err, j.finished
	if j.annotation != nil {
		s.Progress = j.annotation.progress
	}
	return s
}

// lease is how long a silent consumer keeps the job.
func (j *job) lease(o *Options) time.Duration {
	if l := j.spec.Lease; l > 0 {
		return l
	}
	return o.DefaultLease
}

// keep returns how long the finished job is kept, and how many of its state are.
func (j *job) keep(o *Options) (time.Duration, int) {
	k := &j.spec.Keep
	age, count := k.Completed, o.KeepCompletedCount
	fallback := o.KeepCompleted
	if j.state == adapter.JobFailed {
		age, count, fallback = k.Failed, o.KeepFailedCount, o.KeepFailed
	}
	if age == 0 {
		age = fallback
	}
	if k.Count != 0 {
		count = k.Count
	}
	return age, count
}

// jobList is a list of jobs, linked through them.
type jobList struct {
	head, tail *job
	len        int
}

func (l *jobList) push(j *job) {
	j.prev, j.next = l.tail, nil
	if l.tail == nil {
		l.head = j
	} else {
		l.tail.next = j
	}
	l.tail = j
	l.len++
}

func (l *jobList) remove(j *job) {
	if j.prev == nil {
		l.head = j.next
	} else {
		j.prev.next = j.next
	}
	if j.next == nil {
		l.tail = j.prev
	} else {
		j.next.prev = j.prev
	}
	j.prev, j.next = nil, nil
	l.len--
}
