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
	text   string  // of a string; of a number its canonical form; of a boolean its name
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
	a, _ := new(big.Rat).SetString(v.text)
	b, _ := new(big.Rat).SetString(o.text)
	if a == nil || b == nil { // exponents that big refuses to expand: any fixed order will do
		return strings.Compare(v.text, o.text)
	}
	return a.Cmp(b)
}

// append appends a form that is equal for equal values only.
func (v value) append(dst []byte) []byte {
	dst = append(dst, byte(v.kind))
	dst = strconv.AppendInt(dst, int64(len(v.text)), 10)
	return append(append(dst, ':'), v.text...)
}

// fieldValue returns the value of what adapter.Fields has found. Arrays have none: see terms.
func fieldValue(field any) value {
	switch f := field.(type) {
	case string:
		return value{kind: stringValue, text: f}
	case json.Number:
		n, _ := strconv.ParseFloat(string(f), 64) // out of range is infinite, which sorts right
		return value{kind: numberValue, number: n, text: string(f)}
	case bool:
		return value{kind: boolValue, text: strconv.FormatBool(f)}
	}
	return value{}
}

// terms returns the values that an equality of the field matches: one, or each element of an array once.
func terms(field any) []value {
	list, ok := field.([]string)
	if !ok {
		if v := fieldValue(field); v.kind != noValue {
			return []value{v}
		}
		return nil
	}
	values := make([]value, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			values = append(values, value{kind: stringValue, text: s})
		}
	}
	return values
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
