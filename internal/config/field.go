package config

import (
	"encoding"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// Field is a key that a struct allows.
type Field struct {
	Name      string
	Index     int
	Type      reflect.Type
	Unit      string
	Default   string
	Min, Max  string
	Enum      []string
	Shorthand string
	Inline    bool
}

// foreignTags are the tags of fields of structs that know nothing of configuration.
var foreignTags = map[reflect.Type]map[string]reflect.StructTag{
	reflect.TypeFor[flow.Backoff](): {
		"kind": `enum:"fixed,exponential"`, "base": `min:"0"`, "max": `min:"0"`, "jitter": `min:"0" max:"1"`,
	},
}

var fieldCache sync.Map // reflect.Type to []Field

// Fields returns the keys that a struct type allows, in their order. Fields without a json name have none.
func Fields(t reflect.Type) []Field {
	if cached, ok := fieldCache.Load(t); ok {
		return cached.([]Field)
	}
	var fields []Field
	for i := range t.NumField() {
		f := t.Field(i)
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		inline := option == "inline"
		if !f.IsExported() || name == "-" || (name == "" && !inline) {
			continue
		}
		tag := f.Tag
		if foreign, ok := foreignTags[t]; ok {
			tag = foreign[name]
		}
		field := Field{
			Name: name, Index: i, Type: f.Type, Inline: inline, Unit: tag.Get("unit"), Default: tag.Get("default"),
			Min: tag.Get("min"), Max: tag.Get("max"), Shorthand: tag.Get("shorthand"),
		}
		if enum := tag.Get("enum"); enum != "" {
			field.Enum = strings.Split(enum, ",")
		}
		fields = append(fields, field)
	}
	fieldCache.Store(t, fields)
	return fields
}

// fieldNamed returns the field of a key, and the inline field if there is one.
func fieldNamed(t reflect.Type, key string) (named, inline *Field) {
	fields := Fields(t)
	for i := range fields {
		switch {
		case fields[i].Inline:
			inline = &fields[i]
		case fields[i].Name == key:
			named = &fields[i]
		}
	}
	return named, inline
}

// Keys returns the keys that a struct type names.
func Keys(t reflect.Type) []string {
	var names []string
	for _, f := range Fields(t) {
		if !f.Inline {
			names = append(names, f.Name)
		}
	}
	return names
}

// shorthand returns the constant that a shorthand sets, and the field that takes the value.
func (f Field) shorthand() (key, value, into string) {
	constant, into, _ := strings.Cut(f.Shorthand, ",")
	key, value, _ = strings.Cut(constant, "=")
	return key, value, into
}

// IsDuration reports whether a type is a duration: time.Duration or flow.Duration.
func IsDuration(t reflect.Type) bool {
	return t == reflect.TypeFor[time.Duration]() || t == reflect.TypeFor[flow.Duration]()
}

// IsLevel reports whether a type is a log level.
func IsLevel(t reflect.Type) bool { return t == reflect.TypeFor[slog.Level]() }

// IsOptions reports whether a type holds the options of an adapter, which only the adapter knows.
func IsOptions(t reflect.Type) bool {
	return t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Interface
}

// isSection reports whether values of a type are mappings.
func isSection(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return (t.Kind() == reflect.Struct && !isText(t)) || t.Kind() == reflect.Map
}

// isText reports whether a type reads itself from text.
func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}
