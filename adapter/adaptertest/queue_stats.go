package adaptertest

import (
	"context"
	"errors"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
)

func queueStatsChecks() []queueCheck {
	return []queueCheck{
		{Name: "stats/counts-every-state", run: statsCounts},
		{Name: "stats/unknown-queue-is-zero", run: statsUnknown},
		{Name: "stats/all-known-queues", run: statsAll},
	}
}

// stats returns the counts of one queue.
func stats(ctx context.Context, q adapter.Queue, queue string) (adapter.QueueStats, error) {
	all, err := q.Stats(ctx, queue)
	if err != nil {
		return adapter.QueueStats{}, fmt.Errorf("stats: %w", err)
	}
	if len(all) != 1 || all[0].Queue != queue {
		return adapter.QueueStats{}, fmt.Errorf("stats of one queue %s: got %+v", queue, all)
	}
	for _, s := range allStates {
		if _, ok := all[0].Counts[s]; !ok {
			return adapter.QueueStats{}, fmt.Errorf("stats: counts lack the state %s: %v", s, all[0].Counts)
		}
	}
	return all[0], nil
}

func statsCounts(ctx context.Context, e *queueEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	queue := e.name()
	want := map[adapter.JobState]int64{}
	// Waiting ones last, as bringing a job into another state consumes the queue.
	order := []adapter.JobState{adapter.JobCompleted, adapter.JobFailed, adapter.JobActive, adapter.JobDelayed, adapter.JobWaiting}
	for i, s := range order {
		n := i + 1
		if s == adapter.JobActive {
			n = 1 // bringing a second one would take the first's place
		}
		for range n {
			if _, err := bring(ctx, e, a, queue, s); err != nil {
				return err
			}
		}
		want[s] = int64(n)
	}
	var got adapter.QueueStats
	err = e.until(ctx, "counts are right", func() (bool, error) { // they may be estimates that catch up
		got, err = stats(ctx, b, queue)
		for s, n := range want {
			if got.Counts[s] != n {
				return false, err
			}
		}
		return true, err
	})
	if err != nil {
		return fmt.Errorf("%w: got %v, want %v", err, got.Counts, want)
	}
	if got.OldestWaiting.IsZero() || got.Paused {
		return fmt.Errorf("jobs wait: oldest waiting %v, paused %v", got.OldestWaiting, got.Paused)
	}
	return nil
}

func statsUnknown(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	s, err := stats(ctx, q, e.name())
	if err != nil {
		return err
	}
	for state, n := range s.Counts {
		if n != 0 {
			return fmt.Errorf("a queue that nobody has used has %d jobs that are %s", n, state)
		}
	}
	if !s.OldestWaiting.IsZero() || s.Paused {
		return fmt.Errorf("a queue that nobody has used: oldest waiting %v, paused %v", s.OldestWaiting, s.Paused)
	}
	return nil
}

func statsAll(ctx context.Context, e *queueEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	names := []string{e.name(), e.name()}
	if err := enqueue(ctx, a, newJob(names[0]), newJob(names[1])); err != nil {
		return err
	}
	all, err := b.Stats(ctx)
	if err != nil {
		return fmt.Errorf("stats: %w", err)
	}
	found := 0
	for _, s := range all {
		if s.Queue == names[0] || s.Queue == names[1] {
			found++
		}
	}
	if found != 2 {
		return errors.New("stats without names lack a queue that has jobs, or have it twice")
	}
	two, err := a.Stats(ctx, names...)
	if err != nil || len(two) != 2 {
		return fmt.Errorf("stats of two queues: got %d, %w", len(two), errOr(err, "want 2"))
	}
	return nil
}
