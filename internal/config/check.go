package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Check reports what in a configuration struct breaks the bounds that its tags set. Zero values stand for defaults and pass.
func Check(v any, origins Origins) []Problem {
	c := checker{origins: origins}
	c.fields(reflect.ValueOf(v), "")
	return c.problems
}

type checker struct {
	origins  Origins
	problems []Problem
}

func (c *checker) fields(v reflect.Value, path string) {
	for _, f := range Fields(v.Type()) {
		if !f.Inline {
			c.value(v.Field(f.Index), f, Join(path, f.Name))
		}
	}
}

func (c *checker) value(v reflect.Value, f Field, path string) {
	switch {
	case v.IsZero() || IsOptions(v.Type()):
	case v.Kind() == reflect.Struct:
		c.fields(v, path)
	case v.Kind() == reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			c.value(v.MapIndex(k), Field{}, Join(path, k.String()))
		}
	default:
		what, near, fix := f.violation(v, show(v))
		if what == "" {
			what, fix = misplacedURL(v)
		}
		if what != "" {
			where := c.origins[path].Value.String()
			c.problems = append(c.problems, Problem{Where: where, Key: path, What: what, Near: near, Fix: fix})
		}
	}
}

// show returns a Go value as a message may name it.
func show(v reflect.Value) string {
	switch {
	case IsDuration(v.Type()):
		return FormatDuration(time.Duration(v.Int()))
	case v.Kind() == reflect.String:
		return ShowText(v.String())
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10)
	case v.CanFloat():
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	return "this value"
}

// ShowText returns a text in quotes, as a message may name it, or "this text" if it may hold credentials.
func ShowText(s string) string {
	if looksSecret(s) {
		return "this text"
	}
	return strconv.Quote(shorten(s))
}

// SetDefaults fills the zero fields of the struct that v points to with what their tags say. It does not go into maps. A
// default that cannot be read is a programmer's error.
func SetDefaults(v any) { setDefaults(reflect.ValueOf(v).Elem()) }

func setDefaults(v reflect.Value) {
	for _, f := range Fields(v.Type()) {
		x := v.Field(f.Index)
		switch {
		case f.Default != "" && x.IsZero():
			f.setDefault(x)
		case x.Kind() == reflect.Struct:
			setDefaults(x)
		}
	}
}

func (f Field) setDefault(into reflect.Value) {
	n, problems := parseDefault(f.Default)
	var d Decoder
	if len(problems) == 0 {
		d.value(n, into, Field{Unit: f.Unit})
		problems = d.Problems
	}
	if len(problems) > 0 {
		panic("config: bad default of " + f.Name + ": " + problems[0].String())
	}
}

// defaults holds the defaults that have been parsed, by their text: *Node, which nobody changes any more.
var defaults sync.Map

func parseDefault(text string) (*Node, []Problem) {
	if n, ok := defaults.Load(text); ok {
		return n.(*Node), nil
	}
	n, problems := Parse("default", []byte("default: "+text))
	if len(problems) > 0 {
		return nil, problems
	}
	value := n.child("default")
	value.Expanded = value.Kind != Map
	defaults.Store(text, value)
	return value, nil
}
