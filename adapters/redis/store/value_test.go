package store

import (
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/adapter"
)

func number(t *testing.T, text string) json.Number {
	t.Helper()
	n, err := numberArgument(text)
	if err != nil {
		t.Fatal(err)
	}
	return n.(json.Number)
}

// TestOrderOfNumbers holds the order of stored numbers against exact arithmetic.
func TestOrderOfNumbers(t *testing.T) {
	t.Parallel()
	texts := []string{"0", "-0", "1", "-1", "10", "9", "-10", "-9", "1e9", "1e-9", "-1e-9", "9007199254740992", "9007199254740993",
		"9007199254740993.5", "0.1", "0.10000000000000000000000000001", "1e300", "-1e300", "1e-300", "123456789e20", "100000", "99999"}
	r := rand.New(rand.NewPCG(1, 2))
	for range 120 {
		text := strconv.FormatInt(r.Int64N(1<<r.IntN(62)), 10)
		if r.IntN(2) == 0 {
			text += "." + strconv.Itoa(r.IntN(1000))
		}
		if r.IntN(2) == 0 {
			text = "-" + text
		}
		texts = append(texts, text+"e"+strconv.Itoa(r.IntN(9)-4))
	}
	for _, a := range texts {
		for _, b := range texts {
			x, _ := new(big.Rat).SetString(a)
			y, _ := new(big.Rat).SetString(b)
			formA, _ := orderForm(number(t, a))
			formB, _ := orderForm(number(t, b))
			// An ID that follows must not change the order.
			if got, want := strings.Compare(string(formA)+"\xff", string(formB)+"\x00"), x.Cmp(y); want != 0 && got != want {
				t.Fatalf("%s and %s compare as %d, want %d", a, b, got, want)
			} else if want == 0 && string(formA) != string(formB) {
				t.Fatalf("%s and %s are equal, their forms are not", a, b)
			}
			if n := orderLength(string(formA) + "id"); n != len(formA) {
				t.Fatalf("the form of %s has %d bytes, taken for %d", a, len(formA), n)
			}
		}
	}
}

func TestOrderOfStrings(t *testing.T) {
	t.Parallel()
	texts := []string{"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "\x01", "a", "a\x00", "a\x00b", "a\x01", "aa", "b", "\xff", "\xff\xff", "é"}
	for _, a := range texts {
		for _, b := range texts {
			formA, _ := orderForm(a)
			formB, _ := orderForm(b)
			if got, want := strings.Compare(string(formA)+"\xff", string(formB)+"\x00"), strings.Compare(a, b); want != 0 && got != want {
				t.Errorf("%q and %q compare as %d, want %d", a, b, got, want)
			}
			if n := orderLength(string(formA) + "\x00\x01"); n != len(formA) {
				t.Errorf("the form of %q has %d bytes, taken for %d", a, len(formA), n)
			}
			// The bound behind all that begin with a form.
			if end := beyond(string(formA)); end <= string(formA)+"\xff\xff" || strings.Compare(b, a) > 0 && end > string(formB)+"id" {
				t.Errorf("beyond %q comes %q", formA, end)
			}
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add("emit", "order", "charge", "k", "/g7:3", 1, 2, 3, uint64(4), []byte(`{"a":1}`))
	f.Add("", "", "", "", "", 0, 0, 0, uint64(0), []byte(nil))
	f.Fuzz(func(t *testing.T, kind, flow, step, key, scope string, epoch, iteration, attempt int, cause uint64, data []byte) {
		want := adapter.Record{Seq: 7, At: fromMicros(1_700_000_000_000_001), Type: kind, Flow: flow, Step: step, Key: key, Scope: scope,
			Epoch: epoch, Iteration: iteration, Attempt: attempt, Causes: []uint64{cause, 1}, Data: data}
		got, err := decodeRecord([]byte("1700000000000001,7;" + encodeRecord(&want)))
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Data) == 0 && len(want.Data) == 0 {
			got.Data, want.Data = nil, nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		// What is cut off is refused, or reads as a record: it never panics.
		stored := []byte("1,7;" + encodeRecord(&want))
		for i := range min(len(stored), 100) {
			_, _ = decodeRecord(stored[:i])
		}
	})
}
