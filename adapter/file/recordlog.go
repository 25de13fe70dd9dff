package file

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

const defaultRead = 1000

// logRow is a log as it is stored.
type logRow struct {
	there           bool
	id, first, last int64
	dropped         bool
}

func readLog(c *sqlite.Conn, subject string) (l logRow, err error) {
	l.there, err = c.One("SELECT id, first, last, dropped FROM logs WHERE subject = ?", func(r sqlite.Row) {
		l.id, l.first, l.last, l.dropped = r.Int(0), r.Int(1), r.Int(2), r.Int(3) != 0
	}, subject)
	return l, err
}

// appendRecords adds records to a log and returns the seq of the first one.
func appendRecords(tx *sqlite.Tx, subject string, records []adapter.Record) (uint64, error) {
	l, err := readLog(tx.Conn, subject)
	if err != nil {
		return 0, err
	}
	first := uint64(l.last) + 1
	if len(records) == 0 {
		return first, nil
	}
	last := l.last + int64(len(records))
	if l.there {
		_, err = tx.Exec("UPDATE logs SET last = ?, dropped = 0 WHERE subject = ?", last, subject)
	} else {
		l.id = tx.Tick()
		_, err = tx.Exec("INSERT INTO logs VALUES (?, ?, 1, ?, 0)", subject, l.id, last)
	}
	if err != nil {
		return 0, err
	}
	for i := range records {
		if err := insertRecord(tx, l.id, l.last+1+int64(i), &records[i]); err != nil {
			return 0, err
		}
	}
	return first, nil
}

func insertRecord(tx *sqlite.Tx, log, seq int64, r *adapter.Record) error {
	var causes json.RawMessage
	if len(r.Causes) > 0 {
		var err error
		if causes, err = json.Marshal(r.Causes); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`INSERT INTO records (log, seq, at, type, flow, step, epoch, scope, iteration, attempt, key, causes, data, sum)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, log, seq, tx.Now, r.Type, r.Flow, r.Step, r.Epoch, r.Scope, r.Iteration,
		r.Attempt, r.Key, causes, r.Data, recordSum(log, seq, tx.Now, causes, r))
	return err
}

func recordSum(log, seq, at int64, causes json.RawMessage, r *adapter.Record) int64 {
	var s sum
	for _, n := range [...]int64{log, seq, at, int64(r.Epoch), int64(r.Iteration), int64(r.Attempt)} {
		s.number(n)
	}
	for _, text := range [...]string{r.Type, r.Flow, r.Step, r.Scope, r.Key} {
		sumText(&s, text)
	}
	sumText(&s, causes)
	sumText(&s, r.Data)
	return s.value()
}

const recordColumns = "seq, at, type, flow, step, epoch, scope, iteration, attempt, key, causes, data, sum"

func scanRecord(subject string, log int64, row sqlite.Row) (r adapter.Record, err error) {
	r = adapter.Record{
		Seq: uint64(row.Int(0)), At: timeOf(row.Int(1)), Type: row.Text(2), Flow: row.Text(3), Step: row.Text(4), Epoch: int(row.Int(5)),
		Scope: row.Text(6), Iteration: int(row.Int(7)), Attempt: int(row.Int(8)), Key: row.Text(9), Data: row.JSON(11),
	}
	causes := row.JSON(10)
	if recordSum(log, row.Int(0), row.Int(1), causes, &r) != row.Int(12) {
		return r, damaged("record %d of log %s", r.Seq, subject)
	}
	if causes != nil {
		err = json.Unmarshal(causes, &r.Causes)
	}
	return r, err
}

// trimLog removes the records of a log.
func trimLog(tx *sqlite.Tx, id int64) error {
	_, err := tx.Exec("DELETE FROM records WHERE log = ?", id)
	return err
}

func dropLog(tx *sqlite.Tx, subject string) error {
	l, err := readLog(tx.Conn, subject)
	if err != nil || !l.there {
		return err
	}
	if err := trimLog(tx, l.id); err != nil {
		return err
	}
	_, err = tx.Exec("UPDATE logs SET first = last + 1, dropped = 1 WHERE subject = ?", subject)
	return err
}

// Read returns records of a log. See [adapter.Store].
func (s *Store) Read(ctx context.Context, subject string, r adapter.Range) ([]adapter.Record, error) {
	if err := s.usable(ctx, "read"); err != nil {
		return nil, err
	}
	var records []adapter.Record
	err := s.b.db.Read(ctx, func(c *sqlite.Conn) error {
		l, err := readLog(c, subject)
		if err != nil || !l.there || l.dropped {
			return err
		}
		p, err := readPartition(c, adapter.Partition(subject))
		if err != nil || due(p.docsGone, s.now()) {
			return err
		}
		if due(p.logsGone, s.now()) {
			l.first = l.last + 1
		}
		records, err = readRecords(c, subject, &l, &r)
		return err
	})
	if err != nil {
		return nil, fail("read", err)
	}
	return records, nil
}

func readRecords(c *sqlite.Conn, subject string, l *logRow, r *adapter.Range) (records []adapter.Record, err error) {
	trimmed := &adapter.Trimmed{Subject: subject, First: uint64(l.first)}
	scan := func(row sqlite.Row) error {
		record, err := scanRecord(subject, l.id, row)
		records = append(records, record)
		return err
	}
	if r.Seqs != nil {
		for _, seq := range r.Seqs {
			if seq < uint64(l.first) {
				return nil, trimmed
			}
			if err := c.Query("SELECT "+recordColumns+" FROM records WHERE log = ? AND seq = ?", scan, l.id, int64(seq)); err != nil {
				return nil, err
			}
		}
		return records, nil
	}
	limit := r.Limit
	if limit <= 0 {
		limit = defaultRead
	}
	args, where := []any{l.id}, "log = ? AND seq > ?"
	order := ""
	if r.Backward {
		before := uint64(l.last) + 1
		if r.After > 0 {
			before = min(before, r.After)
		}
		if before <= uint64(l.first) && l.first > 1 && before > 1 {
			return nil, trimmed
		}
		args, where, order = append(args, int64(before)), "log = ? AND seq < ?", " DESC"
	} else {
		if r.After < uint64(l.first)-1 {
			return nil, trimmed
		}
		args = append(args, int64(min(r.After, uint64(l.last))))
	}
	if len(r.Types) > 0 {
		types, err := json.Marshal(slices.Compact(slices.Sorted(slices.Values(r.Types))))
		if err != nil {
			return nil, err
		}
		where += " AND type IN (SELECT value FROM json_each(?))"
		args = append(args, string(types))
	}
	query := fmt.Sprintf("SELECT %s FROM records WHERE %s ORDER BY seq%s LIMIT ? + 0", recordColumns, where, order)
	return records, orDone(&records, c.Query(query, scan, append(args, limit)...))
}

// orDone empties the records if there is an error.
func orDone(records *[]adapter.Record, err error) error {
	if err != nil {
		*records = nil
	}
	return err
}

// logRange are the bounds of the subjects, and document IDs, that lie below a partition: from the first to before the second.
func logRange(partition string) (string, string) { return partition + "/", partition + "0" } // '0' follows '/'
