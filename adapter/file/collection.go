package file

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// catalogue is what is declared, as of a generation: the highest id of an index. Others may declare more at any time, so
// writers compare it in their transaction.
type catalogue struct {
	generation  int64
	collections map[string]*collection
	list        []*collection
}

// collection is a declared set of documents.
type collection struct {
	id      int64
	name    string
	indexes []*index
	fields  []string // that some index needs
}

// index is a declared index.
type index struct {
	id    int64
	spec  indexSpec
	equal []int // the positions of its fields in collection.fields
	order int   // likewise; -1: none
}

// indexSpec is an index as it is stored: the fields of Equal in their order.
type indexSpec struct {
	Equal []string `json:"equal"`
	Order string   `json:"order,omitempty"`
}

func specOf(x adapter.Index) indexSpec {
	equal := slices.Clone(x.Equal)
	slices.Sort(equal)
	return indexSpec{Equal: equal, Order: x.Order}
}

func (a indexSpec) same(b indexSpec) bool {
	return a.Order == b.Order && slices.Equal(a.Equal, b.Equal)
}

const generationQuery = "SELECT coalesce((SELECT max(id) FROM indexes), 0) * 1000000 + (SELECT count(*) FROM collections)"

// loadCatalogue reads what is declared.
func loadCatalogue(c *sqlite.Conn) (*catalogue, error) {
	cat := &catalogue{collections: map[string]*collection{}}
	var err error
	if cat.generation, err = c.Int(generationQuery); err != nil {
		return nil, err
	}
	byID := map[int64]*collection{}
	err = c.Query("SELECT id, name FROM collections ORDER BY id", func(r sqlite.Row) error {
		col := &collection{id: r.Int(0), name: r.Text(1)}
		byID[col.id], cat.collections[col.name] = col, col
		cat.list = append(cat.list, col)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return cat, c.Query("SELECT id, collection, spec FROM indexes ORDER BY id", func(r sqlite.Row) error {
		x := &index{id: r.Int(0)}
		if err := json.Unmarshal(r.JSON(2), &x.spec); err != nil {
			return fmt.Errorf("%w: index %d: %w", ErrCorrupt, x.id, err)
		}
		byID[r.Int(1)].add(x)
		return nil
	})
}

func (c *collection) add(x *index) {
	for _, field := range x.spec.Equal {
		x.equal = append(x.equal, c.field(field))
	}
	if x.order = -1; x.spec.Order != "" {
		x.order = c.field(x.spec.Order)
	}
	c.indexes = append(c.indexes, x)
}

func (c *collection) field(name string) int {
	if i := slices.Index(c.fields, name); i >= 0 {
		return i
	}
	c.fields = append(c.fields, name)
	return len(c.fields) - 1
}

// keys returns where a document belongs in the indexes of its collection.
func (c *collection) keys(id string, body json.RawMessage) ([][]byte, error) {
	if len(c.indexes) == 0 {
		return nil, nil
	}
	fields, err := adapter.Fields(body, c.fields...)
	if err != nil {
		return nil, fmt.Errorf("document %s/%s: %w", c.name, id, err)
	}
	var keys [][]byte
	for _, x := range c.indexes {
		keys = x.combine(keys, x.prefix(), fields, 0, id)
	}
	return keys, nil
}

func (x *index) prefix() []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, 64), uint64(x.id))
}

// combine appends the keys of all combinations of the values of the Equal fields from number n on.
func (x *index) combine(keys [][]byte, prefix []byte, fields []any, n int, id string) [][]byte {
	if n == len(x.equal) {
		key := slices.Clone(prefix)
		if x.order >= 0 {
			switch fields[x.order].(type) {
			case string, json.Number:
				key, _ = appendValue(key, fields[x.order])
			default:
				return keys // it has no place in the order
			}
		}
		key = append(key, id...)
		if slices.ContainsFunc(keys, func(k []byte) bool { return slices.Equal(k, key) }) {
			return keys // an array holds the same string twice
		}
		return append(keys, key)
	}
	if list, many := fields[x.equal[n]].([]string); many {
		for _, text := range list {
			key, _ := appendValue(slices.Clone(prefix), text)
			keys = x.combine(keys, key, fields, n+1, id)
		}
		return keys
	}
	if key, ok := appendValue(slices.Clone(prefix), fields[x.equal[n]]); ok {
		keys = x.combine(keys, key, fields, n+1, id)
	}
	return keys
}

// Declare makes collections known, and builds their new indexes. See [adapter.Store].
func (s *Store) Declare(ctx context.Context, collections ...adapter.Collection) error {
	if err := s.usable(ctx, "declare"); err != nil {
		return err
	}
	for _, c := range collections {
		if c.Name == "" {
			return invalid("declare", "a collection has no name", "")
		}
		for _, x := range c.Indexes {
			if len(x.Equal) == 0 && x.Order == "" {
				return invalid("declare", fmt.Sprintf("an index of %q has no fields", c.Name), "documents are listed by ID without one")
			}
		}
	}
	err := s.b.db.Write(ctx, false, func(tx *sqlite.Tx) error {
		cat, err := s.current(tx.Conn)
		if err != nil {
			return err
		}
		for _, c := range collections {
			if err := declare(tx, cat.collections[c.Name], c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fail("declare", err)
	}
	return nil
}

func declare(tx *sqlite.Tx, have *collection, c adapter.Collection) error {
	if have == nil {
		if _, err := tx.Exec("INSERT OR IGNORE INTO collections (name) VALUES (?)", c.Name); err != nil {
			return err
		}
		id, err := tx.Int("SELECT id FROM collections WHERE name = ?", c.Name)
		if err != nil {
			return err
		}
		have = &collection{id: id, name: c.Name}
	}
	fresh := &collection{id: have.id, name: have.name}
	for _, x := range c.Indexes {
		spec := specOf(x)
		known := func(x *index) bool { return x.spec.same(spec) }
		if slices.ContainsFunc(have.indexes, known) || slices.ContainsFunc(fresh.indexes, known) {
			continue
		}
		text, err := json.Marshal(spec)
		if err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO indexes (collection, spec) VALUES (?, ?)", have.id, string(text)); err != nil {
			return err
		}
		id, err := tx.Int("SELECT max(id) FROM indexes")
		if err != nil {
			return err
		}
		fresh.add(&index{id: id, spec: spec})
	}
	if len(fresh.indexes) == 0 {
		return nil
	}
	type doc struct {
		id   string
		body json.RawMessage
	}
	var docs []doc
	err := tx.Query("SELECT id, body FROM docs WHERE collection = ?", func(r sqlite.Row) error {
		docs = append(docs, doc{r.Text(0), r.JSON(1)})
		return nil
	}, have.id)
	if err != nil {
		return err
	}
	for _, d := range docs {
		keys, err := fresh.keys(d.id, d.body)
		if err != nil {
			continue // what is not valid JSON has no fields
		}
		for _, key := range keys {
			if _, err := tx.Exec("INSERT INTO postings VALUES (?, ?)", key, d.id); err != nil {
				return err
			}
		}
	}
	return nil
}
