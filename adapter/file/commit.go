package file

import (
	"bytes"
	"context"
	"slices"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// Commit applies a batch. See [adapter.Store].
func (s *Store) Commit(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
	if err := s.usable(ctx, "commit"); err != nil {
		return adapter.Committed{}, err
	}
	if err := checkBatch(&b); err != nil {
		return adapter.Committed{}, fail("commit", err)
	}
	var done adapter.Committed
	err := s.b.db.Write(ctx, false, func(tx *sqlite.Tx) (err error) {
		done, err = s.apply(tx, &b)
		return err
	})
	if err != nil {
		return adapter.Committed{}, fail("commit", err)
	}
	return done, nil
}

// commit is a batch on its way.
type commit struct {
	tx    *sqlite.Tx
	cat   *catalogue
	batch *adapter.Batch
	part  partitionRow
	olds  map[docID]*docRow // what Puts and Deletes replace
}

type docID struct {
	collection *collection
	id         string
}

type partitionRow struct {
	there              bool
	docsGone, logsGone int64
}

func readPartition(c *sqlite.Conn, name string) (p partitionRow, err error) {
	p.there, err = c.One("SELECT docs_gone, logs_gone FROM partitions WHERE name = ?", func(r sqlite.Row) {
		p.docsGone, p.logsGone = r.Int(0), r.Int(1)
	}, name)
	return p, err
}

func due(at, now int64) bool { return at > 0 && at <= now }

// apply checks everything first, and writes only then.
func (s *Store) apply(tx *sqlite.Tx, b *adapter.Batch) (done adapter.Committed, err error) {
	c := &commit{tx: tx, batch: b, olds: map[docID]*docRow{}}
	if c.cat, err = s.current(tx.Conn); err != nil {
		return done, err
	}
	if c.part, err = readPartition(tx.Conn, b.Partition); err != nil {
		return done, err
	}
	if err := c.expect(); err != nil {
		return done, err
	}
	keys := make([][][]byte, len(b.Puts))
	for i := range b.Puts {
		if keys[i], err = c.cat.collections[b.Puts[i].Collection].keys(b.Puts[i].ID, b.Puts[i].Body); err != nil {
			return done, err
		}
	}
	if err := c.clear(); err != nil {
		return done, err
	}
	done.Now = timeOf(tx.Now)
	for i := range b.Puts {
		v, err := c.put(&b.Puts[i], keys[i])
		if err != nil {
			return done, err
		}
		done.Versions = append(done.Versions, v)
	}
	for i := range b.Deletes {
		if err := c.delete(&b.Deletes[i]); err != nil {
			return done, err
		}
	}
	for i := range b.Appends {
		first, err := appendRecords(tx, b.Appends[i].Subject, b.Appends[i].Records)
		if err != nil {
			return done, err
		}
		done.FirstSeq = append(done.FirstSeq, first)
	}
	for _, subject := range b.Drops {
		if err := dropLog(tx, subject); err != nil {
			return done, err
		}
	}
	if b.Expire != nil {
		err = expirePartition(tx, c.cat, b.Partition, sqlite.Micros(b.Expire.Docs), sqlite.Micros(b.Expire.Logs))
	}
	return done, err
}

// expect returns an error unless all expectations of the batch hold.
func (c *commit) expect() error {
	var conflict *adapter.Conflict
	for k, docs := range [...][]adapter.Doc{c.batch.Checks, c.batch.Puts, c.batch.Deletes} {
		for i := range docs {
			d := &docs[i]
			col := c.cat.collections[d.Collection]
			if col == nil {
				return undeclared(d.Collection)
			}
			var row docRow
			found, err := c.tx.One("SELECT "+docColumns+" FROM docs d WHERE d.collection = ? AND d.id = ?",
				func(r sqlite.Row) { row = scanDoc(r, 0) }, col.id, d.ID)
			if err != nil {
				return err
			}
			if found && k > 0 {
				c.olds[docID{col, d.ID}] = &row
			}
			if d.Version == adapter.AnyVersion {
				continue
			}
			current := adapter.Doc{Collection: d.Collection, ID: d.ID, Version: adapter.Absent}
			if found && row.visible(c.tx.Now) && !due(c.part.docsGone, c.tx.Now) {
				if current, err = row.doc(col, d.ID); err != nil {
					return err
				}
			}
			if current.Version != d.Version {
				if conflict == nil {
					conflict = &adapter.Conflict{}
				}
				conflict.Current = append(conflict.Current, current)
			}
		}
	}
	if conflict != nil {
		return conflict
	}
	return nil
}

// clear removes what of the partition has expired.
func (c *commit) clear() error {
	switch {
	case due(c.part.docsGone, c.tx.Now):
		clear(c.olds)
		c.part = partitionRow{}
		_, err := emptyPartition(c.tx, c.cat, c.batch.Partition, -1)
		return err
	case due(c.part.logsGone, c.tx.Now):
		_, err := trimPartition(c.tx, c.batch.Partition, c.part.docsGone)
		return err
	}
	return nil
}

// put writes a document and returns its new version.
func (c *commit) put(d *adapter.Doc, keys [][]byte) (adapter.Version, error) {
	col := c.cat.collections[d.Collection]
	row := docRow{version: c.tx.Tick(), expires: sqlite.Micros(d.ExpireAt), body: d.Body}
	row.gone = earlier(row.expires, c.part.docsGone)
	row.sum = row.checksum(col.id, d.ID)
	_, err := c.tx.Exec(`INSERT INTO docs (collection, id, version, body, expires, gone, sum) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (collection, id) DO UPDATE SET version = excluded.version, body = excluded.body, expires = excluded.expires,
		gone = excluded.gone, sum = excluded.sum`, col.id, d.ID, row.version, d.Body, row.expires, row.gone, row.sum)
	if err != nil {
		return 0, err
	}
	err = c.repost(col, d.ID, keys)
	c.olds[docID{col, d.ID}] = &row
	return adapter.Version(row.version), err
}

func (c *commit) delete(d *adapter.Doc) error {
	col := c.cat.collections[d.Collection]
	if _, err := c.tx.Exec("DELETE FROM docs WHERE collection = ? AND id = ?", col.id, d.ID); err != nil {
		return err
	}
	err := c.repost(col, d.ID, nil)
	delete(c.olds, docID{col, d.ID})
	return err
}

// repost moves a document in the indexes to where it belongs.
func (c *commit) repost(col *collection, id string, keys [][]byte) error {
	var olds [][]byte
	if old := c.olds[docID{col, id}]; old != nil {
		var err error
		if olds, err = col.keys(id, old.body); err != nil {
			return err
		}
	}
	in := func(list [][]byte, key []byte) bool {
		return slices.ContainsFunc(list, func(k []byte) bool { return bytes.Equal(k, key) })
	}
	for _, key := range olds {
		if !in(keys, key) {
			if _, err := c.tx.Exec("DELETE FROM postings WHERE key = ?", key); err != nil {
				return err
			}
		}
	}
	for _, key := range keys {
		if !in(olds, key) {
			if _, err := c.tx.Exec("INSERT OR REPLACE INTO postings VALUES (?, ?)", key, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// earlier returns the earlier of two times, of which 0 is never.
func earlier(a, b int64) int64 {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
