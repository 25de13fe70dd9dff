package memory_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

func TestInjectedClock(t *testing.T) {
	t.Parallel()
	c := &handClock{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	q := memory.New(&memory.Options{Clock: c}).Queue()
	ctx := t.Context()
	for i, d := range []time.Duration{3 * time.Hour, time.Hour, 2 * time.Hour} {
		enqueue(t, q, adapter.NewJob{ID: fmt.Sprint(i), RunAt: c.now.Add(d)})
	}
	for hour, want := range []int64{0, 1, 2, 3} {
		if n := counts(t, q)[adapter.JobWaiting]; n != want {
			t.Errorf("after %d hours %d jobs wait, want %d", hour, n, want)
		}
		c.advance(time.Hour)
	}
	jobs, err := q.Lookup(ctx, "q", "0")
	if err != nil || !jobs[0].CreatedAt.Equal(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the job is %+v, %v", jobs, err)
	}
	enqueue(t, q, adapter.NewJob{ID: "far", RunAt: c.now.Add(time.Hour)})
	if q.Close(); c.pending() != 0 {
		t.Error("a timer is set while no instance is open")
	}
}

// handClock is a clock that is moved by hand. It knows one timer, which is what one queue needs.
type handClock struct {
	now time.Time
	at  time.Time // zero: not set
	f   func()
}

func (c *handClock) Now() time.Time { return c.now }

func (c *handClock) AfterFunc(d time.Duration, f func()) adapter.Timer {
	c.at, c.f = c.now.Add(d), f
	return c
}

func (c *handClock) Stop() bool {
	c.at = time.Time{}
	return true
}

func (c *handClock) Reset(d time.Duration) bool {
	c.at = c.now.Add(d)
	return true
}

func (c *handClock) advance(d time.Duration) {
	c.now = c.now.Add(d)
	if !c.at.IsZero() && !c.at.After(c.now) {
		c.at = time.Time{}
		c.f()
	}
}

func (c *handClock) pending() int {
	if c.at.IsZero() {
		return 0
	}
	return 1
}
