package store

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"github.com/nvent-go/nvent/adapter"
)

// index is a declared index of a collection. Its position there is the number that its lists are named by.
type index struct {
	declared adapter.Index
	equal    []int // the positions of its fields in collection.fields
	order    int   // likewise; -1: none
	ready    bool  // all documents are in it
}

// collection is what the catalog says about a collection. It is not changed once it is made.
type collection struct {
	name    string
	escaped string
	schema  int // grows with every index
	indexes []index
	fields  []string // that some index needs
}

func newCollection(name string, e *entry) *collection {
	c := &collection{name: name, escaped: escaped(name), schema: e.Schema}
	for _, d := range e.Indexes {
		x := index{declared: adapter.Index{Equal: d.Equal, Order: d.Order}, order: -1, ready: d.Ready}
		for _, field := range d.Equal {
			x.equal = append(x.equal, c.field(field))
		}
		if d.Order != "" {
			x.order = c.field(d.Order)
		}
		c.indexes = append(c.indexes, x)
	}
	return c
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

// places returns where a document belongs in the indexes of its collection, packed as scripts read it: a MessagePack array of
// list, order, list, order, ... Nowhere is "".
func (c *collection) places(d *adapter.Doc) (string, error) {
	if len(c.indexes) == 0 {
		return "", nil
	}
	fields, err := adapter.Fields(d.Body, c.fields...)
	if err != nil {
		return "", fmt.Errorf("document %s/%s: %w", d.Collection, d.ID, err)
	}
	var p packer
	for i := range c.indexes {
		x := &c.indexes[i]
		var order []byte
		if x.order >= 0 {
			var ok bool
			if order, ok = orderForm(fields[x.order]); !ok {
				continue
			}
		}
		x.combine(&p, i, nil, fields, 0, order)
	}
	return p.packed(), nil
}

// combine packs the places of all combinations of the values of the Equal fields from number n on.
func (x *index) combine(p *packer, number int, prefix []byte, fields []any, n int, order []byte) {
	if n == len(x.equal) {
		p.add(strconv.Itoa(number)+":"+listName(prefix), string(order))
		return
	}
	many, ok := fields[x.equal[n]].([]string)
	if !ok {
		if equal, ok := appendEqual(prefix, fields[x.equal[n]]); ok {
			x.combine(p, number, equal, fields, n+1, order)
		}
		return
	}
	for i, element := range many {
		if !slices.Contains(many[:i], element) {
			equal, _ := appendEqual(slices.Clip(prefix), element) // strings have a form
			x.combine(p, number, equal, fields, n+1, order)
		}
	}
}

// packer packs strings as a MessagePack array.
type packer struct {
	body []byte
	n    int
}

func (p *packer) add(texts ...string) {
	for _, s := range texts {
		p.n++
		switch n := len(s); {
		case n < 32:
			p.body = append(p.body, 0xa0|byte(n))
		case n < 1<<16:
			p.body = binary.BigEndian.AppendUint16(append(p.body, 0xda), uint16(n))
		default:
			p.body = binary.BigEndian.AppendUint32(append(p.body, 0xdb), uint32(n))
		}
		p.body = append(p.body, s...)
	}
}

func (p *packer) packed() string {
	switch {
	case p.n == 0:
		return ""
	case p.n < 16:
		return string(append([]byte{0x90 | byte(p.n)}, p.body...))
	}
	return string(append(binary.BigEndian.AppendUint32([]byte{0xdd}, uint32(p.n)), p.body...))
}
