package adaptertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"strings"
)

// fidelity are JSON values whose meaning must survive a round trip.
var fidelity = []struct{ name, json string }{
	{"object", `{"a":1,"b":[true,false,null],"c":{"d":"e"}}`},
	{"empty object", `{}`},
	{"empty array", `[]`},
	{"empty string", `""`},
	{"null", `null`},
	{"false", `false`},
	{"zero", `0`},
	{"null member", `{"a":null}`},
	{"big integer", `{"n":123456789012345678901234567890}`},
	{"beyond float", `{"n":9007199254740993}`},
	{"long decimal", `{"n":0.1234567890123456789012345678901234567}`},
	{"negative exponent", `{"n":-1.5e-7}`},
	{"unicode", `{"ключ":"日本語 😀 e\u0301 \u00e9"}`},
	{"escapes", `{"s":"\"\\\/\b\f\n\r\t\u2028\u2029\u007f<>&"}`},
	{"deep", strings.Repeat(`[`, 50) + strings.Repeat(`]`, 50)},
	{"keys that mean something elsewhere", `{"$ref":"x","__proto__":1,"a.b":2,"":3,"%":4}`},
}

// sameJSON says how two JSON texts differ in value; nil: they do not. No text at all equals null.
func sameJSON(got, want json.RawMessage) error {
	g, err := decode(got)
	if err != nil {
		return fmt.Errorf("got no JSON: %w: %s", err, clip(got))
	}
	w, err := decode(want)
	if err != nil {
		return fmt.Errorf("want no JSON: %w: %s", err, clip(want))
	}
	if !sameValue(g, w) {
		return fmt.Errorf("got %s, want %s", clip(got), clip(want))
	}
	return nil
}

func decode(raw json.RawMessage) (any, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

func sameValue(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && sameNumber(a, b)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, sameValue)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !sameValue(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	return a == b
}

func sameNumber(a, b json.Number) bool {
	x, ok := new(big.Rat).SetString(string(a))
	y, ok2 := new(big.Rat).SetString(string(b))
	return ok && ok2 && x.Cmp(y) == 0
}

// bulk returns a JSON object of exactly size bytes.
func bulk(size int) json.RawMessage {
	const head, tail = `{"s":"`, `"}`
	return json.RawMessage(head + strings.Repeat("x", size-len(head)-len(tail)) + tail)
}

func clip(raw []byte) string {
	if len(raw) > 200 {
		return fmt.Sprintf("%s... (%d bytes)", raw[:200], len(raw))
	}
	return string(raw)
}
