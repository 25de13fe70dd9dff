package adapter

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
)

// maxPadding is how many zeros a canonical number is padded with before it gets an exponent.
const maxPadding = 21

// Canonical returns raw in the one form that equal values share: keys sorted by their bytes, no white space, no needless
// escapes, and numbers as exact decimals in their shortest spelling (1.0 and 10e-1 become 1; no digit is ever lost). The
// result is new memory. The errors are those of [Validate].
func Canonical(raw json.RawMessage) (json.RawMessage, error) {
	if err := Validate(raw); err != nil {
		return nil, err
	}
	d := document{raw: raw, nodes: make([]node, 0, 16)}
	d.parse(skipSpace(raw, 0))
	return d.append(make([]byte, 0, len(raw)), 0), nil
}

// document is a valid JSON document as a tree: objects are put in order after their extent is known, without copying what
// is inside of them again for each level.
type document struct {
	raw   []byte
	nodes []node
	order []int // scratch: the members of the objects that are being written
}

// node is a value. The children of an array or object are linked in the order of the document; 0 ends the list.
type node struct {
	start, end  int
	key         []byte // unescaped; members of objects only
	child, next int
}

// parse adds the value at i with all that it contains, and returns its number and where it ends. Its recursion is bounded
// by MaxDepth.
func (d *document) parse(i int) (n, end int) {
	n = len(d.nodes)
	d.nodes = append(d.nodes, node{start: i})
	switch d.raw[i] {
	case '"':
		end, _, _ = scanString(d.raw, i+1)
		end++
	case '{', '[':
		end = d.parseMembers(n, i)
	default:
		end, _ = scanScalar(d.raw, i)
	}
	d.nodes[n].end = end
	return n, end
}

func (d *document) parseMembers(n, i int) (end int) {
	object, last := d.raw[i] == '{', 0
	i = skipSpace(d.raw, i+1)
	for d.raw[i] != '}' && d.raw[i] != ']' {
		var key []byte
		if object {
			quote, escaped, _ := scanString(d.raw, i+1)
			key = d.raw[i+1 : quote]
			if escaped {
				key = appendUnescaped(nil, key)
			}
			i = skipSpace(d.raw, skipSpace(d.raw, quote+1)+1)
		}
		var member int
		member, i = d.parse(i)
		d.nodes[member].key = key
		if last == 0 {
			d.nodes[n].child = member
		} else {
			d.nodes[last].next = member
		}
		last = member
		if i = skipSpace(d.raw, i); d.raw[i] == ',' {
			i = skipSpace(d.raw, i+1)
		}
	}
	return i + 1
}

func (d *document) append(dst []byte, n int) []byte {
	v := &d.nodes[n]
	switch c := d.raw[v.start]; c {
	case '"':
		s := d.raw[v.start+1 : v.end-1]
		if bytes.IndexByte(s, '\\') < 0 {
			return append(dst, d.raw[v.start:v.end]...)
		}
		return appendQuoted(dst, appendUnescaped(make([]byte, 0, len(s)), s))
	case '[':
		dst = append(dst, '[')
		for m := v.child; m != 0; m = d.nodes[m].next {
			if m != v.child {
				dst = append(dst, ',')
			}
			dst = d.append(dst, m)
		}
		return append(dst, ']')
	case '{':
		from := len(d.order)
		for m := v.child; m != 0; m = d.nodes[m].next {
			d.order = append(d.order, m)
		}
		to := len(d.order)
		slices.SortFunc(d.order[from:], func(a, b int) int { return bytes.Compare(d.nodes[a].key, d.nodes[b].key) })
		dst = append(dst, '{')
		for k := from; k < to; k++ {
			if k > from {
				dst = append(dst, ',')
			}
			dst = append(appendQuoted(dst, d.nodes[d.order[k]].key), ':')
			dst = d.append(dst, d.order[k])
		}
		d.order = d.order[:from]
		return append(dst, '}')
	case 't', 'f', 'n':
		return append(dst, d.raw[v.start:v.end]...)
	default:
		return appendNumber(dst, d.raw[v.start:v.end])
	}
}

// appendQuoted appends characters as a JSON string that escapes only what it must.
func appendQuoted(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for {
		i := bytes.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == '"' || r == '\\' })
		if i < 0 {
			return append(append(dst, s...), '"')
		}
		dst = append(dst, s[:i]...)
		switch c := s[i]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		s = s[i+1:]
	}
}

// appendNumber appends a number that scanNumber has accepted in canonical form.
func appendNumber(dst, number []byte) []byte {
	if number[0] == '-' {
		dst = append(dst, '-')
		number = number[1:]
	}
	// The value is digits * 10^exp.
	from, exp := len(dst), 0
	mantissa := number
	if i := bytes.IndexAny(number, "eE"); i >= 0 {
		digits, negative := number[i+1:], number[i+1] == '-'
		if negative || digits[0] == '+' {
			digits = digits[1:]
		}
		if exp, _ = exponent(digits); negative {
			exp = -exp
		}
		mantissa = number[:i]
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte{'.'})
	exp -= len(fraction)
	if whole[0] != '0' {
		dst = append(dst, whole...)
	} else {
		fraction = bytes.TrimLeft(fraction, "0")
	}
	dst = append(dst, fraction...)
	for len(dst) > from && dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
		exp++
	}
	count := len(dst) - from
	if count == 0 { // zero has no sign
		if from > 0 && dst[from-1] == '-' {
			dst = dst[:from-1]
		}
		return append(dst, '0')
	}
	point := count + exp // where the decimal point is, counted from the first digit
	switch {
	case exp >= 0 && exp <= maxPadding:
		for range exp {
			dst = append(dst, '0')
		}
	case exp < 0 && point > 0:
		dst = slices.Insert(dst, from+point, '.')
	case exp < 0 && -point <= maxPadding:
		dst = slices.Insert(dst, from, []byte("0.000000000000000000000")[:2-point]...)
	default:
		if count > 1 {
			dst = slices.Insert(dst, from+1, '.')
		}
		dst = strconv.AppendInt(append(dst, 'e'), int64(point-1), 10)
	}
	return dst
}
