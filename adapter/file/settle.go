package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// A receipt names the job's row, and the tick of its delivery.
func formatReceipt(n, receipt int64) string {
	return strconv.FormatInt(n, 36) + "-" + strconv.FormatInt(receipt, 36)
}

func parseReceipt(text string) (n, receipt int64, ok bool) {
	a, b, found := strings.Cut(text, "-")
	n, err1 := strconv.ParseInt(a, 36, 64)
	receipt, err2 := strconv.ParseInt(b, 36, 64)
	return n, receipt, found && err1 == nil && err2 == nil && receipt > 0
}

// Settle ends deliveries, in one transaction. See [adapter.Queue].
func (in *Queue) Settle(ctx context.Context, s ...adapter.Settlement) []error {
	if err := in.usable(ctx, "settle"); err != nil {
		return same(err, len(s))
	}
	return in.settle(ctx, s, false)
}

func same(err error, n int) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// settle ends deliveries. What is only handed back need not be on disk: a crash hands it back as well.
func (in *Queue) settle(ctx context.Context, s []adapter.Settlement, lazy bool) []error {
	if err := checkVerdicts(s); err != nil {
		return same(err, len(s))
	}
	var errs []error
	err := in.b.db.Write(ctx, lazy, func(tx *sqlite.Tx) (err error) {
		errs, err = in.settleAll(tx, s)
		return err
	})
	if err != nil {
		return same(fail("settle", err), len(s))
	}
	return errs
}

func checkVerdicts(s []adapter.Settlement) error {
	for i := range s {
		if s[i].Verdict < adapter.Complete || s[i].Verdict > adapter.Discard {
			return invalid("settle", fmt.Sprintf("verdict %d", s[i].Verdict), "use one of the Verdict constants")
		}
	}
	return nil
}

func (in *Queue) settleAll(tx *sqlite.Tx, s []adapter.Settlement) ([]error, error) {
	errs := make([]error, len(s))
	var ended []int64
	for i := range s {
		n, receipt, ok := parseReceipt(s[i].Receipt)
		if ok {
			var err error
			if ok, err = in.settleOne(tx, &s[i], n, receipt); err != nil {
				return nil, err
			}
		}
		if ok {
			ended = append(ended, receipt)
		} else {
			errs[i] = fail("settle", fmt.Errorf("%w: job %s of queue %q", adapter.ErrLeaseLost, s[i].ID, s[i].Queue))
		}
	}
	// From now on its place is free: what is handed out at the end of this transaction may be for it.
	in.settled(ended)
	return errs, nil
}

// settled frees the places of deliveries. If the transaction fails they are settled again, or run out of their lease.
func (in *Queue) settled(receipts []int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, receipt := range receipts {
		if d := in.held[receipt]; d != nil {
			in.forget(d)
		}
	}
}

// settleOne ends a delivery; false if the receipt is not the current one.
func (in *Queue) settleOne(tx *sqlite.Tx, s *adapter.Settlement, n, receipt int64) (bool, error) {
	row, options, err := in.heldRow(tx, s, n, receipt)
	if err != nil || row == nil {
		return false, err
	}
	w := workOf(tx)
	switch s.Verdict {
	case adapter.Complete:
		return true, in.complete(tx, s, row, options)
	case adapter.Fail:
		row.attempt++
		return true, in.finishFailed(tx, s.Queue, row, options, s.Err)
	case adapter.Discard:
		w.count(row.queue, active, -1)
		return true, removeJob(tx, n, row.extras)
	case adapter.Retry:
		place := tx.Tick() // the end of the line, so that a job that fails at once over and over holds up nobody
		return true, in.back(tx, s.Queue, row, s.Delay.Microseconds(), `UPDATE jobs SET state = ?2, due = ?3, receipt = 0, attempt = attempt + 1,
			error = ?4, place = ?5 WHERE n = ?1`, s.Err, place)
	default:
		return true, in.back(tx, s.Queue, row, s.Delay.Microseconds(), "UPDATE jobs SET state = ?2, due = ?3, receipt = 0 WHERE n = ?1")
	}
}

// heldRow returns what is needed of the job that a receipt is the current one of; nil if there is none.
func (in *Queue) heldRow(tx *sqlite.Tx, s *adapter.Settlement, n, receipt int64) (row *jobRow, o *jobOptions, err error) {
	_, err = tx.One("SELECT queue, id, options, extras, attempt FROM jobs WHERE n = ? AND receipt = ?", func(r sqlite.Row) {
		row = &jobRow{n: n, queue: r.Int(0), id: r.Text(1), options: r.Text(2), extras: r.Int(3), attempt: r.Int(4)}
	}, n, receipt)
	if err != nil || row == nil || row.id != s.ID {
		return nil, nil, err
	}
	if id, err := in.b.knownQueue(tx.Conn, s.Queue); err != nil || id != row.queue {
		return nil, nil, err
	}
	o, err = in.b.options.decode(row.options)
	return row, o, err
}

func (in *Queue) complete(tx *sqlite.Tx, s *adapter.Settlement, row *jobRow, o *jobOptions) error {
	w := workOf(tx)
	in.event(tx, adapter.EventCompleted, s.Queue, row.id, s.Result)
	w.count(row.queue, active, -1)
	age, count := o.keep(completed, &in.b.o)
	if age < 0 || count < 0 {
		return removeJob(tx, row.n, row.extras)
	}
	_, err := tx.Exec("UPDATE jobs SET state = 3, due = ?, receipt = 0, attempt = attempt + 1, result = ?, finished = ? WHERE n = ?",
		tx.Now+age.Microseconds(), s.Result, tx.Now, row.n)
	w.count(row.queue, completed, 1)
	w.full[fullKey{row.queue, completed}] = count
	return err
}

// finishFailed makes an active job failed for good.
func (in *Queue) finishFailed(tx *sqlite.Tx, queue string, row *jobRow, o *jobOptions, text string) error {
	w := workOf(tx)
	encoded, _ := json.Marshal(text) // a string always has a JSON form
	in.event(tx, adapter.EventFailed, queue, row.id, encoded)
	w.count(row.queue, active, -1)
	age, count := o.keep(failed, &in.b.o)
	if age < 0 || count < 0 {
		return removeJob(tx, row.n, row.extras)
	}
	_, err := tx.Exec("UPDATE jobs SET state = 4, due = ?, receipt = 0, attempt = ?, lost = ?, error = ?, finished = ? WHERE n = ?",
		tx.Now+age.Microseconds(), row.attempt, row.lost, text, tx.Now, row.n)
	w.count(row.queue, failed, 1)
	w.full[fullKey{row.queue, failed}] = count
	return err
}

// failJob makes a waiting job failed whose row cannot be read.
func (in *Queue) failJob(tx *sqlite.Tx, queue string, row *jobRow, text string) error {
	w := workOf(tx)
	w.count(row.queue, waiting, -1)
	w.count(row.queue, active, 1)
	return in.finishFailed(tx, queue, row, &jobOptions{}, text)
}

// back returns an active job to the waiting or delayed ones, by a query that gets the row, the new state and when it is due.
func (in *Queue) back(tx *sqlite.Tx, queue string, row *jobRow, delay int64, query string, args ...any) error {
	state, due := waiting, int64(0)
	if delay > 0 {
		state, due = delayed, tx.Now+delay
	}
	workOf(tx).count(row.queue, active, -1)
	if _, err := tx.Exec(query, append([]any{row.n, state, due}, args...)...); err != nil {
		return err
	}
	in.arrived(tx, queue, row.queue, row.id, state, due)
	return nil
}

// Annotate notes progress and log lines of a running job. See [adapter.Annotator].
func (in *Queue) Annotate(ctx context.Context, queue, id, receipt string, progress json.RawMessage, lines ...string) error {
	const op = "annotate"
	if err := in.usable(ctx, op); err != nil {
		return err
	}
	n, number, ok := parseReceipt(receipt)
	if !ok {
		return fail(op, fmt.Errorf("%w: job %s of queue %q", adapter.ErrLeaseLost, id, queue))
	}
	err := in.b.db.Write(ctx, false, func(tx *sqlite.Tx) error {
		row, _, err := in.heldRow(tx, &adapter.Settlement{Queue: queue, ID: id}, n, number)
		if err != nil {
			return err
		}
		if row == nil {
			return fmt.Errorf("%w: job %s of queue %q", adapter.ErrLeaseLost, id, queue)
		}
		return in.annotate(tx, queue, row, progress, lines)
	})
	if err != nil {
		return fail(op, err)
	}
	return nil
}

func (in *Queue) annotate(tx *sqlite.Tx, queue string, row *jobRow, progress json.RawMessage, lines []string) error {
	if progress != nil {
		if _, err := tx.Exec("UPDATE jobs SET progress = ? WHERE n = ?", progress, row.n); err != nil {
			return err
		}
		in.event(tx, adapter.EventProgress, queue, row.id, progress)
	}
	if len(lines) == 0 {
		return nil
	}
	next, err := tx.Int("SELECT coalesce(max(line) + 1, 0) FROM job_log WHERE n = ?", row.n)
	if err != nil {
		return err
	}
	for _, line := range lines {
		if _, err := tx.Exec("INSERT INTO job_log VALUES (?, ?, ?)", row.n, next, line); err != nil {
			return err
		}
		next++
	}
	if _, err := tx.Exec("DELETE FROM job_log WHERE n = ? AND line < ?", row.n, next-int64(in.b.o.JobLogLines)); err != nil {
		return err
	}
	if row.extras&extraLog == 0 {
		_, err = tx.Exec("UPDATE jobs SET extras = extras | 4 WHERE n = ?", row.n)
	}
	return err
}

// JobLog returns log lines of a job. Offsets count from the first line ever; lines beyond Options.JobLogLines are gone, and
// reading goes on with the first that is kept. See [adapter.Annotator].
func (in *Queue) JobLog(ctx context.Context, queue, id string, offset, limit int) (lines []string, total int, err error) {
	const op = "read job log"
	if err := in.usable(ctx, op); err != nil {
		return nil, 0, err
	}
	if offset < 0 || limit < 0 {
		return nil, 0, invalid(op, fmt.Sprintf("offset %d, limit %d", offset, limit), "both must be 0 or more")
	}
	err = in.b.db.Read(ctx, func(c *sqlite.Conn) error {
		rows, err := in.lookup(c, queue, []string{id})
		if err != nil || len(rows) == 0 {
			return err
		}
		count, err := c.Int("SELECT coalesce(max(line) + 1, 0) FROM job_log WHERE n = ?", rows[0].n)
		if err != nil {
			return err
		}
		total = int(count)
		return c.Query("SELECT text FROM job_log WHERE n = ? AND line >= ? ORDER BY line LIMIT ? + 0", func(r sqlite.Row) error {
			lines = append(lines, r.Text(0))
			return nil
		}, rows[0].n, offset, limit)
	})
	if err != nil {
		return nil, 0, fail(op, err)
	}
	return lines, total, nil
}

var errStop = errors.New("enough")
