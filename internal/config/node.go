package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is what a node of a configuration is.
type Kind int

// The kinds of node.
const (
	Null Kind = iota
	Bool
	Int
	Float
	Text
	List
	Map
)

// String names the kind for a person.
func (k Kind) String() string {
	return [...]string{"nothing", "true or false", "a whole number", "a number", "text", "a list", "a mapping"}[k]
}

// Position is where something was written. The zero value means Go code.
type Position struct {
	File      string
	Line, Col int
	Env       string // the environment variable, instead of a file
}

// String returns "nvent.yaml:3:12", the name of the variable, or "".
func (p Position) String() string {
	switch {
	case p.Env != "":
		return p.Env
	case p.File != "":
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
	}
	return ""
}

// Node is a value of a configuration before it has a Go type.
type Node struct {
	Kind  Kind
	Value any    // bool, int64, uint64, float64 or string; nil for the other kinds
	Path  string // "queue.redis.port"
	Pos   Position
	// Expanded says that the text came from the environment, in part or as a whole, so that it becomes whatever type is
	// wanted; Source is then how it was written.
	Expanded bool
	Source   string
	broken   bool // a problem of it is known, and its value means nothing
	Entries  []Entry
	Items    []*Node
}

// Entry is a key of a mapping with its value.
type Entry struct {
	Key   string
	Pos   Position
	Value *Node
}

// child returns the value of a key, or nil.
func (n *Node) child(key string) *Node {
	for _, e := range n.Entries {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

// keys returns the keys of a mapping in their order.
func (n *Node) keys() []string {
	keys := make([]string, 0, len(n.Entries))
	for _, e := range n.Entries {
		keys = append(keys, e.Key)
	}
	return keys
}

// Join returns the path of a key below path. Keys that do not read as one word are quoted.
func Join(path, key string) string {
	plain := key != "" && !strings.ContainsFunc(key, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	switch {
	case !plain:
		return path + "[" + strconv.Quote(shorten(key)) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

// Origin is where a key and its value come from.
type Origin struct {
	Key, Value Position
	Expanded   bool
}

// Origins tells where each path of a configuration comes from. nil knows nothing.
type Origins map[string]Origin

func (o Origins) record(n *Node, key Position) {
	if o != nil {
		o[n.Path] = Origin{Key: key, Value: n.Pos, Expanded: n.Expanded}
	}
}

// FromGo returns the node of a Go value: nil, booleans, numbers, strings, durations, [encoding.TextMarshaler], and slices and
// maps of those. Origins gives what came from a file or the environment its position back.
func FromGo(v any, path string, origins Origins) (*Node, error) {
	o := origins[path]
	n := &Node{Path: path, Pos: o.Value, Expanded: o.Expanded}
	switch v := v.(type) {
	case nil:
		return n, nil
	case time.Duration:
		n.Kind, n.Value, n.Expanded = Text, v.String(), true
		return n, nil
	case encoding.TextMarshaler:
		b, err := v.MarshalText()
		n.Kind, n.Value = Text, string(b)
		return n, err
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Bool:
		n.Kind, n.Value = Bool, r.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n.Kind, n.Value = Int, r.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n.Kind, n.Value = Int, r.Uint()
	case reflect.Float32, reflect.Float64:
		n.Kind, n.Value = Float, r.Float()
	case reflect.String:
		n.Kind, n.Value = Text, r.String()
	case reflect.Slice, reflect.Array:
		n.Kind = List
		for i := range r.Len() {
			item, err := FromGo(r.Index(i).Interface(), itemPath(path, i), origins)
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, item)
		}
	case reflect.Map:
		return n, n.addEntries(r, origins)
	default:
		return nil, fmt.Errorf("%s: a %T cannot be configured", path, v)
	}
	return n, nil
}

func (n *Node) addEntries(m reflect.Value, origins Origins) error {
	n.Kind = Map
	if m.Type().Key().Kind() != reflect.String {
		return fmt.Errorf("%s: a %s cannot be configured: its keys are no strings", n.Path, m.Type())
	}
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range keys {
		path := Join(n.Path, k.String())
		value, err := FromGo(m.MapIndex(k).Interface(), path, origins)
		if err != nil {
			return err
		}
		n.Entries = append(n.Entries, Entry{Key: k.String(), Pos: origins[path].Key, Value: value})
	}
	return nil
}

// Merge returns a mapping with the entries of all nodes, which are mappings or nil. Of equal keys the last one counts, except
// that mappings merge in turn.
func Merge(nodes ...*Node) *Node {
	merged := &Node{Kind: Map}
	for _, n := range nodes {
		if n == nil {
			continue
		}
		for _, e := range n.Entries {
			i := slices.IndexFunc(merged.Entries, func(m Entry) bool { return m.Key == e.Key })
			switch {
			case i < 0:
				merged.Entries = append(merged.Entries, e)
			case merged.Entries[i].Value.Kind == Map && e.Value.Kind == Map:
				inner := Merge(merged.Entries[i].Value, e.Value)
				inner.Path, inner.Pos = e.Value.Path, e.Value.Pos
				merged.Entries[i].Value = inner
			default:
				merged.Entries[i] = e
			}
		}
	}
	return merged
}

func itemPath(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// Text returns the text at a path of keys, or "".
func (n *Node) Text(keys ...string) string {
	for _, key := range keys {
		if n = n.child(key); n == nil {
			return ""
		}
	}
	text, _ := n.Value.(string)
	return text
}
