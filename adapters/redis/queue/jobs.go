package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// lookupBatch is how many jobs one call reads.
const lookupBatch = 200

// Lookup returns the jobs with these IDs. See [adapter.Queue].
func (q *Queue) Lookup(ctx context.Context, queue string, ids ...string) ([]adapter.Job, error) {
	const op = "lookup"
	base, err := q.base(op, queue)
	if err != nil {
		return nil, err
	}
	return q.read(ctx, op, queue, base, ids)
}

func (q *Queue) read(ctx context.Context, op, queue, base string, ids []string) ([]adapter.Job, error) {
	if len(ids) == 0 && !q.closed() && ctx.Err() == nil {
		return nil, nil
	}
	var jobs []adapter.Job
	for first := true; first || len(ids) > 0; first = false {
		n := min(len(ids), lookupBatch)
		reply, err := q.run(ctx, op, lookupScript, base, ids[:n]...)
		if err != nil {
			return nil, err
		}
		ids = ids[n:]
		parts, err := reply.ToArray()
		if err != nil || len(parts) == 0 {
			return nil, conn.Error(ctx, op, errors.Join(errors.New("malformed reply"), err))
		}
		now := number(parts[0])
		for _, p := range parts[1:] {
			f, err := p.ToArray()
			if err != nil || len(f) != 4 {
				return nil, conn.Error(ctx, op, errors.Join(errors.New("malformed reply"), err))
			}
			h, err := f[3].AsStrMap()
			if err != nil {
				return nil, conn.Error(ctx, op, err)
			}
			if j, ok := q.found(h, queue, text(f[0]), text(f[1]), text(f[2]), now); ok {
				jobs = append(jobs, j)
			}
		}
	}
	return jobs, nil
}

// found translates what lookup.lua says of a job. A job that was kept long enough is not there, even if it was not removed yet.
func (q *Queue) found(h hash, queue, id, state, dueAt string, now int64) (adapter.Job, bool) {
	j, o := h.job(queue, id)
	j.State, j.RawState = states[state], state
	if at, err := strconv.ParseInt(dueAt, 10, 64); err == nil {
		j.RunAt = time.UnixMilli(at)
	}
	var keep rule
	switch j.State {
	case adapter.JobCompleted:
		j.Error = ""
		keep = keepRule(o.RemoveOnComplete, q.o.KeepCompleted, q.o.KeepCompletedCount)
	case adapter.JobFailed:
		keep = keepRule(o.RemoveOnFail, q.o.KeepFailed, q.o.KeepFailedCount)
	default:
		return j, true
	}
	return j, keep.age < 0 || j.FinishedAt.UnixMilli()+keep.age > now
}

// Apply does an action to jobs. See [adapter.Queue].
func (q *Queue) Apply(ctx context.Context, queue string, a adapter.JobAction, sel adapter.Selection) (int, error) {
	op := string(a)
	base, err := q.base(op, queue)
	if err != nil {
		return 0, err
	}
	switch a {
	case adapter.ActionRetry, adapter.ActionRemove, adapter.ActionPromote, adapter.ActionCancel:
	default:
		return 0, conn.Invalid("apply", fmt.Sprintf("action %q", a), "use one of the Action constants")
	}
	if (sel.Query == nil) == (sel.IDs == nil) {
		return 0, conn.Invalid(op, "a selection has IDs or a query", "")
	}
	ids := sel.IDs
	if sel.Query != nil {
		if ids, err = q.selected(ctx, queue, a, sel); err != nil {
			return 0, err
		}
		if len(ids) == 0 {
			return 0, nil
		}
	}
	changed := 0
	for first := true; first || len(ids) > 0; first = false {
		n := min(len(ids), lookupBatch)
		reply, err := q.run(ctx, op, applyScript, base, append([]string{string(a)}, ids[:n]...)...)
		if err != nil {
			return changed, err
		}
		ids = ids[n:]
		changed += int(number(reply))
	}
	return changed, nil
}

// applies are the states that an action applies to.
var applies = map[adapter.JobAction][]adapter.JobState{
	adapter.ActionRetry:   {adapter.JobFailed},
	adapter.ActionRemove:  {adapter.JobWaiting, adapter.JobDelayed, adapter.JobCompleted, adapter.JobFailed},
	adapter.ActionPromote: {adapter.JobDelayed},
	adapter.ActionCancel:  {adapter.JobWaiting, adapter.JobDelayed, adapter.JobActive},
}

// SetPaused pauses or resumes a queue, for consumers in Node as well. See [adapter.Queue].
func (q *Queue) SetPaused(ctx context.Context, queue string, paused bool) error {
	const op = "set paused"
	base, err := q.base(op, queue)
	if err != nil {
		return err
	}
	flag := "0"
	if paused {
		flag = "1"
	}
	if _, err := q.run(ctx, op, pauseScript, base, flag); err != nil {
		return err
	}
	return q.remember(ctx, queue)
}

// Annotate notes progress and log lines of a running job. See [adapter.Annotator].
func (q *Queue) Annotate(ctx context.Context, queue, id, receipt string, progress json.RawMessage, lines ...string) error {
	const op = "annotate"
	base, err := q.base(op, queue)
	if err != nil {
		return err
	}
	args := append([]string{id, receipt, string(progress), strconv.Itoa(q.o.JobLogLines)}, lines...)
	reply, err := q.run(ctx, op, annotateScript, base, args...)
	if err != nil {
		return err
	}
	if number(reply) == 0 {
		return &adapter.Error{Op: op, Adapter: conn.Name, Err: fmt.Errorf("%w: job %s of queue %q", adapter.ErrLeaseLost, id, queue)}
	}
	return nil
}

// JobLog returns log lines of a job, of the Options.JobLogLines latest. See [adapter.Annotator].
func (q *Queue) JobLog(ctx context.Context, queue, id string, offset, limit int) (lines []string, total int, err error) {
	const op = "read job log"
	base, err := q.base(op, queue)
	switch {
	case err != nil:
		return nil, 0, err
	case q.closed():
		return nil, 0, conn.Closed(op)
	case ctx.Err() != nil:
		return nil, 0, conn.Error(ctx, op, ctx.Err())
	case offset < 0 || limit < 0:
		return nil, 0, conn.Invalid(op, fmt.Sprintf("offset %d, limit %d", offset, limit), "both must be 0 or more")
	}
	key := base + id + ":logs"
	size, err := q.client.Do(ctx, q.client.B().Llen().Key(key).Build()).AsInt64()
	if err != nil {
		return nil, 0, conn.Error(ctx, op, err)
	}
	if limit > 0 {
		lines, err = q.client.Do(ctx, q.client.B().Lrange().Key(key).Start(int64(offset)).Stop(int64(offset+limit-1)).Build()).AsStrSlice()
		if err != nil {
			return nil, 0, conn.Error(ctx, op, err)
		}
	}
	return lines, int(size), nil
}
