package config

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/nvent-go/nvent/internal/document"
)

// Decoder turns nodes into Go values and collects what is wrong with them.
type Decoder struct {
	// Guarded says that the values are an adapter's, of which any may be a secret: problems then show only harmless ones.
	Guarded bool
	// Origins, if not nil, learns where every path came from.
	Origins  Origins
	Problems []Problem
	// root is what the search for a misplaced key begins with.
	root reflect.Type
}

// Decode fills the struct that into points to from a mapping. What the mapping does not name stays as it is.
func (d *Decoder) Decode(n *Node, into any) {
	v := reflect.ValueOf(into).Elem()
	d.root = v.Type()
	d.value(n, v, Field{Type: v.Type()})
}

func (d *Decoder) refuse(n *Node, what, fix string) *Problem {
	d.Problems = append(d.Problems, Problem{Where: n.Pos.String(), Key: n.Path, What: what, Fix: fix})
	return &d.Problems[len(d.Problems)-1]
}

func (d *Decoder) value(n *Node, v reflect.Value, f Field) {
	if n.broken {
		return
	}
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		p := reflect.New(t.Elem())
		if !v.IsNil() {
			p.Elem().Set(v.Elem())
		}
		d.value(n, p.Elem(), f)
		v.Set(p)
		return
	}
	if f.Shorthand != "" && n.Kind != Map && n.Kind != Null {
		n = f.expandShorthand(n)
	}
	switch {
	case t.Kind() == reflect.Interface:
		if x := n.goValue(d.Origins); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	case n.Kind == Null && !isSection(t):
		d.refuse(n, "has no value", "give it one, or remove the key")
	case isText(t):
		d.text(n, v)
	case t.Kind() == reflect.Struct:
		d.mapping(n, v)
	case t.Kind() == reflect.Map:
		d.entries(n, v, f)
	case t.Kind() == reflect.Slice:
		d.list(n, v, f)
	default:
		d.scalar(n, v, f)
	}
}

// expandShorthand returns the mapping that a single value stands for.
func (f Field) expandShorthand(n *Node) *Node {
	key, value, into := f.shorthand()
	constant := &Node{Kind: Text, Value: value, Path: Join(n.Path, key), Pos: n.Pos}
	short := *n
	short.Path = Join(n.Path, into)
	return &Node{Kind: Map, Path: n.Path, Pos: n.Pos, Entries: []Entry{
		{Key: key, Pos: n.Pos, Value: constant}, {Key: into, Pos: n.Pos, Value: &short},
	}}
}

func (d *Decoder) isMapping(n *Node) bool {
	if n.Kind != Map && n.Kind != Null {
		d.refuse(n, "is "+n.Kind.String()+", not a mapping", "write its keys below it, indented")
		return false
	}
	return true
}

func (d *Decoder) mapping(n *Node, v reflect.Value) {
	if !d.isMapping(n) {
		return
	}
	sections := map[string]Entry{}
	for _, e := range n.Entries {
		named, inline := fieldNamed(v.Type(), e.Key)
		switch {
		case named != nil:
			d.Origins.record(e.Value, e.Pos)
			d.value(e.Value, v.Field(named.Index), *named)
		case inline != nil && (e.Value.Kind == Map || e.Value.Kind == Null):
			sections[e.Key] = e
		case e.Pos.Env != "" && d.Guarded && d.flattened(e, v):
		default:
			d.unknown(e, v.Type(), inline != nil)
		}
	}
	for _, f := range Fields(v.Type()) {
		if f.Inline && len(sections) > 0 {
			d.sections(n, sections, v.Field(f.Index))
		}
	}
}

// sections fills the inline map of a struct.
func (d *Decoder) sections(n *Node, sections map[string]Entry, into reflect.Value) {
	into.Set(reflect.MakeMap(into.Type()))
	for _, e := range n.Entries {
		if _, ok := sections[e.Key]; ok {
			d.entry(e, into, Field{})
		}
	}
}

// flattened finds the field for an option that was set by an environment variable, whose name does not tell where the option
// is nested or which letters are capitals.
func (d *Decoder) flattened(e Entry, v reflect.Value) bool {
	wanted := snake(e.Key)
	for _, f := range Fields(v.Type()) {
		name := snake(f.Name)
		if wanted == name {
			d.value(e.Value, v.Field(f.Index), f)
			return true
		}
		if rest, ok := strings.CutPrefix(wanted, name+"_"); ok && f.Type.Kind() == reflect.Struct {
			if d.flattened(Entry{Key: rest, Pos: e.Pos, Value: e.Value}, v.Field(f.Index)) {
				return true
			}
		}
	}
	return false
}

func (d *Decoder) unknown(e Entry, t reflect.Type, sections bool) {
	names := Keys(t)
	p := Problem{Where: e.Pos.String(), Key: e.Value.Path, What: "unknown key", Near: document.Nearest(e.Key, names)}
	if len(names) == 0 {
		p.Fix = "no keys are allowed here"
	} else {
		p.Fix = "allowed here: " + strings.Join(names, ", ")
	}
	if sections {
		p.Fix += ", and a mapping named like an adapter"
	}
	if places := placesOf(d.root, e.Key, ""); p.Near == "" && len(places) > 0 && !d.Guarded {
		p.What, p.Fix = "unknown key here", "it belongs to "+strings.Join(places, " or ")
	}
	d.Problems = append(d.Problems, p)
}

// placesOf returns the paths below t that end with key.
func placesOf(t reflect.Type, key, path string) []string {
	var places []string
	for _, f := range Fields(t) {
		if f.Inline {
			continue
		}
		p := Join(path, f.Name)
		switch {
		case f.Name == key:
			places = append(places, p)
		case f.Type.Kind() == reflect.Struct && !isText(f.Type):
			places = append(places, placesOf(f.Type, key, p)...)
		}
	}
	return places
}

func (d *Decoder) entries(n *Node, v reflect.Value, f Field) {
	if !d.isMapping(n) {
		return
	}
	if n.Kind == Map {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for _, e := range n.Entries {
		d.entry(e, v, f)
	}
}

func (d *Decoder) entry(e Entry, into reflect.Value, f Field) {
	d.Origins.record(e.Value, e.Pos)
	item := reflect.New(into.Type().Elem()).Elem()
	d.value(e.Value, item, Field{Type: item.Type(), Unit: f.Unit})
	into.SetMapIndex(reflect.ValueOf(e.Key).Convert(into.Type().Key()), item)
}

func (d *Decoder) list(n *Node, v reflect.Value, f Field) {
	items := n.Items
	switch {
	case n.Kind == List:
	case n.Kind == Text && n.Expanded:
		for i, part := range strings.Split(n.Value.(string), ",") {
			item := *n
			item.Value, item.Path = strings.TrimSpace(part), itemPath(n.Path, i)
			items = append(items, &item)
		}
	default:
		d.refuse(n, "is "+n.Kind.String()+", not a list", "write [a, b], or one item a line, each after a dash")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		d.value(item, v.Index(i), Field{Type: v.Type().Elem(), Unit: f.Unit})
	}
}

func (d *Decoder) text(n *Node, v reflect.Value) {
	if n.Kind != Text {
		d.refuse(n, fmt.Sprintf("is %s, not text", n.Kind), "put quotes around it")
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value.(string))); err == nil {
		return
	}
	// What UnmarshalText says may repeat the text, which may be a secret.
	if IsLevel(v.Type()) {
		d.refuse(n, n.show(d.Guarded)+" is not a log level", "use debug, info, warn or error").Near =
			document.Nearest(n.Value.(string), []string{"debug", "info", "warn", "error"})
		return
	}
	d.refuse(n, n.show(d.Guarded)+" is not valid here", "")
}

// goValue returns the value of a node as options hold it: nil, bool, int64, uint64 (if int64 is too small), float64, string,
// []any, map[string]any.
func (n *Node) goValue(origins Origins) any {
	switch n.Kind {
	case Null:
		return nil
	case List:
		list := make([]any, len(n.Items))
		for i, item := range n.Items {
			origins.record(item, item.Pos)
			list[i] = item.goValue(origins)
		}
		return list
	case Map:
		m := make(map[string]any, len(n.Entries))
		for _, e := range n.Entries {
			origins.record(e.Value, e.Pos)
			m[e.Key] = e.Value.goValue(origins)
		}
		return m
	case Int:
		if u, ok := n.Value.(uint64); ok && u <= math.MaxInt64 {
			return int64(u)
		}
	default:
	}
	return n.Value
}
