package document

import "encoding/json"

// Entry is a key of a mapping with its place and its value.
type Entry struct {
	Key          string
	Line, Column int // of the key, from 1
	Value        *Node
}

// Place returns the line and the column where a node begins, from 1.
func (n *Node) Place() (line, column int) { return n.at.line, n.at.column }

// Content returns what a node holds: nil, a bool, a [json.Number], a string, a []*Node (list), or an []Entry (mapping, in its
// order), for packages that decode documents in a way of their own.
func (n *Node) Content() any {
	switch n.kind {
	case list:
		return n.items
	case mapping:
		entries := make([]Entry, len(n.keys))
		for i, k := range n.keys {
			entries[i] = Entry{Key: k.name, Line: k.at.line, Column: k.at.column, Value: k.value}
		}
		return entries
	case number:
		return json.Number(n.value)
	case boolean:
		return n.value == "true"
	case text:
		return n.value
	default:
		return nil
	}
}
