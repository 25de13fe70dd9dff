package adapter_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/adapter"
)

func ExampleCanonical() {
	c, err := adapter.Canonical(json.RawMessage(`{"b": 1.50, "a": [1e2, "\u0041"]}`))
	fmt.Println(string(c), err)
	// Output: {"a":[100,"A"],"b":1.5} <nil>
}

func ExampleFields() {
	v, err := adapter.Fields(json.RawMessage(`{"status":"active","tags":["x","y"],"rank":7}`), "rank", "status", "owner")
	fmt.Println(v, err)
	// Output: [7 active <nil>] <nil>
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		` null `:                            `null`,
		`{"b":1,"a":2,"ab":3,"":0}`:         `{"":0,"a":2,"ab":3,"b":1}`,
		"[ 1 ,\t2\r\n, [ ] , { } ]":         `[1,2,[],{}]`,
		`{"z":{"b":[{"y":1,"x":2}]}}`:       `{"z":{"b":[{"x":2,"y":1}]}}`,
		`"\u0041\/\ud83d\ude00\u001f\""`:    `"A/😀\u001f\""`,
		`"\b\f\n\r\t\\"`:                    `"\b\f\n\r\t\\"`,
		`{"\u0062":1,"a":2}`:                `{"a":2,"b":1}`,
		`1.0`:                               `1`,
		`1e0`:                               `1`,
		`10e-1`:                             `1`,
		`-0`:                                `0`,
		`[-0.0e5]`:                          `[0]`,
		`0.00120`:                           `0.0012`,
		`-12.5E+1`:                          `-125`,
		`1e21`:                              `1000000000000000000000`,
		`1e22`:                              `1e22`,
		`123e-4`:                            `0.0123`,
		`1.5e-30`:                           `1.5e-30`,
		`0.1e-21`:                           `0.0000000000000000000001`,
		`123456789012345678901234567890`:    `123456789012345678901234567890`,
		`0.1000000000000000000000000001`:    `0.1000000000000000000000000001`,
		`1e400`:                             `1e400`,
		`12.50e999999999`:                   `1.25e1000000000`,
		`{"a":true,"b":false,"c":"\u00e9"}`: `{"a":true,"b":false,"c":"é"}`,
	} {
		got, err := adapter.Canonical(json.RawMessage(in))
		if err != nil || string(got) != want {
			t.Errorf("Canonical(%s) = %s, %v, want %s", in, got, err, want)
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", adapter.MaxDepth+1) + strings.Repeat("]", adapter.MaxDepth+1)
	for in, want := range map[string]string{
		``:                             "offset 0: it ends where a value",
		`  `:                           "offset 2: it ends where a value",
		`{"a":1} x`:                    "offset 8: something follows",
		`1 2`:                          "offset 2: something follows",
		`{"a":1,"b":2,"a":3}`:          `offset 13: the object has the key "a" twice`,
		`{"a":1,"\u0061":3}`:           "twice",
		`[{"x":{"a":1,"b":{},"a":1}}]`: "twice",
		`"a\u0000b"`:                   "offset 2: U+0000",
		"\"a\x00b\"":                   "offset 2: U+0000",
		"\"a\nb\"":                     "offset 2: a control character",
		"\"12345678\xff\"":             "offset 9: invalid UTF-8",
		"{\"\xc3\":1}":                 "invalid UTF-8",
		`"\ud800"`:                     "half of a surrogate pair",
		`"\udc00\ud800"`:               "half of a surrogate pair",
		`"\x"`:                         "unknown escape",
		`"\u12g4"`:                     "four hexadecimal digits",
		`"abc`:                         "ends inside a string",
		`"abc\`:                        "ends inside a string",
		`{"a"}`:                        "expected a colon",
		`{"a":1,}`:                     "expected a key",
		`{a:1}`:                        "expected a key",
		`[1,]`:                         "expected a value",
		`[1 2]`:                        "expected a comma or the end of the array",
		`{"a":1]`:                      "expected a comma or the end of the object",
		`[`:                            "it ends",
		`{`:                            "expected a key",
		`01`:                           "must not begin with 0",
		`1.`:                           "digits after the decimal point",
		`1e`:                           "digits in the exponent",
		`-`:                            "expected a value",
		`+1`:                           "expected a value",
		`.5`:                           "expected a value",
		`nul`:                          "expected null",
		`NaN`:                          "expected a value",
		`1e1000000000`:                 "the exponent is beyond",
		deep:                           "offset 512: nested deeper than 512",
	} {
		err := adapter.Validate(json.RawMessage(in))
		if !errors.Is(err, adapter.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate(%.60q) = %v, want an ErrInvalid with %q", in, err, want)
		}
		if _, err2 := adapter.Canonical(json.RawMessage(in)); err2 == nil || err2.Error() != err.Error() {
			t.Errorf("Canonical(%.60q) = %v, want %v", in, err2, err)
		}
	}
}

func TestValidateAcceptsTheLimits(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":[`, adapter.MaxDepth/2) + strings.Repeat("]}", adapter.MaxDepth/2)
	var many bytes.Buffer
	for i := range 20_000 {
		fmt.Fprintf(&many, `,"key%d":{"key":1}`, i)
	}
	for name, in := range map[string]string{
		"depth":              deep,
		"many keys":          "{" + many.String()[1:] + "}",
		"same key elsewhere": `[{"a":{"a":[{"a":1}]}},{"a":2}]`,
	} {
		if err := adapter.Validate(json.RawMessage(in)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := adapter.Validate(json.RawMessage("{" + many.String()[1:] + `,"key1":1}`)); !errors.Is(err, adapter.ErrInvalid) {
		t.Errorf("a key that comes again after 20,000 others: %v", err)
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{`{"a":1.0,"b":[1]}`, `{"b":[1e0],"a":1}`, true},
		{`"\u00e9"`, `"é"`, true},
		{`12345678901234567890`, `12345678901234567891`, false},
		{`[1,2]`, `[2,1]`, false},
		{`{"a":null}`, `{}`, false},
	} {
		if got, err := adapter.Equal(json.RawMessage(c.a), json.RawMessage(c.b)); err != nil || got != c.want {
			t.Errorf("Equal(%s, %s) = %v, %v", c.a, c.b, got, err)
		}
	}
	for _, c := range [][2]string{{`{`, `1`}, {`1`, `{`}} {
		if _, err := adapter.Equal(json.RawMessage(c[0]), json.RawMessage(c[1])); !errors.Is(err, adapter.ErrInvalid) {
			t.Errorf("Equal(%s, %s): %v", c[0], c[1], err)
		}
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	body := ` {"skip":{"s":"no","deep":[[{"s":"}"}]]},"s":"x\n","n":1.50,"big":12345678901234567890,"t":true,"z":null,
		"list":["a","b\u0021"],"empty":[],"mixed":["a",1],"obj":{},"\u006bey":"k"} `
	for name, want := range map[string]any{
		"s": "x\n", "n": json.Number("1.5"), "big": json.Number("12345678901234567890"), "t": true, "z": nil, "absent": nil,
		"list": []string{"a", "b!"}, "empty": []string{}, "mixed": nil, "obj": nil, "key": "k",
	} {
		got, err := adapter.Fields(json.RawMessage(body), name)
		if err != nil || !reflect.DeepEqual(got, []any{want}) {
			t.Errorf("Fields(%q) = %#v, %v, want %#v", name, got, err, want)
		}
	}
	for _, bad := range []string{``, `[]`, `"s"`, `{"a"`, `{"a":`, `{"a":}`, `{"a":[}`, `{"a":1 "b":2}`, `{,}`, `{"a":tru}`, `{"a":["x"`} {
		if _, err := adapter.Fields(json.RawMessage(bad), "x"); !errors.Is(err, adapter.ErrInvalid) {
			t.Errorf("Fields(%s): %v", bad, err)
		}
	}
}

func TestValidateDoesNotAllocate(t *testing.T) {
	doc := payload(1 << 10)
	if n := testing.AllocsPerRun(200, func() {
		if err := adapter.Validate(doc); err != nil {
			t.Fatal(err)
		}
	}); n >= 1 {
		t.Errorf("%v allocations a call", n)
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"b":1.0,"a":[true,null,"\u00e9\ud83d\ude00"]}`, `-12.50e+3`, `{"a":{"a":1},"a":2}`, `"\u0000"`, `[[[]]]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := adapter.Canonical(raw)
		if err != nil {
			if !errors.Is(err, adapter.ErrInvalid) {
				t.Fatalf("%v is not ErrInvalid", err)
			}
			return
		}
		if !json.Valid(raw) || !json.Valid(c) {
			t.Fatalf("accepted %q as %q", raw, c)
		}
		again, err := adapter.Canonical(c)
		if err != nil || !bytes.Equal(again, c) {
			t.Fatalf("canonical form of %q is %q, of that %q, %v", raw, c, again, err)
		}
		if longExponent.Match(raw) {
			return
		}
		if want, got := decode(t, raw), decode(t, c); !reflect.DeepEqual(want, got) {
			t.Fatalf("%q changed its value in %q", raw, c)
		}
	})
}

func FuzzFields(f *testing.F) {
	f.Add([]byte(`{"a":"x","b":[1,{"a":2}],"c":["y"]}`), "c")
	f.Fuzz(func(t *testing.T, raw []byte, name string) {
		got, err := adapter.Fields(raw, name)
		if adapter.Validate(raw) != nil {
			return // any answer will do, but no panic
		}
		var object map[string]any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if d.Decode(&object) != nil || object == nil {
			if err == nil {
				t.Fatalf("Fields took %q", raw)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		switch want := object[name].(type) {
		case string, bool:
			if got[0] != want {
				t.Fatalf("%q of %q is %v, want %v", name, raw, got[0], want)
			}
		case nil, map[string]any:
			if got[0] != nil {
				t.Fatalf("%q of %q is %v, want nil", name, raw, got[0])
			}
		}
	})
}

// longExponent finds numbers that the exact fractions of decode should not expand.
var longExponent = regexp.MustCompile(`[eE][+-]?[0-9]{4}`)

// decode returns the value with its numbers as exact fractions.
func decode(t *testing.T, raw []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return exact(v)
}

func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		r, _ := new(big.Rat).SetString(v.String())
		return r.RatString()
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = exact(v[k])
		}
	}
	return v
}

// payload returns a realistic document of about n bytes.
func payload(n int) json.RawMessage {
	var b bytes.Buffer
	b.WriteString(`{"id":"0197c7a2-1111-7000-8000-000000000000","status":"active","total":129.95,"items":[`)
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `{"sku":"A-%d","name":"Bücher und mehr","quantity":%d,"price":12.50,"tags":["new","sale"]},`, i, i)
	}
	b.Truncate(b.Len() - 1)
	b.WriteString(`]}`)
	return b.Bytes()
}

func BenchmarkValidate(b *testing.B) {
	for _, n := range []int{200, 1 << 10, 64 << 10} {
		doc := payload(n)
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if err := adapter.Validate(doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFields(b *testing.B) {
	doc := payload(600)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := adapter.Fields(doc, "status", "total"); err != nil {
			b.Fatal(err)
		}
	}
}
