package flow

import (
	"encoding/json"
	"reflect"
)

// fits reports whether JSON written from one type is meant to be read as the other: the types are equal but for pointers, or
// one of them takes any JSON. struct{} says that nobody looks at the value.
func fits(from, to reflect.Type) bool {
	from, to = pointee(from), pointee(to)
	return from == to || untyped(from) || untyped(to) || to == reflect.TypeFor[struct{}]()
}

func pointee(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func untyped(t reflect.Type) bool {
	return t.Kind() == reflect.Interface || t == reflect.TypeFor[json.RawMessage]()
}
