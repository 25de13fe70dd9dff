package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// YAML returns JSON as YAML that [Parse] reads as the same value; numbers other than short integers keep the precision of
// float64. The order of keys stays.
func YAML(data []byte) ([]byte, error) {
	n, p := parseJSON(data)
	if p != nil {
		return nil, fmt.Errorf("write YAML: line %d, column %d: %s", p.Line, p.Column, p.What)
	}
	if err := n.plainNumbers(); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	var b bytes.Buffer
	n.write(&b, "")
	return b.Bytes(), nil
}

var integer = regexp.MustCompile(`^-?[0-9]{1,18}$`)

// plainNumbers writes all numbers so that every reader of YAML takes them for numbers: 1E3 is text to some.
func (n *Node) plainNumbers() error {
	if n.kind == number && !integer.MatchString(n.value) {
		f, err := strconv.ParseFloat(n.value, 64)
		if err != nil {
			return fmt.Errorf("number %s is out of range", n.value)
		}
		n.value = strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(n.value, ".") {
			n.value += ".0"
		}
	}
	for _, item := range n.items {
		if err := item.plainNumbers(); err != nil {
			return err
		}
	}
	for _, k := range n.keys {
		if err := k.value.plainNumbers(); err != nil {
			return err
		}
	}
	return nil
}

// write writes a node in block style, from the start of a line on, and ends the line.
func (n *Node) write(b *bytes.Buffer, indent string) {
	switch {
	case n.kind == mapping && len(n.keys) > 0:
		for _, k := range n.keys {
			b.WriteString(indent + scalar(k.name) + ":")
			k.value.writeInside(b, indent+"  ")
		}
	case n.kind == list && len(n.items) > 0:
		for _, item := range n.items {
			var inner bytes.Buffer
			item.write(&inner, indent+"  ")
			b.WriteString(indent + "- ")
			b.Write(bytes.TrimPrefix(inner.Bytes(), []byte(indent+"  ")))
		}
	default:
		b.WriteString(indent + n.inline() + "\n")
	}
}

// writeInside writes the value of a key, after the colon.
func (n *Node) writeInside(b *bytes.Buffer, indent string) {
	nested := n.kind == mapping && len(n.keys) > 0 ||
		n.kind == list && slices.ContainsFunc(n.items, func(i *Node) bool { return i.kind >= list })
	if !nested {
		b.WriteString(" " + n.inline() + "\n")
		return
	}
	b.WriteByte('\n')
	n.write(b, indent)
}

// inline returns a scalar, an empty mapping, or a list of scalars.
func (n *Node) inline() string {
	switch n.kind {
	case null:
		return "null"
	case text:
		return scalar(n.value)
	case mapping:
		return "{}"
	case list:
		items := make([]string, len(n.items))
		for i, item := range n.items {
			items[i] = item.inline()
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return n.value
}

// plain matches what needs no quotes, whatever a reader of YAML makes of special words: reserved are the ones that mean
// something else to some reader.
var (
	plain    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*(:[A-Za-z0-9_./-]+)*$`)
	reserved = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|y|n|null|nan|inf)$`)
)

// scalar returns text as a YAML scalar: plain where that is safe, and in double quotes, as JSON writes it, where it is not.
func scalar(s string) string {
	if plain.MatchString(s) && !reserved.MatchString(s) {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic("document: encode text: " + err.Error()) // text always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}
