package document_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/internal/document"
)

type settings struct {
	Name  string           `json:"name"`
	Count int              `json:"count"`
	Part  float64          `json:"part"`
	On    bool             `json:"on"`
	Tags  []string         `json:"tags"`
	Inner *inner           `json:"inner"`
	By    map[string]inner `json:"by"`
	Any   any              `json:"any"`
	Size  uint8            `json:"size"`
	Raw   json.RawMessage  `json:"raw"`
}

type inner struct {
	Depth int `json:"depth"`
}

func TestReadTakesTheSameFromJSONAndYAML(t *testing.T) {
	t.Parallel()
	want := settings{
		Name: "42", Count: -3, Part: 0.5, On: true, Tags: []string{"a", "b c"}, Inner: &inner{1}, By: map[string]inner{"x": {2}, "7": {3}},
		Any: map[string]any{"k": []any{json.Number("1"), "s", nil, true}}, Size: 255,
		Raw: json.RawMessage(`{"a":[1.5,"x"]}`),
	}
	docs := map[string]string{
		"s.json": `{"name":"42","count":-3,"part":0.5,"on":true,"tags":["a","b c"],"inner":{"depth":1},
			"by":{"x":{"depth":2},"7":{"depth":3}},"any":{"k":[1,"s",null,true]},"size":255,"raw":{"a":[1.5,"x"]}}`,
		"s.yaml": "# settings\nname: '42'\ncount: -3\npart: 0.5\non: true\ntags:\n  - a\n  - b c\ninner: {depth: 1}\n" +
			"by:\n  x:\n    depth: 2\n  7:\n    depth: 3\nany:\n  k: [1, s, ~, true]\nsize: 0xff\nraw: {a: [1.5, x]}\n",
	}
	for file, text := range docs {
		var got settings
		if err := document.Read([]byte(text), file, &got); err != nil {
			t.Errorf("%s: %v", file, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", file, got, want)
		}
	}
}

func TestReadSaysWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	const keys = " (keys here are any, by, count, inner, name, on, part, raw, size, tags)"
	for _, c := range []struct{ file, text, want string }{
		{"a.yaml", "name: x\ncuont: 1\n", `a.yaml:2:1: unknown key "cuont" in the document; did you mean "count"?` + keys},
		{"a.yaml", "inner:\n  dept: 1\n", `a.yaml:2:3: unknown key "dept" in inner; did you mean "depth"? (keys here are depth)`},
		{"a.yaml", "name: 12\n", `a.yaml:1:7: name is the number 12 where text belongs: put it in quotes`},
		{"a.yaml", "name: [x]\n", `a.yaml:1:7: name is a list where text belongs`},
		{"a.yaml", "count: 1.5\n", `a.yaml:1:8: count is 1.5 where a whole number belongs`},
		{"a.yaml", "count: x\n", `a.yaml:1:8: count is the text "x" where a whole number belongs`},
		{"a.yaml", "size: 256\n", `a.yaml:1:7: size is 256, which is out of range`},
		{"a.yaml", "on: 1\n", `a.yaml:1:5: on is number 1 where true or false belongs`},
		{"a.yaml", "tags: x\n", `a.yaml:1:7: tags is the text "x" where a list belongs`},
		{"a.yaml", "tags: [a, 2]\n", `a.yaml:1:11: tags[1] is the number 2 where text belongs: put it in quotes`},
		{"a.yaml", "by: {x: 3}\n", `a.yaml:1:9: by.x is number 3 where a mapping belongs`},
		{"a.yaml", "- a\n", `a.yaml:1:1: the document is a list where a mapping belongs`},
		{"a.yaml", "", `a.yaml:1:1: the document is empty`},
		{"a.yaml", "# nothing\n", `a.yaml:1:1: the document is empty`},
		{"a.yaml", "name: x\n---\nname: y\n", `a.yaml:3:1: a second document begins here; a file holds one`},
		{"a.yaml", "name: &a x\n", `a.yaml:1:7: YAML's Anchor is not supported here: write plain keys and values`},
		{"a.yaml", "part: .nan\n", `a.yaml:1:7: YAML's Nan is not supported here: write plain keys and values`},
		{"a.yaml", "? a\n: b\n", `a.yaml:1:1: YAML's MappingKey is not supported as a key: write a plain word`},
		{"a.yaml", "a: b: c\n", `a.yaml:1:4: this is not YAML: mapping value is not allowed in this context`},
		{"a.yaml", "a: [b\n", `a.yaml:1:4: this is not YAML: sequence end token ']' not found`},
		{"a.yaml", "a:\n\t- b\n", "a.yaml:2:1: this is not YAML: found character '\t' that cannot start any token"},
		{"a.yaml", "name: x\nname: y\n", `a.yaml:2:1: key "name" is here twice, first in line 1`},
		{"a.json", "{\n  \"name\": \"x\",\n  \"cuont\": 1}",
			`a.json:3:3: unknown key "cuont" in the document; did you mean "count"?` + keys},
		{"a.json", "{\"name\": \"x\"", `a.json:1:13: the document ends too early`},
		{"a.json", "{\"name\": \"x\",\n\"name\": \"y\"}", `a.json:2:1: key "name" is here twice, first in line 1`},
		{"a.json", "{} x", `a.json:1:4: something follows the document`},
		{"a.json", "{'name': 1}", `a.json:1:2: this is not JSON: invalid character '\''`},
		{"a.json", strings.Repeat("[", 100), `a.json:1:66: the document is nested deeper than 64`},
		{"a.yaml", strings.Repeat("[", 1e6), `a.yaml:1:50001: the document is too long for YAML: write it as JSON, or split it`},
		{"a.yaml", strings.Repeat("[", 1e4), `a.yaml:1:129: the document is nested deeper than 64`},
		{"a.yaml", strings.Repeat("- ", 1e4), `a.yaml:1:257: the document is nested deeper than 64`},
		{"a.yaml", strings.Repeat("- ", 70) + "x", `a.yaml:1:131: the document is nested deeper than 64`},
		{"a.yaml", "count: x\nsize: -1\n", "a.yaml:1:8: count is the text \"x\" where a whole number belongs\n" +
			"a.yaml:2:7: size is -1 where a whole number of 0 or more belongs"},
	} {
		var v settings
		err := document.Read([]byte(c.text), c.file, &v)
		switch {
		case err == nil:
			t.Errorf("%q is accepted as %+v", c.text, v)
		case err.Error() != c.want:
			t.Errorf("%q\n got %s\nwant %s", c.text, err, c.want)
		case !errors.Is(err, adapter.ErrInvalid):
			t.Errorf("%q: the error does not match ErrInvalid", c.text)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ word, candidates, want string }{
		{"emit", "emits external join", "emits"},
		{"order.packd", "order.packed order.placed", "order.packed"},
		{"hcarge", "charge change", "charge"},
		{"zebra", "emits external join", ""},
		{"retries", "handler retry", "retry"},
		{"order.charged", "order.placed", ""},
		{"a", "bcdef", ""},
		{"a", "b", ""},
		{"", "b", ""},
		{"same", "same", ""},
	} {
		if got := document.Nearest(c.word, strings.Fields(c.candidates)); got != c.want {
			t.Errorf("Nearest(%q, %s) = %q, want %q", c.word, c.candidates, got, c.want)
		}
	}
}

// FuzzYAML checks that no document takes the reader down, and that what is written as YAML is read back as it was.
func FuzzYAML(f *testing.F) {
	for _, s := range []string{
		`{"a":"b: c","d":["step:x","- y","","null","yes","1e3","0x1f"," lead","tab\t","nl\n","\u2028\u0085","é😀"],"e":{}}`,
		"a: 1\nb:\n- c\n- {d: e}\n", "a: |\n  x\n  y\n", "[[[[", "{a: b", "a: &x [*x]", "? a\n: b", "--- a\n--- b", "\t- x", "a: !!binary x",
		`[[1,[2,{"a":[]}]],{"b":{"c":null}}]`, `"\ud800"`, "a:\r\n  b\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var first any
		var holder struct {
			V any `json:"v"`
		}
		n, err := document.Parse(data, "f.yaml")
		if err != nil {
			return
		}
		_ = document.Decode(n, "f.yaml", &holder) // whatever it says
		if !json.Valid(data) {
			return
		}
		if err := json.Unmarshal(data, &first); err != nil {
			return // a number out of range
		}
		wrapped, err := json.Marshal(map[string]any{"v": first})
		if err != nil {
			t.Fatal(err)
		}
		y, err := document.YAML(wrapped)
		if err != nil {
			return // too deep
		}
		if err := document.Read(y, "f.yaml", &holder); err != nil {
			t.Fatalf("%s\nwas written as\n%s\nwhich is refused: %v", wrapped, y, err)
		}
		again, err := json.Marshal(holder.V)
		if err != nil {
			t.Fatal(err)
		}
		var second any
		if err := json.Unmarshal(again, &second); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(first, second) {
			t.Fatalf("%s\nwas written as\n%s\nand read as\n%s", wrapped, y, again)
		}
	})
}
