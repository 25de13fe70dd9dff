package adapter

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"sync"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may nest in a payload.
const MaxDepth = 512

// maxExponent bounds the exponent of a number, so that no one can ask for a number of a billion digits in ten bytes.
const maxExponent = 999_999_999

// Validate returns an error that wraps [ErrInvalid], with what is wrong and the byte offset of it, unless raw is one JSON
// value that every backend can keep. Refused are: what is not JSON or has something after it, an object that has a key
// twice, U+0000 (PostgreSQL cannot store it), invalid UTF-8 and half surrogate pairs, nesting deeper than [MaxDepth], and
// exponents beyond nine digits.
//
// It takes time proportional to len(raw), and does not allocate once it is warm. It does not keep raw.
func Validate(raw json.RawMessage) error {
	s := scanners.Get().(*scanner)
	err := s.document(raw)
	s.release()
	return err
}

// Equal reports whether a and b are the same JSON value: the order of keys, white space, escapes and the spelling of
// numbers aside. It returns an error that wraps [ErrInvalid] when one of them fails [Validate].
func Equal(a, b json.RawMessage) (bool, error) {
	ca, err := Canonical(a)
	if err != nil {
		return false, err
	}
	cb, err := Canonical(b)
	if err != nil {
		return false, err
	}
	return bytes.Equal(ca, cb), nil
}

func invalidJSON(offset int, what string) error {
	return fmt.Errorf("%w: JSON at offset %d: %s", ErrInvalid, offset, what)
}

var scanners = sync.Pool{New: func() any { return newScanner() }}

// scanner checks one document after another, and keeps its scratch space in between.
type scanner struct {
	open    []uint32 // the arrays (0) and objects (their number) around the current position
	objects uint32   // how many there were so far
	keys    keySet
}

func newScanner() *scanner {
	return &scanner{open: make([]uint32, 0, MaxDepth), keys: newKeySet()}
}

func (s *scanner) release() {
	s.keys.raw = nil
	if len(s.keys.slots) <= maxKeptSlots {
		scanners.Put(s)
	}
}

// document checks raw. It keeps the open arrays and objects on its own stack, so that depth costs no recursion.
func (s *scanner) document(raw []byte) error {
	s.open, s.objects = s.open[:0], 0
	s.keys.reset(raw)
	i := skipSpace(raw, 0)
	for {
		end, inside, err := s.value(raw, i)
		if err != nil {
			return err
		}
		if inside {
			i = end
			continue
		}
		next, done, err := s.follow(raw, end)
		if done || err != nil {
			return err
		}
		i = next
	}
}

// value checks the value at i and returns where it ends; or it enters an array or object that is not empty, and returns
// where the first value inside of it begins.
func (s *scanner) value(raw []byte, i int) (end int, inside bool, err error) {
	if i >= len(raw) {
		return i, false, invalidJSON(i, "it ends where a value is expected")
	}
	switch raw[i] {
	case '{', '[':
		return s.enter(raw, i)
	case '"':
		end, _, what := scanString(raw, i+1)
		if what != "" {
			return end, false, invalidJSON(end, what)
		}
		return end + 1, false, nil
	default:
		end, what := scanScalar(raw, i)
		if what != "" {
			return end, false, invalidJSON(end, what)
		}
		return end, false, nil
	}
}

func (s *scanner) enter(raw []byte, i int) (next int, inside bool, err error) {
	if len(s.open) == MaxDepth {
		return i, false, invalidJSON(i, fmt.Sprintf("nested deeper than %d", MaxDepth))
	}
	object := raw[i] == '{'
	i = skipSpace(raw, i+1)
	if i < len(raw) && (raw[i] == '}' && object || raw[i] == ']' && !object) {
		return i + 1, false, nil
	}
	if !object {
		s.open = append(s.open, 0)
		return i, true, nil
	}
	s.objects++
	s.open = append(s.open, s.objects)
	i, err = s.key(raw, i)
	return i, true, err
}

// follow checks what comes behind a value and returns where the next one begins, or done at the end of the document.
func (s *scanner) follow(raw []byte, i int) (next int, done bool, err error) {
	for len(s.open) > 0 {
		i = skipSpace(raw, i)
		if i >= len(raw) {
			return i, false, invalidJSON(i, "it ends inside an array or object")
		}
		object := s.open[len(s.open)-1] != 0
		switch c := raw[i]; {
		case c == ',' && object:
			i, err = s.key(raw, skipSpace(raw, i+1))
			return i, false, err
		case c == ',':
			return skipSpace(raw, i+1), false, nil
		case c == '}' && object, c == ']' && !object:
			s.open = s.open[:len(s.open)-1]
			i++
		case object:
			return i, false, invalidJSON(i, "expected a comma or the end of the object")
		default:
			return i, false, invalidJSON(i, "expected a comma or the end of the array")
		}
	}
	if i = skipSpace(raw, i); i < len(raw) {
		return i, false, invalidJSON(i, "something follows the value")
	}
	return i, true, nil
}

// key checks the key at i with its colon and returns where its value begins.
func (s *scanner) key(raw []byte, i int) (value int, err error) {
	if i >= len(raw) || raw[i] != '"' {
		return i, invalidJSON(i, "expected a key in double quotes")
	}
	end, escaped, what := scanString(raw, i+1)
	if what != "" {
		return end, invalidJSON(end, what)
	}
	if !s.keys.add(s.open[len(s.open)-1], i+1, end, escaped) {
		return i, invalidJSON(i, fmt.Sprintf("the object has the key %.100q twice", raw[i+1:end]))
	}
	i = skipSpace(raw, end+1)
	if i >= len(raw) || raw[i] != ':' {
		return i, invalidJSON(i, "expected a colon after the key")
	}
	return skipSpace(raw, i+1), nil
}

func skipSpace(raw []byte, i int) int {
	for i < len(raw) {
		switch raw[i] {
		case ' ', '\n', '\t', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

const (
	everyByte = 0x0101010101010101
	highBits  = 0x8080808080808080
)

// skipPlain returns the position of the first byte from i on that is not a plain character of a string: a quote, a
// backslash, a control character, or a part of a longer character. It looks at eight bytes at a time.
func skipPlain(raw []byte, i int) int {
	for ; i+8 <= len(raw); i += 8 {
		v := binary.LittleEndian.Uint64(raw[i:])
		// A borrow can only mark bytes above one that is rightly marked, so the lowest mark is right.
		control, quote, backslash := v-everyByte*0x20, (v^everyByte*'"')-everyByte, (v^everyByte*'\\')-everyByte
		marks := (v | control | quote | backslash) & highBits
		if marks != 0 {
			return i + bits.TrailingZeros64(marks)/8
		}
	}
	for ; i < len(raw); i++ {
		if c := raw[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return i
		}
	}
	return i
}

// scanString checks a string from behind its opening quote and returns the position of the closing one, and whether there
// are escapes in between. If what is not empty it says what is wrong at end.
func scanString(raw []byte, i int) (end int, escaped bool, what string) {
	for {
		i = skipPlain(raw, i)
		if i >= len(raw) {
			return i, escaped, "it ends inside a string"
		}
		switch c := raw[i]; {
		case c == '"':
			return i, escaped, ""
		case c == '\\':
			escaped = true
			n, what := scanEscape(raw, i)
			if what != "" {
				return i, true, what
			}
			i += n
		case c == 0:
			return i, escaped, "U+0000 cannot be stored"
		case c < 0x20:
			return i, escaped, "a control character in a string must be escaped"
		default:
			r, n := utf8.DecodeRune(raw[i:])
			if r == utf8.RuneError && n == 1 {
				return i, escaped, "invalid UTF-8"
			}
			i += n
		}
	}
}

// scanEscape returns the length of the escape at i. A surrogate pair counts as one.
func scanEscape(raw []byte, i int) (n int, what string) {
	if i+1 >= len(raw) {
		return 0, "it ends inside a string"
	}
	switch raw[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, ""
	case 'u':
	default:
		return 0, "unknown escape in a string"
	}
	r, ok := hex4(raw, i+2)
	switch {
	case !ok:
		return 0, "\\u must be followed by four hexadecimal digits"
	case r == 0:
		return 0, "U+0000 cannot be stored"
	case r < 0xd800 || r > 0xdfff:
		return 6, ""
	}
	if i+7 < len(raw) && raw[i+6] == '\\' && raw[i+7] == 'u' && r < 0xdc00 {
		if low, ok := hex4(raw, i+8); ok && low >= 0xdc00 && low <= 0xdfff {
			return 12, ""
		}
	}
	return 0, "half of a surrogate pair is not a character"
}

func hex4(raw []byte, i int) (rune, bool) {
	if i+4 > len(raw) {
		return 0, false
	}
	var r rune
	for _, c := range raw[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// scanScalar checks a number, true, false or null at i and returns where it ends.
func scanScalar(raw []byte, i int) (end int, what string) {
	for _, word := range [...]string{"true", "false", "null"} {
		if raw[i] == word[0] {
			if len(raw)-i < len(word) || string(raw[i:i+len(word)]) != word {
				return i, "expected " + word
			}
			return i + len(word), ""
		}
	}
	return scanNumber(raw, i)
}

func scanNumber(raw []byte, i int) (end int, what string) {
	start := i
	if raw[i] == '-' {
		i++
	}
	switch {
	case i >= len(raw) || raw[i] < '0' || raw[i] > '9':
		return start, "expected a value"
	case raw[i] == '0':
		i++
		if i < len(raw) && raw[i] >= '0' && raw[i] <= '9' {
			return start, "a number must not begin with 0"
		}
	default:
		i = skipDigits(raw, i)
	}
	if i < len(raw) && raw[i] == '.' {
		if end = skipDigits(raw, i+1); end == i+1 {
			return start, "expected digits after the decimal point"
		}
		i = end
	}
	if i < len(raw) && (raw[i] == 'e' || raw[i] == 'E') {
		i++
		if i < len(raw) && (raw[i] == '+' || raw[i] == '-') {
			i++
		}
		if end = skipDigits(raw, i); end == i {
			return start, "expected digits in the exponent"
		}
		if _, ok := exponent(raw[i:end]); !ok {
			return start, fmt.Sprintf("the exponent is beyond %d", maxExponent)
		}
		i = end
	}
	return i, ""
}

func skipDigits(raw []byte, i int) int {
	for i < len(raw) && raw[i] >= '0' && raw[i] <= '9' {
		i++
	}
	return i
}

// exponent returns the value of unsigned decimal digits, and false if it is above maxExponent.
func exponent(digits []byte) (int, bool) {
	n := 0
	for _, c := range digits {
		if n = n*10 + int(c-'0'); n > maxExponent {
			return 0, false
		}
	}
	return n, true
}
