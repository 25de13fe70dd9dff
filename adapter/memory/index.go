package memory

import (
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
	key     string
	posting *posting
}

// indexKey is where a document belongs in an index.
type indexKey struct {
	equal string
	order value
}

// fieldBuffer is scratch space of a shard.
type fieldBuffer struct{ key []byte }

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

// indexKeys returns where a document belongs, for each index of its collection.
func (sh *shard) indexKeys(c *collection, d *adapter.Doc) ([][]indexKey, error) {
	fields, err := adapter.Fields(d.Body, c.fields...)
	if err != nil {
		return nil, fmt.Errorf("document %s/%s: %w", d.Collection, d.ID, err)
	}
	keys := make([][]indexKey, len(c.indexes))
	for i, x := range c.indexes {
		var order value
		if x.order >= 0 {
			if order = fieldValue(fields[x.order]); order.kind != numberValue && order.kind != stringValue {
				continue
			}
		}
		sh.fields.key = sh.fields.key[:0]
		keys[i] = x.combine(nil, sh.fields.key, fields, 0, order)
	}
	return keys, nil
}

// combine appends the keys of all combinations of the values of the Equal fields from number n on.
func (x *index) combine(keys []indexKey, prefix []byte, fields []any, n int, order value) []indexKey {
	if n == len(x.equal) {
		return append(keys, indexKey{equal: string(prefix), order: order})
	}
	if _, many := fields[x.equal[n]].([]string); !many {
		if v := fieldValue(fields[x.equal[n]]); v.kind != noValue {
			keys = x.combine(keys, v.append(prefix), fields, n+1, order)
		}
		return keys
	}
	for _, v := range terms(fields[x.equal[n]]) {
		keys = x.combine(keys, v.append(prefix), fields, n+1, order)
	}
	return keys
}

// update moves a document to where it belongs in index number i of its collection.
func (x *index) update(e *entry, i int, keys []indexKey) {
	old := e.indexed[i]
	if len(old) == len(keys) {
		same := true
		for k := range keys {
			same = same && old[k].key == keys[k].equal && old[k].posting.value == keys[k].order
		}
		if same {
			return
		}
	}
	for _, o := range old {
		list := x.lists[o.key]
		if list.remove(o.posting); list.len == 0 {
			delete(x.lists, o.key)
		}
	}
	old = old[:0]
	for _, key := range keys {
		list := x.lists[key.equal]
		if list == nil {
			list = &sorted{}
			x.lists[key.equal] = list
		}
		p := &posting{value: key.order, id: e.doc.ID, entry: e}
		list.insert(p)
		old = append(old, indexed{key: key.equal, posting: p})
	}
	e.indexed[i] = old
}
