package file

import (
	"context"
	"fmt"
	"slices"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// actionStates are the states that an action applies to.
var actionStates = map[adapter.JobAction][]adapter.JobState{
	adapter.ActionRetry:   {adapter.JobFailed},
	adapter.ActionRemove:  {adapter.JobWaiting, adapter.JobDelayed, adapter.JobCompleted, adapter.JobFailed},
	adapter.ActionPromote: {adapter.JobDelayed},
	adapter.ActionCancel:  {adapter.JobWaiting, adapter.JobDelayed, adapter.JobActive},
}

// Apply does an action to jobs. The cursor and the limit of a query do not count, those of the selection do. See
// [adapter.Queue].
func (in *Queue) Apply(ctx context.Context, queue string, a adapter.JobAction, sel adapter.Selection) (int, error) {
	if err := in.usable(ctx, "apply"); err != nil {
		return 0, err
	}
	states, ok := actionStates[a]
	if !ok {
		return 0, invalid("apply", fmt.Sprintf("action %q", a), "use one of the JobAction constants")
	}
	if (sel.Query == nil) == (sel.IDs == nil) {
		return 0, invalid("apply", "the selection must have either IDs or a query", "")
	}
	changed := 0
	err := in.b.db.Write(ctx, false, func(tx *sqlite.Tx) error {
		changed = 0
		rows, err := in.selected(tx.Conn, queue, states, sel)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if !slices.Contains(states, stateNames[row.state]) {
				continue
			}
			if err := in.apply(tx, queue, a, row); err != nil {
				return err
			}
			changed++
		}
		return nil
	})
	if err != nil {
		return 0, fail("apply", err)
	}
	return changed, nil
}

func (in *Queue) selected(c *sqlite.Conn, queue string, states []adapter.JobState, sel adapter.Selection) ([]*jobRow, error) {
	if sel.Query == nil {
		ids := slices.Clone(sel.IDs)
		slices.Sort(ids)
		return in.lookup(c, queue, slices.Compact(ids)) // an ID may be named twice
	}
	q := *sel.Query
	if len(q.States) > 0 {
		states = slices.DeleteFunc(slices.Clone(states), func(s adapter.JobState) bool { return !slices.Contains(q.States, s) })
	}
	if len(states) == 0 {
		return nil, nil
	}
	q.States, q.Cursor = states, ""
	limit := sel.Limit
	if limit <= 0 {
		limit = defaultApply
	}
	from, err := jobCursor(&q)
	if err != nil {
		return nil, err
	}
	return in.find(c, queue, &q, from, limit)
}

func (in *Queue) apply(tx *sqlite.Tx, queue string, a adapter.JobAction, row *jobRow) error {
	w := workOf(tx)
	w.count(row.queue, int(row.state), -1)
	switch a {
	case adapter.ActionRetry:
		_, err := tx.Exec("UPDATE jobs SET state = 0, due = 0, attempt = 0, lost = 0, finished = 0, place = ?2 WHERE n = ?1", row.n, tx.Tick())
		if err != nil {
			return err
		}
		in.arrived(tx, queue, row.queue, row.id, waiting, 0)
		return nil
	case adapter.ActionPromote:
		if _, err := tx.Exec("UPDATE jobs SET state = 0, due = 0 WHERE n = ?", row.n); err != nil {
			return err
		}
		in.arrived(tx, queue, row.queue, row.id, waiting, 0)
		return nil
	}
	if row.state == active {
		if _, err := tx.Exec("INSERT OR IGNORE INTO canceled VALUES (?, ?)", row.receipt, tx.Now); err != nil {
			return err
		}
		tx.News()
		tx.After(func() { in.cancel(row.receipt) })
	}
	return removeJob(tx, row.n, row.extras)
}

// cancel ends the context of a delivery, if this process has it.
func (in *Queue) cancel(receipt int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if d := in.held[receipt]; d != nil {
		d.cancel(adapter.ErrCanceled)
	}
}
