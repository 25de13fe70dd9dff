package memory

import (
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// job is a job of a queue. The mutex of the queue guards it, except for what has been handed out.
type job struct {
	first delivery  // saves an allocation for the delivery that most jobs have only one of
	last  *delivery // what was handed out last, or is going to be

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

// delivery is a job as a handler has it. d is not written after it was handed out, so that its handler may read it at any
// time, even when the lease is gone and the job has another delivery.
type delivery struct {
	d        adapter.Delivery
	ctx      *jobContext
	number   uint64 // of its ticket
	job      *job
	consumer *consumer
	live     bool // the lease holds; guarded by the mutex of the queue
	used     bool // handed out
	returned bool // its handler has
	orphan   bool // the instance was killed: the lease runs out at job.due
	late     bool // beyond its Timeout: likewise
}

// jobPool has the jobs that newJob uses again.
var jobPool = sync.Pool{New: func() any { return new(job) }}

func newJob(spec *adapter.NewJob, now time.Time) *job {
	j := jobPool.Get().(*job)
	*j = job{index: -1}
	j.last = &j.first
	j.first.d.NewJob, j.first.d.CreatedAt = *spec, now
	return j
}

// free lets a job that the queue has forgotten be used again, if nobody else can have it: a handler that has not returned,
// maybe of an earlier delivery, reads its delivery.
func (j *job) free() {
	if j.last == &j.first && (!j.first.used || j.first.returned) {
		jobPool.Put(j)
	}
}

// spec is what the job was enqueued with. It never changes.
func (j *job) spec() *adapter.NewJob { return &j.last.d.NewJob }

func (j *job) snapshot() adapter.Job {
	s := j.last.d.Job
	s.State, s.RawState = j.state, ""
	s.Attempt, s.Delivery = j.attempt, j.delivered
	s.Result, s.Error, s.FinishedAt = j.result, j.err, j.finished
	if j.annotation != nil {
		s.Progress = j.annotation.progress
	}
	return s
}

// lease is how long a silent consumer keeps the job.
func (j *job) lease(o *Options) time.Duration {
	if l := j.spec().Lease; l > 0 {
		return l
	}
	return o.DefaultLease
}

// keep returns how long the finished job is kept, and how many of its state are.
func (j *job) keep(o *Options) (time.Duration, int) {
	k := &j.spec().Keep
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
