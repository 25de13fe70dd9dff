package config

import (
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// Encode returns a configuration struct as [Parse] and [Decoder.Decode] read it: nested maps of what is not zero. Options of
// adapters go through options, and other texts through text, which may redact them.
func Encode(v any, options func(map[string]any) map[string]any, text func(string) string) map[string]any {
	e := encoder{options, text}
	m, _ := e.value(reflect.ValueOf(v)).(map[string]any)
	return m
}

type encoder struct {
	options func(map[string]any) map[string]any
	text    func(string) string
}

func (e encoder) value(v reflect.Value) any {
	t := v.Type()
	switch {
	case t == reflect.TypeFor[time.Duration]() || t == reflect.TypeFor[flow.Duration]():
		return FormatDuration(time.Duration(v.Int()))
	case IsLevel(t):
		return strings.ToLower(v.Interface().(slog.Level).String())
	case IsOptions(t):
		return e.options(v.Convert(reflect.TypeFor[map[string]any]()).Interface().(map[string]any))
	case t.Kind() == reflect.Pointer:
		return e.value(v.Elem())
	case t.Kind() == reflect.Map:
		m := map[string]any{}
		for _, k := range v.MapKeys() {
			m[k.String()] = e.value(v.MapIndex(k))
		}
		return m
	case t.Kind() == reflect.Struct:
		return e.fields(v)
	case t.Kind() == reflect.String:
		return e.text(v.String())
	}
	return v.Interface()
}

func (e encoder) fields(v reflect.Value) map[string]any {
	m := map[string]any{}
	for _, f := range Fields(v.Type()) {
		x := v.Field(f.Index)
		switch {
		case x.IsZero():
		case f.Inline:
			maps.Copy(m, e.value(x).(map[string]any))
		default:
			m[f.Name] = e.value(x)
		}
	}
	return m
}
