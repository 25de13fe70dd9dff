package encode_test

import (
	"encoding/json"
	"testing"

	"github.com/nvent-go/nvent/internal/encode"
)

func TestWriter(t *testing.T) {
	t.Parallel()
	type inner struct {
		Values []uint64 `json:"values"`
		Word   string   `json:"word,omitempty"`
	}
	type doc struct {
		N      int64             `json:"n"`
		U      uint64            `json:"u"`
		OmitN  int64             `json:"omitN,omitempty"`
		OmitU  uint64            `json:"omitU,omitempty"`
		S      string            `json:"s"`
		OmitS  string            `json:"omitS,omitempty"`
		B      bool              `json:"b,omitempty"`
		List   []inner           `json:"list"`
		OmitUs []uint64          `json:"omitUs,omitempty"`
		Words  []string          `json:"words,omitempty"`
		Map    map[string]string `json:"map,omitempty"`
		Any    any               `json:"any"`
	}
	for _, d := range []doc{
		{List: []inner{}},
		{N: -1, U: 2, OmitN: 3, OmitU: 4, S: "<", OmitS: "x", B: true, List: []inner{{}, {Values: []uint64{1, 2}, Word: "w"}},
			OmitUs: []uint64{7}, Words: []string{"a", ","}, Map: map[string]string{"k": ":"}, Any: []any{"x", map[string]any{"y": "z"}}},
	} {
		w := encode.NewWriter()
		w.Begin('{')
		w.Int("n", d.N)
		w.Uint("u", d.U)
		w.OmitInt("omitN", d.OmitN)
		w.OmitUint("omitU", d.OmitU)
		w.String("s", d.S)
		w.OmitString("omitS", d.OmitS)
		w.OmitBool("b", d.B)
		w.Key("list")
		w.Begin('[')
		for _, i := range d.List {
			w.Begin('{')
			w.Uints("values", i.Values)
			w.OmitString("word", i.Word)
			w.End('}')
		}
		w.End(']')
		w.OmitUints("omitUs", d.OmitUs)
		w.OmitStrings("words", d.Words)
		w.OmitStringMap("map", d.Map)
		w.Value("any", d.Any)
		w.End('}')
		want, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Finish(); string(got) != string(want) {
			t.Errorf("written %s, want %s", got, want)
		}
	}
}
