package memory

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// query is a query in terms of the indexes.
type query struct {
	index    int    // of the collection; -1: all documents by ID
	equal    string // the key of the list
	from, to value  // noValue: open
	desc     bool
	after    *posting // where the page before ended; nil: the first page
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
	s.storage.lockAll()
	defer s.storage.unlockAll()
	c := s.storage.shards[0].collections[collection]
	if c == nil {
		return page, fail("list", undeclared(collection), "")
	}
	parsed, err := c.parse(&q)
	if err != nil {
		return page, fail("list", err, "")
	}
	var last *posting
	s.storage.scan(collection, parsed, s.storage.b.now(), func(p *posting) bool {
		if len(page.Items) == limit {
			page.Next = encodeCursor(last)
			return false
		}
		last = p
		page.Items = append(page.Items, p.entry.doc)
		return true
	})
	return page, nil
}

// Count returns how many documents match. It is always exact. See [adapter.Store].
func (s *Store) Count(ctx context.Context, collection string, q adapter.Query) (n int64, exact bool, err error) {
	if err := s.usable(ctx, "count"); err != nil {
		return 0, false, err
	}
	q.Cursor = ""
	s.storage.lockAll()
	defer s.storage.unlockAll()
	c := s.storage.shards[0].collections[collection]
	if c == nil {
		return 0, false, fail("count", undeclared(collection), "")
	}
	parsed, err := c.parse(&q)
	if err != nil {
		return 0, false, fail("count", err, "")
	}
	now := s.storage.b.now()
	for i := range s.storage.shards {
		n += s.storage.shards[i].count(collection, parsed, now)
	}
	return n, true, nil
}

// parse finds the index that answers a query.
func (c *collection) parse(q *adapter.Query) (*query, error) {
	p := &query{index: -1, desc: q.Desc}
	if len(q.Where) > 0 || q.Order != "" {
		wanted := adapter.Index{Order: q.Order}
		for field := range q.Where {
			wanted.Equal = append(wanted.Equal, field)
		}
		p.index = slices.IndexFunc(c.indexes, func(x *index) bool { return sameIndex(x.declared, wanted) })
		if p.index < 0 {
			slices.Sort(wanted.Equal)
			return nil, fmt.Errorf("%w: collection %q has no index on %q ordered by %q: declare it",
				adapter.ErrUnsupported, c.name, wanted.Equal, wanted.Order)
		}
		var key []byte
		for _, field := range c.indexes[p.index].declared.Equal {
			v, err := queryValue(q.Where[field])
			if err != nil {
				return nil, fmt.Errorf("field %q: %w", field, err)
			}
			key = v.append(key)
		}
		p.equal = string(key)
	}
	for bound, arg := range map[*value]any{&p.from: q.From, &p.to: q.To} {
		if arg == nil {
			continue
		}
		if q.Order == "" {
			return nil, fmt.Errorf("%w: bounds need Order", adapter.ErrInvalid)
		}
		v, err := queryValue(arg)
		if err != nil {
			return nil, fmt.Errorf("bound of %q: %w", q.Order, err)
		}
		*bound = v
	}
	if q.Cursor != "" {
		var err error
		if p.after, err = decodeCursor(q.Cursor); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// list returns the sorted list that answers a query, or nil if it would be empty.
func (sh *shard) list(collection string, q *query) *sorted {
	c := sh.collections[collection]
	if q.index < 0 {
		return &c.byID
	}
	return c.indexes[q.index].lists[q.equal]
}

// start returns the place where a query begins in a list.
func (q *query) start(list *sorted) place {
	if q.desc {
		switch {
		case q.after != nil:
			return list.seek(func(p *posting) bool { return p.compare(q.after) < 0 })
		case q.to.kind != noValue:
			return list.seek(func(p *posting) bool { return p.value.compare(q.to) <= 0 })
		}
		return list.end()
	}
	switch {
	case q.after != nil:
		return list.seek(func(p *posting) bool { return p.compare(q.after) <= 0 })
	case q.from.kind != noValue:
		return list.seek(func(p *posting) bool { return p.value.compare(q.from) < 0 })
	}
	return list.begin()
}

// step returns the next posting that matches, or nil.
func (q *query) step(at *place, now time.Time) *posting {
	for {
		var p *posting
		if q.desc {
			p = at.previous()
		} else {
			p = at.next()
		}
		switch {
		case p == nil,
			q.desc && q.from.kind != noValue && p.value.compare(q.from) < 0,
			!q.desc && q.to.kind != noValue && p.value.compare(q.to) > 0:
			return nil
		case p.entry.visible(now):
			return p
		}
	}
}

// scan merges what matches in all shards, in order, until visit returns false.
func (s *storage) scan(collection string, q *query, now time.Time, visit func(*posting) bool) {
	type source struct {
		head *posting
		at   place
	}
	order := func(a, b source) int {
		if q.desc {
			a, b = b, a
		}
		return a.head.compare(b.head)
	}
	var sources []source // by their heads
	push := func(x source) {
		if x.head = q.step(&x.at, now); x.head != nil {
			i, _ := slices.BinarySearchFunc(sources, x, order)
			sources = slices.Insert(sources, i, x)
		}
	}
	for i := range s.shards {
		if list := s.shards[i].list(collection, q); list != nil {
			push(source{at: q.start(list)})
		}
	}
	for len(sources) > 0 {
		first := sources[0]
		if !visit(first.head) {
			return
		}
		sources = slices.Delete(sources, 0, 1)
		push(first)
	}
}

func (sh *shard) count(collection string, q *query, now time.Time) (n int64) {
	list := sh.list(collection, q)
	if list == nil {
		return 0
	}
	if q.from.kind == noValue && q.to.kind == noValue && sh.expiring.nothingDue(now) {
		return int64(list.len)
	}
	at := q.start(list)
	for q.step(&at, now) != nil {
		n++
	}
	return n
}

// cursor is the last document of a page. It stays a place in the order when the document moves or vanishes.
type cursor struct {
	Kind kind   `json:"k,omitempty"`
	Text string `json:"t,omitempty"`
	ID   string `json:"i"`
}

func encodeCursor(p *posting) string {
	text, _ := json.Marshal(cursor{p.value.kind, p.value.canonical(), p.id}) // strings and a number always have a JSON form
	return base64.RawURLEncoding.EncodeToString(text)
}

func decodeCursor(text string) (*posting, error) {
	var c cursor
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: cursor %q: use Page.Next of the page before", adapter.ErrInvalid, text)
	}
	p := &posting{id: c.ID}
	switch c.Kind {
	case numberValue:
		p.value = fieldValue(json.Number(c.Text))
	case stringValue:
		p.value = fieldValue(c.Text)
	}
	return p, nil
}
