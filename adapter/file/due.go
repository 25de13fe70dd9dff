package file

import (
	"context"
	"fmt"

	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

func (in *Queue) isDead() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.dead
}

// news looks whether there are jobs for the consumers of this process, and whether deliveries of it were cancelled.
func (in *Queue) news(ctx context.Context) error {
	var hungry []*localQueue
	in.mu.Lock()
	for _, q := range in.queues {
		want := 0
		for _, c := range q.consumers {
			want += c.demand()
		}
		if want > 0 {
			hungry = append(hungry, q)
		} else if len(q.consumers) > 0 {
			q.hot = true // when there are places again
		}
	}
	held := len(in.held)
	in.mu.Unlock()
	if len(hungry)+held == 0 {
		return nil
	}
	found := false
	err := in.b.db.Read(ctx, func(c *sqlite.Conn) error {
		for _, q := range hungry {
			waits, err := c.Int("SELECT waiting FROM queues WHERE name = ? AND paused = 0", q.name)
			if err != nil {
				return err
			}
			if waits > 0 {
				found = true
				in.mu.Lock()
				q.hot = true
				in.mu.Unlock()
			}
		}
		if held == 0 {
			return nil
		}
		return c.Query("SELECT receipt FROM canceled", func(r sqlite.Row) error {
			in.cancel(r.Int(0))
			return nil
		})
	})
	if found {
		in.b.db.Kick()
	}
	return err
}

// maxDue is how many jobs of a queue and state a transaction brings at most.
const maxDue = 500

// canceledFor is how long it is remembered that a delivery was cancelled, in microseconds.
const canceledFor = 60 * 60 * 1_000_000

// bringDue does what is due in all queues, and reports whether some is left.
func (in *Queue) bringDue(tx *sqlite.Tx) (more bool, err error) {
	type known struct {
		id   int64
		name string
	}
	var queues []known
	err = tx.Query("SELECT id, name FROM queues WHERE delayed + active + completed + failed > 0", func(r sqlite.Row) error {
		queues = append(queues, known{r.Int(0), r.Text(1)})
		return nil
	})
	if err != nil {
		return false, err
	}
	for _, q := range queues {
		for _, state := range []int{delayed, active} {
			var rows []*jobRow
			err := tx.Query(inState("SELECT "+jobColumns+` FROM jobs j WHERE j.queue = ? AND j.state = %d AND j.state > 0 AND j.due <= ?
				ORDER BY j.due LIMIT ? + 0`, state), func(r sqlite.Row) error {
				rows = append(rows, scanJob(r))
				return nil
			}, q.id, tx.Now, maxDue)
			if err != nil {
				return false, err
			}
			more = more || len(rows) == maxDue
			for _, row := range rows {
				if err := in.bring(tx, q.name, row); err != nil {
					return false, err
				}
			}
		}
		for _, state := range []int{completed, failed} {
			err := removeFinished(tx,
				inState("SELECT n, extras FROM jobs WHERE queue = ? AND state = %d AND state > 0 AND due <= ? ORDER BY due LIMIT ? + 0", state),
				fullKey{q.id, state}, q.id, tx.Now, maxDue)
			if err != nil {
				return false, err
			}
		}
	}
	_, err = tx.Exec("DELETE FROM canceled WHERE at < ?", tx.Now-canceledFor)
	return more, err
}

// bring moves a job that is due to the waiting ones, or fails it.
func (in *Queue) bring(tx *sqlite.Tx, queue string, row *jobRow) error {
	w := workOf(tx)
	if row.state == delayed {
		w.count(row.queue, delayed, -1)
		if _, err := tx.Exec("UPDATE jobs SET state = 0, due = 0 WHERE n = ?", row.n); err != nil {
			return err
		}
		in.arrived(tx, queue, row.queue, row.id, waiting, 0)
		return nil
	}
	o, err := in.b.options.decode(row.options)
	if err != nil {
		o = &jobOptions{}
	}
	tx.After(func() { in.lose(row.receipt) })
	row.lost++
	if row.lost > int64(o.Redeliver) {
		return in.finishFailed(tx, queue, row, o, fmt.Sprintf(
			"lease lost %d times (redeliver is %d), last by consumer %q: it stopped without settling the job", row.lost, o.Redeliver, row.consumer))
	}
	return in.back(tx, queue, row, 0, "UPDATE jobs SET state = ?2, due = ?3, receipt = 0, lost = lost + 1 WHERE n = ?1")
}
