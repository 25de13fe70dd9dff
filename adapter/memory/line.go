package memory

import (
	"container/heap"
	"time"
)

// line holds the waiting jobs in the order in which they are handed out: the higher priority first, then the lower seq.
// Jobs of priority 0 mostly come with a growing seq, and are kept in a fifo; a heap holds all others.
type line struct {
	fifo   []*job // from the job at index base on; nil where one was removed
	base   int
	live   int // jobs in fifo
	newest uint64
	heap   jobHeap
}

func newLine() line { return line{heap: jobHeap{less: ahead}} }

// ahead reports whether a goes before b.
func ahead(a, b *job) bool {
	if p, q := a.spec.Priority, b.spec.Priority; p != q {
		return p > q
	}
	return a.seq < b.seq
}

func (l *line) len() int { return l.live + len(l.heap.jobs) }

func (l *line) push(j *job) {
	if j.spec.Priority != 0 || j.seq < l.newest {
		heap.Push(&l.heap, j)
		return
	}
	l.newest = j.seq
	j.inFIFO, j.index = true, l.base+len(l.fifo)
	l.fifo = append(l.fifo, j)
	l.live++
}

// pop removes and returns the next job, or nil.
func (l *line) pop() *job {
	first := l.front()
	if len(l.heap.jobs) > 0 && (first == nil || ahead(l.heap.jobs[0], first)) {
		return heap.Pop(&l.heap).(*job)
	}
	if first != nil {
		l.remove(first)
	}
	return first
}

// front returns the first job of the fifo, or nil.
func (l *line) front() *job {
	for len(l.fifo) > 0 {
		if l.fifo[0] != nil {
			return l.fifo[0]
		}
		l.fifo = l.fifo[1:]
		l.base++
	}
	return nil
}

func (l *line) remove(j *job) {
	if !j.inFIFO {
		heap.Remove(&l.heap, j.index)
		return
	}
	l.fifo[j.index-l.base] = nil
	j.inFIFO, j.index = false, -1
	if l.live--; l.live == 0 {
		l.base += len(l.fifo)
		l.fifo = l.fifo[:0]
	}
}

// oldest returns when the job that has waited longest was made.
func (l *line) oldest() (t time.Time) {
	if j := l.front(); j != nil {
		t = j.created
	}
	for _, j := range l.heap.jobs {
		if c := j.created; t.IsZero() || c.Before(t) {
			t = c
		}
	}
	return t
}

// jobHeap is a heap of jobs that know their place in it.
type jobHeap struct {
	jobs []*job
	less func(a, b *job) bool
}

// sooner reports whether a is due before b.
func sooner(a, b *job) bool {
	if c := a.due.Compare(b.due); c != 0 {
		return c < 0
	}
	return a.seq < b.seq
}

func (h *jobHeap) Len() int           { return len(h.jobs) }
func (h *jobHeap) Less(i, k int) bool { return h.less(h.jobs[i], h.jobs[k]) }

func (h *jobHeap) Swap(i, k int) {
	h.jobs[i], h.jobs[k] = h.jobs[k], h.jobs[i]
	h.jobs[i].index, h.jobs[k].index = i, k
}

func (h *jobHeap) Push(x any) {
	j := x.(*job)
	j.index = len(h.jobs)
	h.jobs = append(h.jobs, j)
}

func (h *jobHeap) Pop() any {
	last := len(h.jobs) - 1
	j := h.jobs[last]
	h.jobs[last] = nil
	j.index = -1
	h.jobs = h.jobs[:last]
	return j
}
