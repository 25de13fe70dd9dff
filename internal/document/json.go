package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// jsonReader builds nodes from the tokens of a JSON text.
type jsonReader struct {
	data []byte
	dec  *json.Decoder
	// The place that was computed last, and its offset: places are asked for in order.
	last   place
	offset int
}

func parseJSON(data []byte) (*Node, *Problem) {
	if !utf8.Valid(data) {
		return nil, problemAt(place{1, 1}, "the document is not UTF-8")
	}
	r := &jsonReader{data: data, dec: json.NewDecoder(bytes.NewReader(data)), last: place{1, 1}}
	r.dec.UseNumber()
	n, p := r.value(0)
	if p != nil {
		return nil, p
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, problemAt(r.next(), "something follows the document")
	}
	return n, nil
}

// next returns the place of the token that comes next.
func (r *jsonReader) next() place {
	end := int(r.dec.InputOffset())
	for end < len(r.data) && strings.IndexByte(" \t\r\n,:", r.data[end]) >= 0 {
		end++
	}
	for _, c := range string(r.data[r.offset:end]) {
		if c == '\n' {
			r.last.line++
			r.last.column = 0
		}
		r.last.column++
	}
	r.offset = end
	return r.last
}

func (r *jsonReader) value(depth int) (*Node, *Problem) {
	n := &Node{at: r.next()}
	if depth > maxDepth {
		return nil, problemAt(n.at, "the document is nested deeper than %d", maxDepth)
	}
	t, err := r.dec.Token()
	if err != nil {
		return nil, r.broken(n.at, err)
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			n.kind = list
			return n, r.list(n, depth)
		}
		n.kind = mapping
		return n, r.mapping(n, depth)
	case string:
		n.kind, n.value = text, t
	case json.Number:
		n.kind, n.value = number, string(t)
	case bool:
		n.kind, n.value = boolean, "false"
		if t {
			n.value = "true"
		}
	}
	return n, nil
}

func (r *jsonReader) list(n *Node, depth int) *Problem {
	for r.dec.More() {
		item, p := r.value(depth + 1)
		if p != nil {
			return p
		}
		n.items = append(n.items, item)
	}
	return r.end()
}

func (r *jsonReader) mapping(n *Node, depth int) *Problem {
	seen := map[string]int{} // the lines of the keys
	for r.dec.More() {
		at := r.next()
		t, err := r.dec.Token()
		if err != nil {
			return r.broken(at, err)
		}
		name, _ := t.(string) // the decoder takes nothing else as a key
		if line, dup := seen[name]; dup {
			return problemAt(at, "key %q is here twice, first in line %d", name, line)
		}
		seen[name] = at.line
		v, p := r.value(depth + 1)
		if p != nil {
			return p
		}
		n.keys = append(n.keys, key{name, at, v})
	}
	return r.end()
}

// end takes the closing bracket.
func (r *jsonReader) end() *Problem {
	at := r.next()
	if _, err := r.dec.Token(); err != nil {
		return r.broken(at, err)
	}
	return nil
}

func (r *jsonReader) broken(at place, err error) *Problem {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return problemAt(at, "the document ends too early")
	}
	return problemAt(at, "this is not JSON: %s", err)
}
