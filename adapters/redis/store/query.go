package store

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"

	"github.com/nvent-go/nvent/adapter"
)

// query is a query in terms of the sorted sets: one for every shard, whose members are the order of a document and its ID.
type query struct {
	list     string // the name of the set behind the shard; with it ends too what the documents' places say
	place    string // what the places of a document have for this list; "": all documents, by ID
	from, to string // bounds as ZRANGEBYLEX takes them
	desc     bool
}

// parse finds the index that answers a query.
func (c *collection) parse(q *adapter.Query) (*query, error) {
	p := &query{list: "z:" + c.escaped, from: "-", to: "+", desc: q.Desc}
	if len(q.Where) > 0 || q.Order != "" {
		wanted := adapter.Index{Order: q.Order}
		for field := range q.Where {
			wanted.Equal = append(wanted.Equal, field)
		}
		n := slices.IndexFunc(c.indexes, func(x index) bool { return x.ready && sameIndex(x.declared, wanted) })
		if n < 0 {
			slices.Sort(wanted.Equal)
			return nil, fmt.Errorf("%w: collection %q has no index on %q ordered by %q: declare it",
				adapter.ErrUnsupported, c.name, wanted.Equal, wanted.Order)
		}
		var equal []byte
		for _, field := range c.indexes[n].declared.Equal {
			v, err := argument(q.Where[field])
			if err != nil {
				return nil, fmt.Errorf("field %q: %w", field, err)
			}
			equal, _ = appendEqual(equal, v) // every argument has a form
		}
		p.place = strconv.Itoa(n) + ":" + listName(equal)
		p.list += ":" + p.place
	}
	if (q.From != nil || q.To != nil) && q.Order == "" {
		return nil, fmt.Errorf("%w: bounds need Order", adapter.ErrInvalid)
	}
	if q.From != nil {
		from, err := bound(q.Order, q.From)
		if err != nil {
			return nil, err
		}
		p.from = "[" + from
	}
	if q.To != nil {
		to, err := bound(q.Order, q.To)
		if err != nil {
			return nil, err
		}
		p.to = "(" + beyond(to)
	}
	if q.Cursor == "" {
		return p, nil
	}
	last, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err != nil {
		return nil, fmt.Errorf("%w: cursor %q: use Page.Next of the page before", adapter.ErrInvalid, q.Cursor)
	}
	p.resume(string(last))
	return p, nil
}

// resume makes the query go on behind a member.
func (q *query) resume(last string) {
	if q.desc {
		q.to = "(" + last
	} else {
		q.from = "(" + last
	}
}

func bound(field string, arg any) (string, error) {
	v, err := argument(arg)
	if err != nil {
		return "", fmt.Errorf("bound of %q: %w", field, err)
	}
	form, ok := orderForm(v)
	if !ok {
		return "", fmt.Errorf("bound of %q: %w: a %T has no order", field, adapter.ErrInvalid, arg)
	}
	return string(form), nil
}

// beyond returns the least text that is greater than all that begin with prefix, or "" if there is none.
func beyond(prefix string) string {
	b := []byte(prefix)
	for len(b) > 0 && b[len(b)-1] == 0xff {
		b = b[:len(b)-1]
	}
	if len(b) == 0 {
		return ""
	}
	b[len(b)-1]++
	return string(b)
}

// id returns the ID in a member.
func (q *query) id(member string) string {
	if q.place == "" {
		return member
	}
	return member[orderLength(member):]
}

// orderLength returns how long the form is that orderForm has put in front of a member: up to the end of its text, or of
// its number.
func orderLength(member string) int {
	if member == "" {
		return 0
	}
	switch member[0] {
	case 's':
		for i := 1; i+1 < len(member); i++ {
			if member[i] == 0 {
				if member[i+1] == 1 {
					return i + 2
				}
				i++
			}
		}
	case 'n':
		if len(member) > 1 && member[1] == '1' {
			return 2
		}
		end := byte(0)
		if len(member) > 1 && member[1] == '0' {
			end = 0xff
		}
		for i := 6; i < len(member); i++ {
			if member[i] == end {
				return i + 1
			}
		}
	}
	return 0
}
