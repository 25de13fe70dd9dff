package file

import (
	"context"
	"math"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// Stats returns counts, which are exact. See [adapter.Queue].
func (in *Queue) Stats(ctx context.Context, queues ...string) ([]adapter.QueueStats, error) {
	if err := in.usable(ctx, "stats"); err != nil {
		return nil, err
	}
	var stats []adapter.QueueStats
	err := in.b.db.Read(ctx, func(c *sqlite.Conn) error {
		stats = nil
		if len(queues) == 0 {
			err := c.Query("SELECT name FROM queues ORDER BY name", func(r sqlite.Row) error {
				queues = append(queues, r.Text(0))
				return nil
			})
			if err != nil {
				return err
			}
		}
		for _, queue := range queues {
			s, err := in.stats(c, queue)
			if err != nil {
				return err
			}
			stats = append(stats, s)
		}
		return nil
	})
	if err != nil {
		return nil, fail("stats", err)
	}
	return stats, nil
}

func (in *Queue) stats(c *sqlite.Conn, queue string) (adapter.QueueStats, error) {
	s := adapter.QueueStats{Queue: queue, Counts: map[adapter.JobState]int64{}}
	for _, state := range stateNames {
		s.Counts[state] = 0
	}
	var id int64
	_, err := c.One("SELECT id, paused, waiting, delayed, active, completed, failed FROM queues WHERE name = ?", func(r sqlite.Row) {
		id, s.Paused = r.Int(0), r.Int(1) != 0
		for n, state := range stateNames {
			s.Counts[state] = r.Int(2 + n)
		}
	}, queue)
	if err != nil || id == 0 {
		return s, err
	}
	// What was kept for its time and is not removed yet is not there any more.
	now := sqlite.Micros(in.b.o.Clock.Now())
	for _, state := range []int{completed, failed} {
		over, err := c.Int(inState("SELECT count(*) FROM jobs WHERE queue = ? AND state = %d AND state > 0 AND due <= ?", state), id, now)
		if err != nil {
			return s, err
		}
		s.Counts[stateNames[state]] -= over
	}
	s.OldestWaiting, err = oldestWaiting(c, id)
	return s, err
}

// oldestWaiting looks at who is first in line, of each priority.
func oldestWaiting(c *sqlite.Conn, queue int64) (time.Time, error) {
	oldest, priority := int64(0), int64(math.MaxInt64)
	for {
		found, err := c.One(`SELECT priority, created FROM jobs WHERE queue = ? AND state = 0 AND priority < ?
			ORDER BY priority DESC, place LIMIT 1`, func(r sqlite.Row) {
			priority = r.Int(0)
			if created := r.Int(1); oldest == 0 || created < oldest {
				oldest = created
			}
		}, queue, priority)
		if err != nil || !found {
			return timeOf(oldest), err
		}
	}
}
