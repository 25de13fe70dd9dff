package decode_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/nvent-go/nvent/internal/decode"
)

type order struct {
	ID    string            `json:"id"`
	Items []item            `json:"items"`
	Attrs map[string]any    `json:"attrs"`
	Raw   json.RawMessage   `json:"raw"`
	Next  *order            `json:"next"`
	Text  map[string]string `json:"text"`
}

type item struct {
	N     int     `json:"n"`
	Price float64 `json:"price"`
}

var inputs = []string{
	`{}`, `{"id":"a","items":[{"n":1,"price":2.5},{"n":-3}],"attrs":{"x":[1,null,true]},"raw":{"k": 1}}`, ` {"id":"b"} `, `42`,
	`"text"`, `null`, `true`, `[1,2,3]`, "\n7\t", ``, ` `, `{`, `{}x`, `1 2`, `{"id":1}`, `{"items":[{"n":"x"}]}`, `{"id":"a"}}`, `nul`,
	`"a`, `{"id":"\ud800"}`, `1e999`, `{"next":{"next":{"id":"deep"}}}`, `-`, `{"text":{"a":"b","c":3}}`, `[`, `]`,
	`"` + strings.Repeat("x", 70_000) + `"`,
}

// targets are what is decoded into.
var targets = []func() any{
	func() any { return new(order) }, func() any { return new(int) }, func() any { return new(string) }, func() any { return new(any) },
	func() any { return new(json.RawMessage) }, func() any { return new(struct{}) }, func() any { return new([]int) },
	func() any { return nil }, func() any { return order{} },
}

// same returns how decode.JSON differs from json.Unmarshal, or "".
func same(data []byte) string {
	for _, target := range targets {
		want, got := target(), target()
		wantErr, err := json.Unmarshal(data, want), decode.JSON(data, got)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || reflect.TypeOf(err) != reflect.TypeOf(wantErr) {
			return fmt.Sprintf("%.60q into %T: error %v, want %v", data, got, err, wantErr)
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			return fmt.Sprintf("%.60q: %+v, want %+v", data, got, want)
		}
	}
	return ""
}

func TestJSONIsLikeUnmarshal(t *testing.T) {
	t.Parallel()
	for range 3 { // with decoders that have been used
		for _, in := range inputs {
			if diff := same([]byte(in)); diff != "" {
				t.Error(diff)
			}
		}
	}
}

func TestJSONKeepsNothingOfItsInput(t *testing.T) {
	t.Parallel()
	data := []byte(`{"id":"abc","raw":[1,2],"text":{"k":"v"}}`)
	var o order
	if err := decode.JSON(data, &o); err != nil {
		t.Fatal(err)
	}
	clear(data)
	for range 100 { // through the same decoders
		if err := decode.JSON([]byte(`{"id":"xyz","raw":[8,9],"text":{"x":"y"}}`), new(order)); err != nil {
			t.Fatal(err)
		}
	}
	if o.ID != "abc" || string(o.Raw) != "[1,2]" || o.Text["k"] != "v" {
		t.Errorf("decoded value has become %+v", o)
	}
}

func TestJSONFromManyGoroutines(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 300 {
				want := g*1000 + i
				var got struct{ N int }
				if err := decode.JSON(fmt.Appendf(nil, `{"n":%d}`, want), &got); err != nil || got.N != want {
					t.Errorf("%d, %v; want %d", got.N, err, want)
				}
			}
		})
	}
	all.Wait()
}

func FuzzJSON(f *testing.F) {
	for _, in := range inputs {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if diff := same(data); diff != "" {
			t.Error(diff)
		}
	})
}

func BenchmarkJSON(b *testing.B) {
	data := []byte(`{"id":"abc","items":[{"n":1,"price":2.5}]}`)
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := decode.JSON(data, new(order)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unmarshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := json.Unmarshal(data, new(order)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
