package nvent

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/internal/config"
)

// escaped returns a copy of an encoded configuration in which texts stand for themselves when they are read.
func escaped(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "${", "$${")
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = escaped(v[i])
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for key := range v {
			m[key] = escaped(v[key])
		}
		return m
	}
	return v
}

func encodeOpenly(t *testing.T, c Config) (plain, toRead []byte) {
	t.Helper()
	m := config.Encode(c, func(options map[string]any) map[string]any { return options },
		func(text string) string { return text })
	plain, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var generic any
	if err := json.Unmarshal(plain, &generic); err != nil {
		t.Fatal(err)
	}
	if toRead, err = json.Marshal(escaped(generic)); err != nil {
		t.Fatal(err)
	}
	return plain, toRead
}

// FuzzParseConfig: no input is a panic; a refusal says where and what; what is accepted is read back as itself, and
// validates or says why not.
func FuzzParseConfig(f *testing.F) {
	files, err := filepath.Glob("testdata/config/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(everyKey))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConfig(data, "f.yaml", []string{"HOME=/root"})
		if err != nil {
			var found *ConfigError
			if !errors.As(err, &found) || len(found.Problems) == 0 || !errors.Is(err, adapter.ErrInvalid) {
				t.Fatalf("refused with %v", err)
			}
			for _, p := range found.Problems {
				if p.What == "" || !strings.HasPrefix(p.Where, "f.yaml") {
					t.Fatalf("a problem without place or text: %+v", p)
				}
			}
			return
		}
		c.Registry = testRegistry(t)
		if err := c.Validate(); err != nil && !errors.Is(err, adapter.ErrInvalid) {
			t.Fatalf("invalid with %v", err)
		}
		plain, toRead := encodeOpenly(t, c)
		again, err := ParseConfig(toRead, "again.json", nil)
		if err != nil {
			t.Fatalf("%s is not read back: %v", toRead, err)
		}
		if got, _ := encodeOpenly(t, again); string(got) != string(plain) {
			t.Fatalf("read back as\n%s\nwant\n%s", got, plain)
		}
	})
}
