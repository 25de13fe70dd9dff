package file

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/nvent-go/nvent/adapter"
)

// Values of fields are stored in a form whose bytes sort as the values do: numbers, exact to the last digit, then strings,
// then booleans. No form is the beginning of another, so that several can follow each other.
const (
	numberKind = 1
	stringKind = 2
	boolKind   = 3
)

// appendValue appends the form of what adapter.Fields has found. ok is false for what has no place in an index.
func appendValue(dst []byte, field any) (key []byte, ok bool) {
	switch f := field.(type) {
	case string:
		return appendText(append(dst, stringKind), f), true
	case json.Number:
		return appendNumber(append(dst, numberKind), string(f)), true
	case bool:
		b := byte(0)
		if f {
			b = 1
		}
		return append(dst, boolKind, b), true
	}
	return dst, false
}

// appendText appends text with an end that sorts before all that could follow.
func appendText(dst []byte, text string) []byte {
	for i := range len(text) {
		if dst = append(dst, text[i]); text[i] == 0 {
			dst = append(dst, 0xff)
		}
	}
	return append(dst, 0, 1)
}

// appendNumber appends a number in its canonical spelling: its sign, the power of ten above its first digit, its digits, and
// an end that sorts before all digits. All of that is inverted in a negative one.
func appendNumber(dst []byte, text string) []byte {
	text, negative := strings.CutPrefix(text, "-")
	mantissa, exponent, _ := strings.Cut(text, "e")
	power, _ := strconv.ParseInt(exponent, 10, 64) // none is 0, and what is out of range is the greatest there is
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return append(dst, 0x80)
	}
	power += int64(len(whole)) - int64(len(whole+fraction)-len(digits))
	power = min(max(power, -1<<31), 1<<31-1)
	digits = strings.TrimRight(digits, "0")
	from := len(dst)
	dst = binary.BigEndian.AppendUint32(append(dst, 0x81), uint32(power+1<<31))
	dst = append(append(dst, digits...), 0)
	if negative {
		dst[from] = 0x80 // so that its complement is below that of zero
		for i := from; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}

// after returns the first key that does not begin with prefix.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil // prefixes begin with the number of an index, which is far from the greatest
}

// queryValue returns an argument of a query as adapter.Fields would return a field.
func queryValue(arg any) (any, error) {
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
	if err != nil || bytes.IndexByte([]byte("-0123456789"), c[0]) < 0 {
		return nil, fmt.Errorf("%w: %q is not a number", adapter.ErrInvalid, text)
	}
	return json.Number(c), nil
}
