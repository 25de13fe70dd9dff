package file

import (
	"context"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// expirePartition sets when a partition vanishes, and when its logs do.
func expirePartition(tx *sqlite.Tx, cat *catalogue, name string, docs, logs int64) error {
	var err error
	if docs == 0 && logs == 0 {
		_, err = tx.Exec("DELETE FROM partitions WHERE name = ?", name)
	} else {
		_, err = tx.Exec("INSERT OR REPLACE INTO partitions VALUES (?, ?, ?)", name, docs, logs)
	}
	if err != nil {
		return err
	}
	from, to := logRange(name)
	for _, col := range cat.list {
		for _, q := range [...]string{
			`UPDATE docs SET gone = CASE WHEN ?2 = 0 OR expires > 0 AND expires < ?2 THEN expires ELSE ?2 END
				WHERE collection = ?1 AND id = ?3`,
			`UPDATE docs SET gone = CASE WHEN ?2 = 0 OR expires > 0 AND expires < ?2 THEN expires ELSE ?2 END
				WHERE collection = ?1 AND id >= ?3 AND id < ?4`,
		} {
			args := []any{col.id, docs, name}
			if q[len(q)-1] == '4' {
				args = []any{col.id, docs, from, to}
			}
			if _, err := tx.Exec(q, args...); err != nil {
				return err
			}
		}
	}
	return nil
}

// emptyPartition removes up to limit documents and logs of a partition, and the partition with the last of them; a negative
// limit is none. It returns how many it removed.
func emptyPartition(tx *sqlite.Tx, cat *catalogue, name string, limit int) (removed int, err error) {
	from, to := logRange(name)
	for _, col := range cat.list {
		n, err := removeDocs(tx, col, `SELECT id, body FROM docs WHERE collection = ?1 AND id = ?2 AND ?5 <> 0 UNION ALL
			SELECT id, body FROM docs WHERE collection = ?1 AND id >= ?3 AND id < ?4 LIMIT ?5 + 0`, col.id, name, from, to, left(limit, removed))
		if err != nil {
			return removed, err
		}
		removed += n
	}
	type found struct {
		subject string
		id      int64
	}
	var logs []found
	err = tx.Query("SELECT subject, id FROM logs WHERE subject = ?1 OR subject >= ?2 AND subject < ?3 LIMIT ?4 + 0", func(r sqlite.Row) error {
		logs = append(logs, found{r.Text(0), r.Int(1)})
		return nil
	}, name, from, to, left(limit, removed))
	if err != nil {
		return removed, err
	}
	for _, l := range logs {
		if err := trimLog(tx, l.id); err != nil {
			return removed, err
		}
		if _, err := tx.Exec("DELETE FROM logs WHERE subject = ?", l.subject); err != nil {
			return removed, err
		}
		removed++
	}
	if limit < 0 || removed < limit {
		_, err = tx.Exec("DELETE FROM partitions WHERE name = ?", name)
	}
	return removed, err
}

func left(limit, used int) int {
	if limit < 0 {
		return limit
	}
	return limit - used
}

// removeDocs removes the documents that a query finds, of one collection, and returns how many.
func removeDocs(tx *sqlite.Tx, col *collection, query string, args ...any) (int, error) {
	var ids []string
	var keys [][]byte
	err := tx.Query(query, func(r sqlite.Row) error {
		k, err := col.keys(r.Text(0), r.JSON(1))
		ids, keys = append(ids, r.Text(0)), append(keys, k...)
		return err
	}, args...)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if _, err := tx.Exec("DELETE FROM docs WHERE collection = ? AND id = ?", col.id, id); err != nil {
			return 0, err
		}
	}
	for _, key := range keys {
		if _, err := tx.Exec("DELETE FROM postings WHERE key = ?", key); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// trimPartition removes the records of the logs of a partition, and returns how many logs there were.
func trimPartition(tx *sqlite.Tx, name string, docsGone int64) (int, error) {
	from, to := logRange(name)
	var ids []int64
	err := tx.Query("SELECT id FROM logs WHERE subject = ?1 OR subject >= ?2 AND subject < ?3", func(r sqlite.Row) error {
		ids = append(ids, r.Int(0))
		return nil
	}, name, from, to)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if err := trimLog(tx, id); err != nil {
			return 0, err
		}
	}
	_, err = tx.Exec("UPDATE logs SET first = last + 1 WHERE subject = ?1 OR subject >= ?2 AND subject < ?3", name, from, to)
	if err != nil {
		return 0, err
	}
	if docsGone == 0 {
		_, err = tx.Exec("DELETE FROM partitions WHERE name = ?", name)
	} else {
		_, err = tx.Exec("UPDATE partitions SET logs_gone = 0 WHERE name = ?", name)
	}
	return len(ids), err
}

// Purge removes what has expired. See [adapter.Store].
func (s *Store) Purge(ctx context.Context, limit int) (int, error) {
	if err := s.usable(ctx, "purge"); err != nil {
		return 0, err
	}
	if limit <= 0 {
		return 0, invalid("purge", fmt.Sprintf("limit %d", limit), "it must be above 0")
	}
	found := false
	err := s.b.db.Read(ctx, func(c *sqlite.Conn) error { // most of the time there is nothing to do
		now := s.now()
		n, err := c.Int(`SELECT EXISTS (SELECT 1 FROM docs WHERE gone > 0 AND gone <= ?1) OR EXISTS (SELECT 1 FROM keys WHERE gone > 0 AND gone <= ?1)
			OR EXISTS (SELECT 1 FROM partitions WHERE docs_gone > 0 AND docs_gone <= ?1)
			OR EXISTS (SELECT 1 FROM partitions WHERE logs_gone > 0 AND logs_gone <= ?1)`, now)
		found = n != 0
		return err
	})
	removed := 0
	if err == nil && found {
		err = s.b.db.Write(ctx, true, func(tx *sqlite.Tx) (err error) {
			removed, err = s.purge(tx, limit)
			return err
		})
	}
	if err != nil {
		return 0, fail("purge", err)
	}
	return removed, nil
}

func (s *Store) purge(tx *sqlite.Tx, limit int) (removed int, err error) {
	cat, err := s.current(tx.Conn)
	if err != nil {
		return 0, err
	}
	for _, step := range []func() (int, error){
		func() (int, error) { return purgePartitions(tx, cat, limit) },
		func() (int, error) { return purgeDocs(tx, cat, limit-removed) },
		func() (int, error) {
			n, err := tx.Exec("DELETE FROM keys WHERE key IN (SELECT key FROM keys WHERE gone > 0 AND gone <= ? LIMIT ? + 0)", tx.Now, limit-removed)
			return int(n), err
		},
	} {
		if removed >= limit {
			break
		}
		n, err := step()
		if err != nil {
			return removed, err
		}
		removed += n
	}
	return removed, nil
}

func purgePartitions(tx *sqlite.Tx, cat *catalogue, limit int) (removed int, err error) {
	for _, column := range []string{"docs_gone", "logs_gone"} {
		var names []string
		var docsGone []int64
		err := tx.Query("SELECT name, docs_gone FROM partitions WHERE "+column+" > 0 AND "+column+" <= ? LIMIT ? + 0", func(r sqlite.Row) error {
			names, docsGone = append(names, r.Text(0)), append(docsGone, r.Int(1))
			return nil
		}, tx.Now, limit)
		if err != nil {
			return removed, err
		}
		for i, name := range names {
			if removed >= limit {
				return removed, nil
			}
			n := 0
			if column == "docs_gone" {
				n, err = emptyPartition(tx, cat, name, limit-removed)
			} else {
				n, err = trimPartition(tx, name, docsGone[i])
			}
			if err != nil {
				return removed, err
			}
			removed += n
		}
	}
	return min(removed, limit), nil
}

func purgeDocs(tx *sqlite.Tx, cat *catalogue, limit int) (removed int, err error) {
	type found struct {
		collection int64
		id         string
	}
	var list []found
	err = tx.Query("SELECT collection, id FROM docs WHERE gone > 0 AND gone <= ? LIMIT ? + 0", func(r sqlite.Row) error {
		list = append(list, found{r.Int(0), r.Text(1)})
		return nil
	}, tx.Now, limit)
	if err != nil {
		return 0, err
	}
	byID := map[int64]*collection{}
	for _, col := range cat.list {
		byID[col.id] = col
	}
	for _, f := range list {
		n, err := removeDocs(tx, byID[f.collection], "SELECT id, body FROM docs WHERE collection = ? AND id = ?", f.collection, f.id)
		if err != nil {
			return removed, err
		}
		removed += n
	}
	return removed, nil
}

var _ adapter.Store = (*Store)(nil)
