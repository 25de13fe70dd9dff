package decode_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/internal/decode"
)

// shape has everything that a Reader can read.
type shape struct {
	I      int               `json:"i"`
	I64    int64             `json:"i64"`
	U      uint64            `json:"u"`
	B      bool              `json:"b"`
	S      string            `json:"s"`
	Us     []uint64          `json:"us"`
	Ss     []string          `json:"ss"`
	M      map[string]string `json:"m"`
	Shapes []shape           `json:"shapes"`
}

func readShape(r *decode.Reader) (s shape) {
	for key := range r.Object {
		switch string(key) {
		case "i":
			s.I = r.Int()
		case "i64":
			s.I64 = r.Int64()
		case "u":
			s.U = r.Uint()
		case "b":
			s.B = r.Bool()
		case "s":
			s.S = r.String()
		case "us":
			s.Us = r.Uints()
		case "ss":
			s.Ss = r.Strings()
		case "m":
			s.M = r.StringMap()
		case "shapes":
			s.Shapes = []shape{}
			for range r.Array {
				s.Shapes = append(s.Shapes, readShape(r))
			}
		default:
			r.Unknown()
		}
	}
	return s
}

var usual = []string{
	`{}`, ` { } `, `{"i":1}`, `{"i":-1,"i64":-9223372036854775808,"u":18446744073709551615,"b":true,"s":"text"}`,
	`{"us":[],"ss":[],"m":{},"shapes":[]}`, "{ \"us\" : [ 1 , 2 ] ,\n\t\"ss\":[\"a\",\"ü\"], \"m\":{\"k\":\"v\"} }",
	`{"shapes":[{"shapes":[{"i":3}]},{"b":false}],"i64":9223372036854775807,"s":""}`, `{"i":-0,"u":0}`,
}

var unusual = []string{
	``, `{`, `[]`, `null`, `{"i":null}`, `{"i":01}`, `{"i":1.0}`, `{"i":1e2}`, `{"i":-}`, `{"i":9223372036854775808}`, `{"i":x}`,
	`{"i64":-9223372036854775809}`, `{"u":18446744073709551616}`, `{"u":-1}`, `{"s":"a\nb"}`, `{"s":"a` + "\n" + `b"}`, "{\"s\":\"\xff\"}",
	`{"b":tru}`, `{"b":1}`, `{"x":1}`, `{"I":1}`, `{"i":1,}`, `{"i":1 "u":2}`, `{"us":[1,]}`, `{"us":[1`, `{"i":1}}`, `{"i":1} x`, `{i:1}`,
	`{"s":"a}`, `{"m":{"k":1}}`, `{"shapes":[1]}`, `{"i"}`, `{"i":}`, `{"b":t`, `{"b":`,
}

func TestReaderReadsTheUsual(t *testing.T) {
	t.Parallel()
	for _, in := range usual {
		var want shape
		if err := json.Unmarshal([]byte(in), &want); err != nil {
			t.Fatal(err)
		}
		r := decode.NewReader([]byte(in))
		if got := readShape(r); !r.Done() || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, done %v; want %+v", in, got, r.Done(), want)
		}
	}
}

func TestReaderRefusesTheUnusual(t *testing.T) {
	t.Parallel()
	for _, in := range unusual {
		r := decode.NewReader([]byte(in))
		if got := readShape(r); r.Done() {
			t.Errorf("%s: read as %+v", in, got)
		}
	}
}

func TestReaderThatIsLeftEarlyIsBad(t *testing.T) {
	t.Parallel()
	r := decode.NewReader([]byte(`{"i":1}`))
	for range r.Object {
		r.Int()
		break
	}
	if r.Done() {
		t.Error("a reader that was left after a value is done")
	}
}

// FuzzReader: what a Reader reads to its end is what encoding/json reads.
func FuzzReader(f *testing.F) {
	for _, in := range append(usual, unusual...) {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := decode.NewReader(data)
		got := readShape(r)
		if !r.Done() {
			return
		}
		var want shape
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("%q was read, but is not right: %v", data, err)
		}
		if err := adapter.Validate(data); err != nil && strings.Contains(err.Error(), "twice") {
			return
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", data, got, want)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	data := []byte(`{"i":12,"u":1234567890123,"b":true,"s":"running","us":[1,2,3],"shapes":[{"s":"charge","i":1},{"s":"pack","i":2}]}`)
	b.Run("reader", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r := decode.NewReader(data)
			if readShape(r); !r.Done() {
				b.Fatal("not done")
			}
		}
	})
	b.Run("JSON", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := decode.JSON(data, new(shape)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
