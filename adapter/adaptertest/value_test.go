package adaptertest

import (
	"encoding/json"
	"testing"
)

func TestSameJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{`{"a":1,"b":2}`, `{ "b": 2.0, "a": 1e0 }`, true},
		{`0.1`, `0.10`, true},
		{`"\u00e9"`, `"é"`, true},
		{``, `null`, true},
		{`9007199254740993`, `9007199254740992`, false},
		{`0.12345678901234567890`, `0.12345678901234567891`, false},
		{`"1"`, `1`, false},
		{`null`, `{}`, false},
		{`[1,2]`, `[2,1]`, false},
		{`[1]`, `[1,1]`, false},
		{`{"a":null}`, `{}`, false},
		{`"\u00e9"`, `"e\u0301"`, false},
		{`{"a":`, `{}`, false},
	} {
		for _, pair := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			err := sameJSON(json.RawMessage(pair[0]), json.RawMessage(pair[1]))
			if (err == nil) != c.same {
				t.Errorf("%s and %s: %v, want same %v", pair[0], pair[1], err, c.same)
			}
		}
	}
}

func TestBulkIsOfItsSize(t *testing.T) {
	t.Parallel()
	if raw := bulk(1000); len(raw) != 1000 || !json.Valid(raw) {
		t.Errorf("bulk(1000) has %d bytes, valid JSON: %v", len(raw), json.Valid(raw))
	}
}
