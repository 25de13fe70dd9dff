package store

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

const defaultPage = 100

// List returns documents by query: it merges the lists of the shards. Descending, documents that are equal come by descending
// ID. See [adapter.Store].
func (s *Store) List(ctx context.Context, collection string, q adapter.Query) (adapter.Page[adapter.Doc], error) {
	const op = "list"
	var page adapter.Page[adapter.Doc]
	if err := s.usable(ctx, op); err != nil {
		return page, err
	}
	c, err := s.collection(ctx, collection)
	if err != nil {
		return page, conn.Error(ctx, op, err)
	}
	parsed, err := s.parse(ctx, c, &q)
	if err != nil {
		return page, conn.Error(ctx, op, err)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	m := merger{s: s, q: parsed, want: limit}
	v := visibility{s: s}
	var last string
	for {
		// One more than fits says whether there is another page.
		members, err := m.next(ctx, limit+1-len(page.Items))
		if err != nil {
			return page, conn.Error(ctx, op, err)
		}
		if len(members) == 0 {
			return page, nil
		}
		docs, err := s.listed(ctx, c, parsed, members, &v)
		if err != nil {
			return page, conn.Error(ctx, op, err)
		}
		for i := range docs {
			if len(page.Items) == limit {
				page.Next = base64.RawURLEncoding.EncodeToString([]byte(last))
				return page, nil
			}
			if docs[i].head != "" {
				page.Items = append(page.Items, docs[i].Doc)
				last = members[i]
			}
		}
	}
}

// parse reads the catalog again before it says that there is no such index: another instance may have built it meanwhile.
func (s *Store) parse(ctx context.Context, c *collection, q *adapter.Query) (*query, error) {
	parsed, err := c.parse(q)
	if err == nil {
		return parsed, nil
	}
	text, e, loadErr := s.load(ctx, c.name)
	if loadErr != nil || text == "" || e.Schema == c.schema && !newlyReady(c, e) {
		return nil, err
	}
	return newCollection(c.name, e).parse(q)
}

func newlyReady(c *collection, e *entry) bool {
	for i, x := range e.Indexes {
		if i < len(c.indexes) && x.Ready != c.indexes[i].ready {
			return true
		}
	}
	return false
}

// listed returns the documents of members that are there and still belong in the list. The others have no head.
func (s *Store) listed(ctx context.Context, c *collection, q *query, members []string, v *visibility) ([]stored, error) {
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = q.id(m)
	}
	docs, err := s.fetch(ctx, c, ids)
	if err != nil {
		return nil, err
	}
	for i := range docs {
		visible, err := v.visible(ctx, &docs[i])
		if err != nil {
			return nil, err
		}
		if !visible || q.place != "" && !placed(docs[i].places, q.place, members[i][:len(members[i])-len(ids[i])]) {
			docs[i].head = ""
		}
	}
	return docs, nil
}

// placed reports whether a document's packed places have this one: it may have moved since its list was read.
func placed(places, list, order string) bool {
	var p packer
	p.add(list, order)
	return strings.Contains(places, string(p.body))
}

// source is what has been read of the list of a shard.
type source struct {
	shard int
	query query
	heads []string
	more  bool // there is more behind heads
	size  int  // how many to read next
}

// merger merges the lists of all shards.
type merger struct {
	s       *Store
	q       *query
	want    int
	sources []*source // by their heads
	began   bool
}

// next returns up to n members in order; none is the end.
func (m *merger) next(ctx context.Context, n int) ([]string, error) {
	if !m.began {
		m.began = true
		// A little more than the share of a shard, where documents spread evenly.
		size := 2 + 2*m.want/adapter.Shards
		first := make([]*source, adapter.Shards)
		for i := range first {
			first[i] = &source{shard: i, query: *m.q, size: size}
		}
		if err := m.read(ctx, first...); err != nil {
			return nil, err
		}
		for _, src := range first {
			if len(src.heads) > 0 {
				m.sources = append(m.sources, src)
			}
		}
		slices.SortFunc(m.sources, m.compare)
	}
	var members []string
	for len(members) < n && len(m.sources) > 0 {
		src := m.sources[0]
		members = append(members, src.heads[0])
		src.heads = src.heads[1:]
		if len(src.heads) == 0 && src.more {
			if err := m.read(ctx, src); err != nil {
				return nil, err
			}
		}
		m.sources = m.sources[1:]
		if len(src.heads) > 0 {
			i, _ := slices.BinarySearchFunc(m.sources, src, m.compare)
			m.sources = slices.Insert(m.sources, i, src)
		}
	}
	return members, nil
}

func (m *merger) compare(a, b *source) int {
	if m.q.desc {
		a, b = b, a
	}
	return strings.Compare(a.heads[0], b.heads[0])
}

// read reads on in lists, all in one round trip.
func (m *merger) read(ctx context.Context, sources ...*source) error {
	commands := make(rueidis.Commands, len(sources))
	for i, src := range sources {
		key, q := m.s.keys.shards[src.shard]+src.query.list, &src.query
		if q.desc {
			commands[i] = m.s.client.B().Zrevrangebylex().Key(key).Max(q.to).Min(q.from).Limit(0, int64(src.size)).Build()
		} else {
			commands[i] = m.s.client.B().Zrangebylex().Key(key).Min(q.from).Max(q.to).Limit(0, int64(src.size)).Build()
		}
	}
	results := m.s.client.DoMulti(ctx, commands...)
	for i, src := range sources {
		var err error
		if src.heads, err = results[i].AsStrSlice(); err != nil {
			return err
		}
		if src.more = len(src.heads) == src.size; src.more {
			src.query.resume(src.heads[len(src.heads)-1])
			src.size = min(4*src.size, max(m.want, 100))
		}
	}
	return nil
}
