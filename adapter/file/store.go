package file

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// Store is the store of an open directory. It is an [adapter.Store] and an [adapter.Transactor].
type Store struct {
	b    *Backend
	done chan struct{}
	once sync.Once

	mu  sync.Mutex
	cat *catalogue
}

func newStore(b *Backend) *Store { return &Store{b: b, done: make(chan struct{})} }

// Info returns what the store claims.
func (s *Store) Info() adapter.Info { return s.b.info(adapter.CapTx) }

// Close ends the use of the store.
func (s *Store) Close() error {
	first := false
	s.once.Do(func() {
		close(s.done)
		first = true
	})
	if !first {
		return nil
	}
	return s.b.release(s)
}

func (s *Store) usable(ctx context.Context, op string) error { return usable(ctx, s.done, op) }

// current returns what is declared now, as the connection sees it.
func (s *Store) current(c *sqlite.Conn) (*catalogue, error) {
	generation, err := c.Int(generationQuery)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	cat := s.cat
	s.mu.Unlock()
	if cat != nil && cat.generation == generation {
		return cat, nil
	}
	if cat, err = loadCatalogue(c); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cat = cat
	return cat, nil
}

func undeclared(collection string) error {
	return fmt.Errorf("%w: collection %q is not declared: call Declare with it first", adapter.ErrInvalid, collection)
}

// docRow is a document as it is stored.
type docRow struct {
	version, expires, gone, sum int64
	body                        json.RawMessage
}

const docColumns = "d.version, d.expires, d.gone, d.sum, d.body"

func scanDoc(r sqlite.Row, from int) docRow {
	return docRow{version: r.Int(from), expires: r.Int(from + 1), gone: r.Int(from + 2), sum: r.Int(from + 3), body: r.JSON(from + 4)}
}

func (d *docRow) checksum(collection int64, id string) int64 {
	var s sum
	s.number(collection)
	sumText(&s, id)
	s.number(d.version)
	s.number(d.expires)
	sumText(&s, d.body)
	return s.value()
}

func (d *docRow) visible(now int64) bool { return d.gone == 0 || d.gone > now }

func (d *docRow) doc(c *collection, id string) (adapter.Doc, error) {
	if d.sum != d.checksum(c.id, id) {
		return adapter.Doc{}, damaged("document %s/%s", c.name, id)
	}
	return adapter.Doc{Collection: c.name, ID: id, Version: adapter.Version(d.version), Body: d.body, ExpireAt: timeOf(d.expires)}, nil
}

// Get returns documents, as of one moment. See [adapter.Store].
func (s *Store) Get(ctx context.Context, collection string, ids ...string) ([]adapter.Doc, error) {
	if err := s.usable(ctx, "get"); err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var docs []adapter.Doc
	err := s.b.db.Read(ctx, func(c *sqlite.Conn) error {
		cat, err := s.current(c)
		if err != nil {
			return err
		}
		col := cat.collections[collection]
		if col == nil {
			return undeclared(collection)
		}
		now := s.now()
		for _, id := range ids {
			d, err := find(c, col, id, now)
			if err != nil {
				return err
			}
			if d != nil {
				docs = append(docs, *d)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fail("get", err)
	}
	return docs, nil
}

// find returns the document that is there, or nil.
func find(c *sqlite.Conn, col *collection, id string, now int64) (*adapter.Doc, error) {
	var row docRow
	found, err := c.One("SELECT "+docColumns+" FROM docs d WHERE d.collection = ? AND d.id = ?", func(r sqlite.Row) { row = scanDoc(r, 0) }, col.id, id)
	if err != nil || !found || !row.visible(now) {
		return nil, err
	}
	d, err := row.doc(col, id)
	return &d, err
}

func (s *Store) now() int64 { return sqlite.Micros(s.b.o.Clock.Now()) }

// Now returns the time of the clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if err := s.usable(ctx, "now"); err != nil {
		return time.Time{}, err
	}
	return timeOf(s.now()), nil
}

// within reports whether adapter.Partition(id) is the partition.
func within(partition, id string) bool {
	rest, ok := strings.CutPrefix(id, partition)
	return ok && (rest == "" || rest[0] == '/')
}

// checkBatch returns an error if something in the batch lies outside of its partition.
func checkBatch(b *adapter.Batch) error {
	if b.Partition == "" || strings.Contains(b.Partition, "/") {
		return fmt.Errorf("%w: partition %q must be an ID up to its first slash", adapter.ErrInvalid, b.Partition)
	}
	outside := func(what, id string) error {
		return fmt.Errorf("%w: %s %s is not in partition %q", adapter.ErrCrossPartition, what, id, b.Partition)
	}
	for _, docs := range [...][]adapter.Doc{b.Checks, b.Puts, b.Deletes} {
		for i := range docs {
			if !within(b.Partition, docs[i].ID) {
				return outside("document", docs[i].Collection+"/"+docs[i].ID)
			}
		}
	}
	for i := range b.Appends {
		if !within(b.Partition, b.Appends[i].Subject) {
			return outside("log", b.Appends[i].Subject)
		}
	}
	for _, subject := range b.Drops {
		if !within(b.Partition, subject) {
			return outside("log", subject)
		}
	}
	return nil
}
