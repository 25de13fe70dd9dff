// Package encode appends JSON to byte slices: what encoding/json would write, byte for byte, without reflection.
package encode

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// plain says which bytes of a string stay as they are.
var plain = func() (t [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		t[c] = c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	return t
}()

// String appends a string.
func String(b []byte, s string) []byte {
	for i := range len(s) {
		if !plain[s[i]] {
			q, _ := json.Marshal(s) // a string always encodes
			return append(b, q...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// Int appends an integer.
func Int[T ~int | ~int64](b []byte, n T) []byte { return strconv.AppendInt(b, int64(n), 10) }

// Uint appends an integer.
func Uint[T ~uint64](b []byte, n T) []byte { return strconv.AppendUint(b, uint64(n), 10) }

// Bool appends true or false.
func Bool(b []byte, v bool) []byte { return strconv.AppendBool(b, v) }

// Uints appends an array; null, if it is nil.
func Uints(b []byte, list []uint64) []byte {
	return array(b, list, Uint)
}

// Strings appends an array; null, if it is nil.
func Strings(b []byte, list []string) []byte {
	return array(b, list, String)
}

func array[T any](b []byte, list []T, item func([]byte, T) []byte) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = item(b, list[i])
	}
	return append(b, ']')
}

// StringMap appends an object, its keys in order; null, if it is nil.
func StringMap(b []byte, m map[string]string) []byte {
	if m == nil {
		return append(b, "null"...)
	}
	b = append(b, '{')
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(String(b, key), ':')
		b = String(b, m[key])
	}
	return append(b, '}')
}
