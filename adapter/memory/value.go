package memory

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/nvent-go/nvent/adapter"
)

// value is what an index holds of a field: nothing, a number, a string or a boolean. Values sort in this order of kinds.
type value struct {
	kind   kind
	number float64 // the nearest one
	text   string  // of a string; of a boolean its name; of a number its canonical form, unless number says it all
}

type kind uint8

const (
	noValue kind = iota
	numberValue
	stringValue
	boolValue
)

func (v value) compare(o value) int {
	if c := cmp.Compare(v.kind, o.kind); c != 0 {
		return c
	}
	if v.kind != numberValue {
		return strings.Compare(v.text, o.text)
	}
	// Rounding keeps order: only numbers with the same nearest one need a closer look.
	if c := cmp.Compare(v.number, o.number); c != 0 || v.text == o.text {
		return c
	}
	a, _ := new(big.Rat).SetString(v.canonical())
	b, _ := new(big.Rat).SetString(o.canonical())
	if a == nil || b == nil { // exponents that big refuses to expand: any fixed order will do
		return strings.Compare(v.canonical(), o.canonical())
	}
	return a.Cmp(b)
}

// canonical returns the text of a value.
func (v value) canonical() string {
	if v.kind == numberValue && v.text == "" {
		return strconv.FormatInt(int64(v.number), 10)
	}
	return v.text
}

// append appends a form that is equal for equal values only. No document has a U+0000 in its strings.
func (v value) append(dst []byte) []byte {
	if v.kind == numberValue && v.text == "" {
		return append(strconv.AppendInt(append(dst, byte(v.kind)), int64(v.number), 10), 0)
	}
	return append(append(append(dst, byte(v.kind)), v.text...), 0)
}

// smallInteger returns an integer of a few digits, which a float64 holds exactly. ok is false for everything else.
func smallInteger(text []byte) (n float64, ok bool) {
	digits := text
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		digits = text[1:]
	}
	if len(digits) == 0 || len(digits) > 15 || digits[0] == '0' && len(text) > 1 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + float64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

// rawValue returns the value of what adapter.RawFields has found. Arrays have none: see terms.
func rawValue(raw json.RawMessage) (value, error) {
	if n, ok := smallInteger(raw); ok {
		return value{kind: numberValue, number: n}, nil
	}
	if raw == nil {
		return value{}, nil
	}
	field, err := adapter.FieldValue(raw)
	return fieldValue(field), err
}

// fieldValue returns the value of what adapter.FieldValue has returned.
func fieldValue(field any) value {
	switch f := field.(type) {
	case string:
		return value{kind: stringValue, text: f}
	case json.Number:
		if n, ok := smallInteger([]byte(f)); ok {
			return value{kind: numberValue, number: n}
		}
		n, _ := strconv.ParseFloat(string(f), 64) // out of range is infinite, which sorts right
		return value{kind: numberValue, number: n, text: string(f)}
	case bool:
		return value{kind: boolValue, text: strconv.FormatBool(f)}
	}
	return value{}
}

// appendTerm appends the value of what adapter.RawFields has found, in the form of value.append. ok is false if it has none.
func appendTerm(dst []byte, raw json.RawMessage) (_ []byte, ok bool, err error) {
	if n := len(raw); n > 1 && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		return append(append(append(dst, byte(stringValue)), raw[1:n-1]...), 0), true, nil
	}
	v, err := rawValue(raw)
	return v.append(dst), v.kind != noValue, err
}

// terms returns the values that an equality of an array matches: each element of it once.
func terms(raw json.RawMessage) ([]value, error) {
	field, err := adapter.FieldValue(raw)
	if err != nil {
		return nil, err
	}
	list, _ := field.([]string)
	values := make([]value, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			values = append(values, value{kind: stringValue, text: s})
		}
	}
	return values, nil
}

// queryValue returns the value of an argument of a query.
func queryValue(arg any) (value, error) {
	switch a := arg.(type) {
	case string:
		return fieldValue(a), nil
	case bool:
		return fieldValue(a), nil
	case json.Number:
		return numberArgument(string(a))
	}
	switch r := reflect.ValueOf(arg); {
	case !r.IsValid():
		return value{}, fmt.Errorf("%w: nil is not a value that documents are found by", adapter.ErrInvalid)
	case r.CanInt():
		return numberArgument(strconv.FormatInt(r.Int(), 10))
	case r.CanUint():
		return numberArgument(strconv.FormatUint(r.Uint(), 10))
	case r.CanFloat():
		return numberArgument(strconv.FormatFloat(r.Float(), 'g', -1, 64))
	case r.Kind() == reflect.String:
		return fieldValue(r.String()), nil
	case r.Kind() == reflect.Bool:
		return fieldValue(r.Bool()), nil
	}
	return value{}, fmt.Errorf("%w: a %T is not a string, boolean or number", adapter.ErrInvalid, arg)
}

func numberArgument(text string) (value, error) {
	c, err := adapter.Canonical(json.RawMessage(text))
	if err != nil || bytes.IndexByte([]byte("-0123456789"), c[0]) < 0 {
		return value{}, fmt.Errorf("%w: %q is not a number", adapter.ErrInvalid, text)
	}
	return fieldValue(json.Number(c)), nil
}
