package enginetest_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/enginetest"
)

// tolerates runs all checks on a trio that does less than the contract asks for, and that the engine has to get along with.
func tolerates(t *testing.T, breaks broken, but ...string) {
	for _, c := range enginetest.Checks() {
		if slices.Contains(but, c.Name) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if err := enginetest.Verify(t, over(breaks), c); err != nil {
				t.Error(err)
			}
		})
	}
}

type mute struct{ adapter.Stream }

func (mute) Publish(context.Context, ...adapter.Message) error { return nil }

// TestPromise4_StreamsAreHints: a stream that loses every message costs time, never data.
func TestPromise4_StreamsAreHints(t *testing.T) {
	tolerates(t, func(t enginetest.Trio) enginetest.Trio {
		t.Stream = mute{t.Stream}
		return t
	})
}

// TestPromise4_QueueMayLoseJobs loses one of three.
func TestPromise4_QueueMayLoseJobs(t *testing.T) {
	tolerates(t, queue(func(q adapter.Queue) adapter.Queue { return &losing{Queue: q} }))
}

type losing struct {
	adapter.Queue
	n atomic.Int64
}

func (q *losing) Enqueue(ctx context.Context, jobs ...adapter.NewJob) ([]adapter.Enqueued, error) {
	list := make([]adapter.Enqueued, len(jobs))
	var kept []adapter.NewJob
	for i, j := range jobs {
		list[i].ID = j.ID
		if q.n.Add(1)%3 != 0 {
			kept = append(kept, j)
		}
	}
	_, err := q.Queue.Enqueue(ctx, kept...)
	return list, err
}

// TestPromise4_QueueMayRepeatJobs delivers every job twice at once.
func TestPromise4_QueueMayRepeatJobs(t *testing.T) {
	tolerates(t, queue(deliversTwice), "fleet/starting-touches-nothing", "flow/many-runs-at-once") // which count
}

// TestPromise4_QueueMayReorderAndDelayJobs lets jobs wait, the later ones less.
func TestPromise4_QueueMayReorderAndDelayJobs(t *testing.T) {
	var n atomic.Int64
	tolerates(t, queue(editJobs(func(j *adapter.NewJob) {
		if j.RunAt.IsZero() {
			j.RunAt = time.Now().Add(time.Duration(7-n.Add(1)%7) * time.Second)
		}
	})))
}
