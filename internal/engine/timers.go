package engine

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// timers wakes runs whose commits this process has made, at the time of their first timer. It is a shortcut: every instance
// finds due runs through the index too.
type timers struct {
	e    *Engine
	mu   sync.Mutex
	due  dueHeap
	at   map[string]int64 // by run: the entry of the heap that counts
	wake chan struct{}
}

type dueRun struct {
	at  int64 // Unix milliseconds, store clock
	run string
}

type dueHeap []dueRun

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(dueRun)) }
func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = dueRun{}
	*h = old[:len(old)-1]
	return last
}

func (t *timers) init(e *Engine) {
	t.e = e
	t.at = map[string]int64{}
	t.wake = make(chan struct{}, 1)
}

// set says when a run's first timer is due; 0: it has none.
func (t *timers) set(run string, at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at[run] == at {
		return
	}
	if at == 0 {
		delete(t.at, run)
		return
	}
	t.at[run] = at
	heap.Push(&t.due, dueRun{at, run})
	if t.due[0].run == run && t.due[0].at == at {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
	if len(t.due) > 64 && len(t.due) > 4*len(t.at) { // mostly entries that do not count any more
		t.due = t.due[:0]
		for run, at := range t.at {
			t.due = append(t.due, dueRun{at, run})
		}
		heap.Init(&t.due)
	}
}

// next takes the runs that are due, and returns how long until the next one is. wait is negative if there is none.
func (t *timers) next(now int64) (due []string, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.due) > 0 {
		first := t.due[0]
		if t.at[first.run] != first.at {
			heap.Pop(&t.due)
			continue
		}
		if first.at > now {
			return due, time.Duration(min(first.at-now, int64(time.Hour/time.Millisecond))) * time.Millisecond
		}
		heap.Pop(&t.due)
		delete(t.at, first.run)
		due = append(due, first.run)
	}
	return due, -1
}

// maxFiring bounds the runs whose timers are fired at the same time.
const maxFiring = 32

func (t *timers) run(ctx context.Context) {
	slots := make(chan struct{}, maxFiring)
	for {
		due, wait := t.next(t.e.now().UnixMilli())
		for _, run := range due {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			t.e.wg.Go(func() {
				defer func() { <-slots }()
				if err := t.e.fire(ctx, run); err != nil && ctx.Err() == nil {
					t.e.alarm("timer/"+run, "timer of a run is late; it will be fired again", "run", run, "error", err)
				}
			})
		}
		var over <-chan struct{}
		if wait >= 0 {
			done := make(chan struct{})
			timer := t.e.Clock.AfterFunc(wait, func() { close(done) })
			over = done
			select {
			case <-over:
			case <-t.wake:
			case <-ctx.Done():
			}
			timer.Stop()
		} else {
			select {
			case <-t.wake:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// fire fires the timers of a run that are due.
func (e *Engine) fire(ctx context.Context, run string) error {
	b := e.open(run)
	defer e.release(b)
	verdict, err := e.submitTo(ctx, b, flow.Fire{})
	if err != nil || verdict == flow.Accepted {
		return err
	}
	if s, _ := b.current(); s != nil { // our clock was ahead, or somebody else has fired it
		e.timers.set(run, s.FirstTimer())
	}
	return nil
}
