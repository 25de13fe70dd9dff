package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/nvent-go/nvent/adapter"
)

// appendEqual appends a form of a value that is equal for equal values only, or reports that the value has none. Values are
// what adapter.Fields returns for one that is no array: a string, a boolean or a canonical number.
func appendEqual(dst []byte, v any) (_ []byte, ok bool) {
	kind, text := byte(0), ""
	switch v := v.(type) {
	case string:
		kind, text = 's', v
	case json.Number:
		kind, text = 'n', string(v)
	case bool:
		kind, text = 'b', strconv.FormatBool(v)
	default:
		return dst, false
	}
	dst = strconv.AppendInt(append(dst, kind), int64(len(text)), 10)
	return append(append(dst, ':'), text...), true
}

// maxListName is how long the values in the name of a list may be; longer ones are named by their hash.
const maxListName = 100

func listName(equal []byte) string {
	if len(equal) <= maxListName {
		return string(equal)
	}
	sum := sha256.Sum256(equal)
	return "#" + hex.EncodeToString(sum[:16])
}

// orderForm returns a form of a value whose bytes sort as the values do, numbers before strings, or reports that the value has
// no order. No form begins another one, so an ID may follow.
func orderForm(v any) (_ []byte, ok bool) {
	switch v := v.(type) {
	case string:
		form := []byte{'s'}
		for {
			i := strings.IndexByte(v, 0)
			if i < 0 {
				return append(append(form, v...), 0, 1), true
			}
			form = append(append(form, v[:i]...), 0, 0xff)
			v = v[i+1:]
		}
	case json.Number:
		return appendNumber([]byte{'n'}, string(v)), true
	}
	return nil, false
}

// appendNumber appends a canonical number: its sign, the place of its point and its digits, which sort as numbers do without
// being rounded. Those of negative numbers are inverted.
func appendNumber(dst []byte, number string) []byte {
	if number == "0" {
		return append(dst, '1')
	}
	number, negative := strings.CutPrefix(number, "-")
	mantissa, exp, _ := strings.Cut(number, "e")
	shift, _ := strconv.Atoi(exp) // canonical: absent, or a number of nine digits
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	point := len(whole) + shift
	trimmed := strings.TrimLeft(digits, "0")
	point -= len(digits) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, "0")
	if negative {
		dst = append(dst, '0')
	} else {
		dst = append(dst, '2')
	}
	from := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(int64(point)+1<<31))
	dst = append(append(dst, trimmed...), 0)
	if negative {
		for i := from; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}

// argument returns an argument of a query in the form in which adapter.Fields returns values.
func argument(arg any) (any, error) {
	switch a := arg.(type) {
	case string, bool:
		return a, nil
	case json.Number:
		return numberArgument(string(a))
	}
	switch r := reflect.ValueOf(arg); {
	case !r.IsValid():
		return nil, fmt.Errorf("%w: nil is not a value that documents are found by", adapter.ErrInvalid)
	case r.CanInt():
		return numberArgument(strconv.FormatInt(r.Int(), 10))
	case r.CanUint():
		return numberArgument(strconv.FormatUint(r.Uint(), 10))
	case r.CanFloat():
		return numberArgument(strconv.FormatFloat(r.Float(), 'g', -1, 64))
	case r.Kind() == reflect.String:
		return r.String(), nil
	case r.Kind() == reflect.Bool:
		return r.Bool(), nil
	}
	return nil, fmt.Errorf("%w: a %T is not a string, boolean or number", adapter.ErrInvalid, arg)
}

func numberArgument(text string) (any, error) {
	c, err := adapter.Canonical(json.RawMessage(text))
	if err != nil || !bytes.ContainsAny(c[:1], "-0123456789") {
		return nil, fmt.Errorf("%w: %q is not a number", adapter.ErrInvalid, text)
	}
	return json.Number(c), nil
}
