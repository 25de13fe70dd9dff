package queue

import (
	"context"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// Stats returns the counts of queues; without names, of those that instances of this adapter have used. See [adapter.Queue].
func (q *Queue) Stats(ctx context.Context, queues ...string) ([]adapter.QueueStats, error) {
	const op = "stats"
	if q.closed() {
		return nil, conn.Closed(op)
	}
	if ctx.Err() != nil {
		return nil, conn.Error(ctx, op, ctx.Err())
	}
	if len(queues) == 0 {
		var err error
		if queues, err = q.client.Do(ctx, q.client.B().Smembers().Key(q.queuesKey()).Build()).AsStrSlice(); err != nil {
			return nil, conn.Error(ctx, op, err)
		}
		slices.Sort(queues)
	}
	stats := make([]adapter.QueueStats, len(queues))
	const perQueue = 10
	var cmds []rueidis.Completed
	for _, queue := range queues {
		base, err := q.base(op, queue)
		if err != nil {
			return nil, err
		}
		b := q.client.B()
		cmds = append(cmds,
			b.Hget().Key(base+"meta").Field("paused").Build(),
			b.Llen().Key(base+"wait").Build(), b.Llen().Key(base+"paused").Build(), b.Zcard().Key(base+"prioritized").Build(),
			b.Zcard().Key(base+"waiting-children").Build(), b.Zcard().Key(base+"delayed").Build(), b.Llen().Key(base+"active").Build(),
			b.Zcard().Key(base+"completed").Build(), b.Zcard().Key(base+"failed").Build(),
			b.Lindex().Key(base+"wait").Index(-1).Build())
	}
	replies := q.client.DoMulti(ctx, cmds...)
	for i, queue := range queues {
		r := replies[i*perQueue : (i+1)*perQueue]
		var n [perQueue]int64
		for k := 1; k < perQueue-1; k++ {
			var err error
			if n[k], err = r[k].AsInt64(); err != nil {
				return nil, conn.Error(ctx, op, err)
			}
		}
		stats[i] = adapter.QueueStats{Queue: queue, Counts: map[adapter.JobState]int64{
			adapter.JobWaiting: n[1] + n[2] + n[3] + n[4], adapter.JobDelayed: n[5], adapter.JobActive: n[6],
			adapter.JobCompleted: n[7], adapter.JobFailed: n[8]}}
		switch err := r[0].Error(); {
		case err == nil:
			stats[i].Paused = true
		case !rueidis.IsRedisNil(err):
			return nil, conn.Error(ctx, op, err)
		}
		var err error
		if stats[i].OldestWaiting, err = q.oldest(ctx, queue, r[perQueue-1], n[2] > 0, n[3] > 0); err != nil {
			return nil, err
		}
	}
	return stats, nil
}

// oldest returns when the job that waits at the end of the line was created; tail is the end of the list "wait".
func (q *Queue) oldest(ctx context.Context, queue string, tail rueidis.RedisResult, paused, prioritized bool) (time.Time, error) {
	const op = "stats"
	base, err := q.base(op, queue)
	if err != nil {
		return time.Time{}, err
	}
	var ids []string
	if id, err := tail.ToString(); err == nil {
		ids = append(ids, id)
	} else if !rueidis.IsRedisNil(err) {
		return time.Time{}, conn.Error(ctx, op, err)
	}
	if paused {
		id, err := q.client.Do(ctx, q.client.B().Lindex().Key(base+"paused").Index(-1).Build()).ToString()
		if err != nil && !rueidis.IsRedisNil(err) {
			return time.Time{}, conn.Error(ctx, op, err)
		}
		ids = append(ids, id)
	}
	if prioritized { // each priority has its own line; the oldest of a hundred is near enough
		more, err := q.client.Do(ctx, q.client.B().Zrange().Key(base+"prioritized").Min("0").Max("99").Build()).AsStrSlice()
		if err != nil {
			return time.Time{}, conn.Error(ctx, op, err)
		}
		ids = append(ids, more...)
	}
	var oldest time.Time
	for _, id := range ids {
		stamp, err := q.client.Do(ctx, q.client.B().Hget().Key(base+id).Field("timestamp").Build()).ToString()
		if err != nil && !rueidis.IsRedisNil(err) {
			return time.Time{}, conn.Error(ctx, op, err)
		}
		if at := (hash{"t": stamp}).time("t"); !at.IsZero() && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	return oldest, nil
}
