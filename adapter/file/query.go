package file

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// docQuery is a query in terms of the tables.
type docQuery struct {
	col      *collection
	postings bool   // by index, from the first key to before the second
	from, to []byte // nil: from the first, to the last
	desc     bool
}

// parse finds what answers a query.
func (cat *catalogue) parse(collection string, q *adapter.Query) (*docQuery, error) {
	col := cat.collections[collection]
	if col == nil {
		return nil, undeclared(collection)
	}
	p := &docQuery{col: col, desc: q.Desc}
	if len(q.Where) == 0 && q.Order == "" {
		if q.From != nil || q.To != nil {
			return nil, fmt.Errorf("%w: bounds need Order", adapter.ErrInvalid)
		}
		return p, p.cursor(q.Cursor)
	}
	p.postings = true
	wanted := indexSpec{Order: q.Order}
	for field := range q.Where {
		wanted.Equal = append(wanted.Equal, field)
	}
	slices.Sort(wanted.Equal)
	i := slices.IndexFunc(col.indexes, func(x *index) bool { return x.spec.same(wanted) })
	if i < 0 {
		return nil, fmt.Errorf("%w: collection %q has no index on %q ordered by %q: declare it",
			adapter.ErrUnsupported, col.name, wanted.Equal, wanted.Order)
	}
	prefix := col.indexes[i].prefix()
	for _, field := range wanted.Equal {
		v, err := queryValue(q.Where[field])
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", field, err)
		}
		prefix, _ = appendValue(prefix, v)
	}
	p.from, p.to = prefix, after(prefix)
	for _, bound := range []struct {
		arg any
		set func(key []byte)
	}{{q.From, func(key []byte) { p.from = key }}, {q.To, func(key []byte) { p.to = after(key) }}} {
		if bound.arg == nil {
			continue
		}
		if q.Order == "" {
			return nil, fmt.Errorf("%w: bounds need Order", adapter.ErrInvalid)
		}
		v, err := queryValue(bound.arg)
		if err != nil {
			return nil, fmt.Errorf("bound of %q: %w", q.Order, err)
		}
		key, _ := appendValue(slices.Clone(prefix), v)
		bound.set(key)
	}
	return p, p.cursor(q.Cursor)
}

// cursor makes the query begin after the document that a page ended with, whatever has become of that.
func (p *docQuery) cursor(text string) error {
	if text == "" {
		return nil
	}
	key, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(key) == 0 || p.postings && len(key) < 8 {
		return fmt.Errorf("%w: cursor %q: use Page.Next of the page before", adapter.ErrInvalid, text)
	}
	if p.desc {
		if p.to == nil || bytes.Compare(key, p.to) < 0 {
			p.to = key
		}
		return nil
	}
	if next := append(key, 0); bytes.Compare(next, p.from) > 0 {
		p.from = next
	}
	return nil
}

func (p *docQuery) order() string {
	if p.desc {
		return " DESC"
	}
	return ""
}

// List returns documents by query. Descending, documents that are equal come by descending ID. See [adapter.Store].
func (s *Store) List(ctx context.Context, collection string, q adapter.Query) (adapter.Page[adapter.Doc], error) {
	var page adapter.Page[adapter.Doc]
	if err := s.usable(ctx, "list"); err != nil {
		return page, err
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	err := s.b.db.Read(ctx, func(c *sqlite.Conn) error {
		cat, err := s.current(c)
		if err != nil {
			return err
		}
		p, err := cat.parse(collection, &q)
		if err != nil {
			return err
		}
		page, err = p.page(c, s.now(), limit)
		return err
	})
	if err != nil {
		return adapter.Page[adapter.Doc]{}, fail("list", err)
	}
	return page, nil
}

// rest is the end of the statements of a query.
func (p *docQuery) rest(now int64) (sql string, args []any) {
	if p.postings {
		return "FROM postings p CROSS JOIN docs d ON d.collection = ?1 AND d.id = p.id WHERE p.key >= ?2 AND p.key < ?3 AND (d.gone = 0 OR d.gone > ?4)",
			[]any{p.col.id, p.from, p.to, now}
	}
	sql, args = "FROM docs d WHERE d.collection = ?1 AND d.id >= ?2 AND (d.gone = 0 OR d.gone > ?4)", []any{p.col.id, string(p.from), "", now}
	if p.to != nil {
		sql += " AND d.id < ?3"
		args[2] = string(p.to)
	}
	return sql, args
}

func (p *docQuery) page(c *sqlite.Conn, now int64, limit int) (page adapter.Page[adapter.Doc], err error) {
	sql, args := p.rest(now)
	key, order := "NULL", "d.id"
	if p.postings {
		key, order = "p.key", "p.key"
	}
	var last []byte
	err = c.Query("SELECT d.id, "+docColumns+", "+key+" "+sql+" ORDER BY "+order+p.order()+" LIMIT ?5 + 0", func(r sqlite.Row) error {
		if len(page.Items) == limit {
			page.Next = base64.RawURLEncoding.EncodeToString(last)
			return errStop
		}
		row := scanDoc(r, 1)
		d, err := row.doc(p.col, r.Text(0))
		if err != nil {
			return err
		}
		page.Items = append(page.Items, d)
		if last = []byte(d.ID); p.postings {
			last = r.Blob(6)
		}
		return nil
	}, append(args, limit+1)...)
	if err == errStop { //nolint:errorlint // it is never wrapped
		err = nil
	}
	return page, err
}

// Count returns how many documents match. It is always exact. See [adapter.Store].
func (s *Store) Count(ctx context.Context, collection string, q adapter.Query) (n int64, exact bool, err error) {
	if err := s.usable(ctx, "count"); err != nil {
		return 0, false, err
	}
	q.Cursor = ""
	err = s.b.db.Read(ctx, func(c *sqlite.Conn) error {
		cat, err := s.current(c)
		if err != nil {
			return err
		}
		p, err := cat.parse(collection, &q)
		if err != nil {
			return err
		}
		sql, args := p.rest(s.now())
		n, err = c.Int("SELECT count(*) "+sql, args...)
		return err
	})
	if err != nil {
		return 0, false, fail("count", err)
	}
	return n, true, nil
}
