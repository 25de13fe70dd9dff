package decode

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// Reader reads a JSON document of a known shape without reflection, whatever the order of its keys and its white space. It
// knows the usual only: what it does not (an escape in a string, a null, a number that does not fit, ...) makes it bad, and
// it reads nothing more. Then decode the document with [JSON], which knows all, and reports what is wrong.
//
//	r := decode.NewReader(body)
//	for key := range r.Object {
//		switch string(key) {
//		case "seq":
//			s.Seq = r.Uint()
//		case "steps":
//			for range r.Array {
//				s.Steps = append(s.Steps, readStep(r))
//			}
//		default:
//			r.Unknown()
//		}
//	}
//	if !r.Done() { ... }
//
// Unlike encoding/json it does not look at the case of keys, and of equal keys in one object the last one counts for all that
// is not appended. Documents that have passed adapter.Validate have none.
type Reader struct {
	data []byte
	at   int
	bad  bool
}

// NewReader returns a reader of one document.
func NewReader(data []byte) *Reader { return &Reader{data: data} }

// Done reports whether all of the document was read, and nothing but the usual was in it.
func (r *Reader) Done() bool {
	return r.peek() == 0 && !r.bad && r.at == len(r.data)
}

// Unknown makes the reader bad: the document has a key that the caller does not know.
func (r *Reader) Unknown() { r.bad = true }

// peek returns the next byte that is not white space, or 0 if there is none, or the reader is bad.
func (r *Reader) peek() byte {
	for !r.bad && r.at < len(r.data) {
		switch c := r.data[r.at]; c {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return c
		}
	}
	return 0
}

// take reads one byte, which must be c.
func (r *Reader) take(c byte) {
	if r.peek() != c {
		r.bad = true
		return
	}
	r.at++
}

// Object reads an object: it calls value with each key, which must read the value. The key is valid until the value is read.
// Breaking off makes the reader bad.
func (r *Reader) Object(value func(key []byte) bool) {
	r.list('{', '}', func() bool {
		key := r.Bytes()
		r.take(':')
		return !r.bad && value(key)
	})
}

// Array reads an array: it calls item for each element, which must read it. Breaking off makes the reader bad.
func (r *Reader) Array(item func() bool) { r.list('[', ']', item) }

func (r *Reader) list(open, end byte, item func() bool) {
	r.take(open)
	if r.peek() == end {
		r.at++
		return
	}
	for !r.bad {
		if !item() {
			r.bad = true
		}
		if r.peek() == end {
			r.at++
			return
		}
		r.take(',')
	}
}

// Bytes reads a string and returns it as a part of the document: the caller must copy what it keeps.
func (r *Reader) Bytes() []byte {
	r.take('"')
	if r.bad {
		return nil
	}
	n := bytes.IndexByte(r.data[r.at:], '"')
	if n < 0 {
		r.bad = true
		return nil
	}
	s := r.data[r.at : r.at+n]
	r.at += n + 1
	plain := true
	for _, c := range s {
		if c < 0x20 || c == '\\' {
			r.bad = true
			return nil
		}
		plain = plain && c < utf8.RuneSelf
	}
	if !plain && !utf8.Valid(s) {
		r.bad = true
		return nil
	}
	return s
}

// String reads a string.
func (r *Reader) String() string { return string(r.Bytes()) }

// Bool reads true or false.
func (r *Reader) Bool() bool {
	c := r.peek()
	word := "false"
	if c == 't' {
		word = "true"
	}
	if !bytes.HasPrefix(r.data[r.at:], []byte(word)) {
		r.bad = true
		return false
	}
	r.at += len(word)
	return c == 't' && !r.bad
}

// Int reads an integer.
func (r *Reader) Int() int { return int(r.integer(strconv.IntSize)) }

// Int64 reads an integer.
func (r *Reader) Int64() int64 { return r.integer(64) }

func (r *Reader) integer(bits int) int64 {
	negative := r.peek() == '-'
	if negative {
		r.at++
	}
	n, limit := r.digits(), uint64(1)<<(bits-1)
	if negative && n <= limit {
		return -int64(n)
	}
	if n >= limit {
		r.bad = true
		return 0
	}
	return int64(n)
}

// Uint reads an integer that is not negative.
func (r *Reader) Uint() uint64 {
	r.peek()
	return r.digits()
}

func (r *Reader) digits() (n uint64) {
	start := r.at
	for ; r.at < len(r.data) && !r.bad; r.at++ {
		c := r.data[r.at]
		if c < '0' || c > '9' {
			break
		}
		d := uint64(c - '0')
		if n > (1<<64-1-d)/10 {
			r.bad = true
			return 0
		}
		n = 10*n + d
	}
	switch {
	case r.at == start, r.at > start+1 && r.data[start] == '0':
		r.bad = true
	case r.at < len(r.data) && (r.data[r.at] == '.' || r.data[r.at] == 'e' || r.data[r.at] == 'E'):
		r.bad = true
	}
	if r.bad {
		return 0
	}
	return n
}

// Uints reads an array of integers that are not negative. It is never nil.
func (r *Reader) Uints() []uint64 {
	list := make([]uint64, 0, 4)
	for range r.Array {
		list = append(list, r.Uint())
	}
	return list
}

// Strings reads an array of strings. It is never nil.
func (r *Reader) Strings() []string {
	list := []string{}
	for range r.Array {
		list = append(list, r.String())
	}
	return list
}

// StringMap reads an object of strings. It is never nil.
func (r *Reader) StringMap() map[string]string {
	m := map[string]string{}
	for key := range r.Object {
		name := string(key)
		m[name] = r.String()
	}
	return m
}
