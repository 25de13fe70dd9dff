package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Decode writes a document into v, a pointer to a struct with json tags. Every mistake is in the error, an [Errors]; v is then
// partly written. A null counts as absent. Types that implement [json.Unmarshaler] decode their scalars themselves; their
// mappings are decoded field by field. A [json.RawMessage] takes any value, as JSON.
func Decode(n *Node, file string, v any) error {
	d := &decoder{file: file}
	d.decode(n, reflect.ValueOf(v).Elem(), "the document")
	if len(d.found) > 0 {
		return d.found
	}
	return nil
}

type decoder struct {
	file  string
	found Errors
}

func (d *decoder) report(at place, format string, args ...any) {
	d.found = append(d.found, Problem{d.file, at.line, at.column, fmt.Sprintf(format, args...)})
}

// decode writes n into v. where names the value in messages.
func (d *decoder) decode(n *Node, v reflect.Value, where string) {
	if n.kind == null {
		return
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.decode(n, v.Elem(), where)
		return
	}
	if raw, ok := reflect.TypeAssert[*json.RawMessage](v.Addr()); ok {
		*raw = n.raw()
		return
	}
	if u, ok := reflect.TypeAssert[json.Unmarshaler](v.Addr()); ok && n.kind != mapping && n.kind != list {
		if err := u.UnmarshalJSON(n.json()); err != nil {
			d.report(n.at, "%s: %s", where, err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.object(n, v, where)
	case reflect.Map:
		if !d.expect(n, mapping, where, "a mapping") {
			return
		}
		m := reflect.MakeMapWithSize(v.Type(), len(n.keys))
		for _, k := range n.keys {
			item := reflect.New(v.Type().Elem()).Elem()
			d.decode(k.value, item, inside(where, k.name))
			m.SetMapIndex(reflect.ValueOf(k.name).Convert(v.Type().Key()), item)
		}
		v.Set(m)
	case reflect.Slice:
		if !d.expect(n, list, where, "a list") {
			return
		}
		s := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
		for i, item := range n.items {
			d.decode(item, s.Index(i), fmt.Sprintf("%s[%d]", where, i))
		}
		v.Set(s)
	case reflect.Interface:
		v.Set(reflect.ValueOf(n.any()))
	default:
		d.scalar(n, v, where)
	}
}

func (d *decoder) object(n *Node, v reflect.Value, where string) {
	if !d.expect(n, mapping, where, "a mapping") {
		return
	}
	fields := map[string]int{}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			fields[name] = i
		}
	}
	for _, k := range n.keys {
		if i, ok := fields[k.name]; ok {
			d.decode(k.value, v.Field(i), inside(where, k.name))
			continue
		}
		var known []string
		for name := range fields {
			known = append(known, name)
		}
		slices.Sort(known)
		near := ""
		if c := Nearest(k.name, known); c != "" {
			near = fmt.Sprintf("; did you mean %q?", c)
		}
		d.report(k.at, "unknown key %q in %s%s (keys here are %s)", k.name, where, near, strings.Join(known, ", "))
	}
}

func (d *decoder) scalar(n *Node, v reflect.Value, where string) {
	switch v.Kind() {
	case reflect.String:
		if n.kind == number || n.kind == boolean {
			d.report(n.at, "%s is the %s %s where text belongs: put it in quotes", where, n.kind, n.value)
		} else if d.expect(n, text, where, "text") {
			v.SetString(n.value)
		}
	case reflect.Bool:
		if d.expect(n, boolean, where, "true or false") {
			v.SetBool(n.value == "true")
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if d.expect(n, number, where, "a whole number") {
			i, err := strconv.ParseInt(n.value, 10, v.Type().Bits())
			d.number(n, where, "a whole number", err)
			v.SetInt(i)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if d.expect(n, number, where, "a whole number of 0 or more") {
			i, err := strconv.ParseUint(n.value, 10, v.Type().Bits())
			d.number(n, where, "a whole number of 0 or more", err)
			v.SetUint(i)
		}
	case reflect.Float32, reflect.Float64:
		if d.expect(n, number, where, "a number") {
			f, err := strconv.ParseFloat(n.value, v.Type().Bits())
			d.number(n, where, "a number", err)
			v.SetFloat(f)
		}
	default:
		panic(fmt.Sprintf("document: decode into %s", v.Type()))
	}
}

func (d *decoder) number(n *Node, where, want string, err error) {
	switch {
	case errors.Is(err, strconv.ErrRange):
		d.report(n.at, "%s is %s, which is out of range", where, n.value)
	case err != nil:
		d.report(n.at, "%s is %s where %s belongs", where, n.value, want)
	}
}

// expect reports a node that is not of the kind that belongs there.
func (d *decoder) expect(n *Node, want kind, where, what string) bool {
	if n.kind == want {
		return true
	}
	has := n.kind.String()
	switch n.kind {
	case text:
		has = fmt.Sprintf("the text %.60q", n.value)
	case number, boolean:
		has += " " + n.value
	}
	d.report(n.at, "%s is %s where %s belongs", where, has, what)
	return false
}

func (k kind) String() string {
	return [...]string{"null", "boolean", "number", "text", "a list", "a mapping"}[k]
}

// inside names a key of what where names.
func inside(where, name string) string {
	if where == "the document" {
		return name
	}
	return where + "." + name
}

// json returns a scalar as JSON.
func (n *Node) json() []byte {
	if n.kind == text {
		b, _ := json.Marshal(n.value) // a string always encodes
		return b
	}
	return []byte(n.value)
}

// raw returns a node as JSON, whatever it is.
func (n *Node) raw() []byte {
	b, _ := json.Marshal(n.any()) // what was read from JSON or YAML always encodes
	return b
}

// any returns a node as encoding/json would decode it, with numbers as json.Number.
func (n *Node) any() any {
	switch n.kind {
	case boolean:
		return n.value == "true"
	case number:
		return json.Number(n.value)
	case text:
		return n.value
	case list:
		l := make([]any, len(n.items))
		for i, item := range n.items {
			l[i] = item.any()
		}
		return l
	case mapping:
		m := make(map[string]any, len(n.keys))
		for _, k := range n.keys {
			m[k.name] = k.value.any()
		}
		return m
	}
	return nil
}
