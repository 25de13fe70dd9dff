package memory

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nvent-go/nvent/adapter"
)

// collection is the part of a collection that lives in one shard.
type collection struct {
	name    string
	docs    map[string]*entry
	byID    sorted
	indexes []*index
	fields  []string // that some index needs
}

// index is the part of a declared index that lives in one shard: a sorted list for each combination of its Equal values.
type index struct {
	declared adapter.Index
	equal    []int // the positions of its fields in collection.fields
	order    int   // likewise; -1: none
	lists    map[string]*sorted
}

// indexed is the place of a document in an index.
type indexed struct {
	list    *sorted
	posting posting
}

// indexKey is where a document belongs in an index.
type indexKey struct {
	equal []byte // a key of index.lists
	order value
}

// scratch is working space of a shard. What is in it is good until the next reset.
type scratch struct {
	puts   []put
	fields []json.RawMessage
	keys   []indexKey
	lists  [][]indexKey // one for each index of a document
	equal  []byte
}

// reset lets the space be used again.
func (s *scratch) reset() {
	s.puts, s.keys, s.lists, s.equal = s.puts[:0], s.keys[:0], s.lists[:0], s.equal[:0]
}

// put is what is found out about a document before it is written.
type put struct {
	collection *collection
	entry      *entry // nil: it does not exist
	keys       [][]indexKey
}

// declare adds the indexes that the collection does not have yet, and fills them.
func (sh *shard) declare(d adapter.Collection) {
	c := sh.collections[d.Name]
	if c == nil {
		c = &collection{name: d.Name, docs: map[string]*entry{}}
		sh.collections[d.Name] = c
	}
	before := len(c.indexes)
	for _, x := range d.Indexes {
		if slices.ContainsFunc(c.indexes, func(have *index) bool { return sameIndex(have.declared, x) }) {
			continue
		}
		n := &index{declared: x, order: -1, lists: map[string]*sorted{}}
		for _, field := range x.Equal {
			n.equal = append(n.equal, c.field(field))
		}
		if x.Order != "" {
			n.order = c.field(x.Order)
		}
		c.indexes = append(c.indexes, n)
	}
	if len(c.indexes) == before {
		return
	}
	for _, e := range c.docs {
		sh.scratch.reset()
		keys, err := sh.indexKeys(c, &e.doc)
		if err != nil {
			keys = make([][]indexKey, len(c.indexes)) // what is not valid JSON has no fields
		}
		e.indexed = append(e.indexed, make([][]indexed, len(c.indexes)-len(e.indexed))...)
		for i, index := range c.indexes {
			index.update(e, i, keys[i])
		}
	}
}

func (c *collection) field(name string) int {
	if i := slices.Index(c.fields, name); i >= 0 {
		return i
	}
	c.fields = append(c.fields, name)
	return len(c.fields) - 1
}

// sameIndex reports whether two indexes answer the same queries: the sequence of Equal does not matter.
func sameIndex(a, b adapter.Index) bool {
	if a.Order != b.Order || len(a.Equal) != len(b.Equal) {
		return false
	}
	for _, field := range a.Equal {
		if !slices.Contains(b.Equal, field) {
			return false
		}
	}
	return true
}

// indexKeys returns, in the scratch space, where a document belongs, for each index of its collection.
func (sh *shard) indexKeys(c *collection, d *adapter.Doc) ([][]indexKey, error) {
	scratch := &sh.scratch
	if len(c.indexes) == 0 {
		return nil, nil
	}
	scratch.fields = slices.Grow(scratch.fields[:0], len(c.fields))[:len(c.fields)]
	if err := adapter.RawFields(d.Body, scratch.fields, c.fields); err != nil {
		return nil, fmt.Errorf("document %s/%s: %w", d.Collection, d.ID, err)
	}
	first := len(scratch.lists)
	for _, x := range c.indexes {
		var order value
		if x.order >= 0 {
			var err error
			if order, err = rawValue(scratch.fields[x.order]); err != nil {
				return nil, fmt.Errorf("document %s/%s: %w", d.Collection, d.ID, err)
			}
			if order.kind != numberValue && order.kind != stringValue {
				scratch.lists = append(scratch.lists, nil)
				continue
			}
		}
		from := len(scratch.keys)
		if err := scratch.combine(x.equal, nil, order); err != nil {
			return nil, fmt.Errorf("document %s/%s: %w", d.Collection, d.ID, err)
		}
		scratch.lists = append(scratch.lists, scratch.keys[from:])
	}
	return scratch.lists[first:], nil
}

// combine adds the keys of all combinations of the values of fields, behind a prefix.
func (s *scratch) combine(fields []int, prefix []byte, order value) error {
	start := len(s.equal)
	s.equal = append(s.equal, prefix...)
	for n, field := range fields {
		raw := s.fields[field]
		if len(raw) == 0 || raw[0] != '[' {
			var ok bool
			var err error
			if s.equal, ok, err = appendTerm(s.equal, raw); err != nil || !ok {
				return err
			}
			continue
		}
		values, err := terms(raw)
		if err != nil {
			return err
		}
		so := s.equal[start:len(s.equal):len(s.equal)]
		for _, v := range values {
			if err := s.combine(fields[n+1:], v.append(so), order); err != nil {
				return err
			}
		}
		return nil
	}
	s.keys = append(s.keys, indexKey{s.equal[start:len(s.equal):len(s.equal)], order})
	return nil
}

// update moves a document to where it belongs in index number i of its collection.
func (x *index) update(e *entry, i int, keys []indexKey) {
	places := e.indexed[i]
	if len(places) != len(keys) {
		for k := range places {
			x.leave(&places[k])
		}
		places = make([]indexed, len(keys)) // new memory: lists have pointers to the postings
		for k := range places {
			places[k].posting = posting{id: e.doc.ID, entry: e}
		}
		e.indexed[i] = places
	}
	// Combinations of values come in the same order every time, so most documents stay in most of their lists. A document is
	// never twice in one: it leaves all that it has to before it comes anew.
	for k := range places {
		p := &places[k]
		if p.list != nil && (p.list.key != string(keys[k].equal) || p.posting.value != keys[k].order) {
			x.leave(p)
			p.list = nil
		}
	}
	for k := range places {
		p := &places[k]
		if p.list != nil {
			continue
		}
		if p.list = x.lists[string(keys[k].equal)]; p.list == nil {
			p.list = &sorted{key: string(keys[k].equal)}
			x.lists[p.list.key] = p.list
		}
		p.posting.value = keys[k].order
		p.list.insert(&p.posting)
	}
}

// leave takes a document out of a list, and forgets the list with its last document.
func (x *index) leave(place *indexed) {
	if place.list.remove(&place.posting); place.list.len == 0 {
		delete(x.lists, place.list.key)
	}
}
