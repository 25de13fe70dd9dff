package encode_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/internal/encode"
)

// check compares with encoding/json.
func check(t *testing.T, got []byte, v any) {
	t.Helper()
	want, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, append([]byte("before "), want...)) {
		t.Errorf("%s, want %s", got, want)
	}
}

func before() []byte { return []byte("before ") }

func TestLikeEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", `"`, `\`, "<&>", "\x00\x1f\x7f", "ü€𝄞", "\u2028", "\xff\xfe", strings.Repeat("x", 1000)} {
		check(t, encode.String(before(), s), s)
	}
	for _, n := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		check(t, encode.Int(before(), n), n)
		check(t, encode.Uint(before(), uint64(n)), uint64(n))
	}
	for _, v := range []bool{true, false} {
		check(t, encode.Bool(before(), v), v)
	}
	for _, list := range [][]uint64{nil, {}, {1}, {0, 7, math.MaxUint64}} {
		check(t, encode.Uints(before(), list), list)
	}
	for _, list := range [][]string{nil, {}, {"a"}, {"", `"`, "ü"}} {
		check(t, encode.Strings(before(), list), list)
	}
	for _, m := range []map[string]string{nil, {}, {"a": "b"}, {"b": "<", "a": `"`, "": "\x00", "ä": "ö"}} {
		check(t, encode.StringMap(before(), m), m)
	}
}

func FuzzLikeEncodingJSON(f *testing.F) {
	f.Add("key", "<value>", int64(-7), uint64(7))
	f.Add("\xff\u2029", "\x00\"\\", int64(0), uint64(0))
	f.Fuzz(func(t *testing.T, a, b string, n int64, u uint64) {
		check(t, encode.String(before(), a), a)
		check(t, encode.Int(before(), n), n)
		check(t, encode.Uint(before(), u), u)
		check(t, encode.Uints(before(), []uint64{u, u}), []uint64{u, u})
		check(t, encode.Strings(before(), []string{a, b}), []string{a, b})
		check(t, encode.StringMap(before(), map[string]string{a: b, b: a}), map[string]string{a: b, b: a})
	})
}
