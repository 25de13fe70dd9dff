package nvent

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/config"
)

// The reference page and the schema are made from Config here, in a test, so that neither the library nor its users carry
// the generator: go generate runs this test with -update.
func TestConfigReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	keys := configKeys(t)
	compareGolden(t, "docs/configuration.md", referencePage(t, keys))
	compareGolden(t, "docs/nvent.schema.json", configSchema(t, keys))
}

// key is a key of the configuration with what its field says.
type key struct {
	path, doc string
	field     config.Field
	below     []*key // of a mapping with known keys; of a map, those of each entry
}

// backoffDocs stand in for comments, which package flow writes for readers of Go.
var backoffDocs = map[string]string{
	"kind": "fixed (base every time) or exponential (base, twice base, four times base, ... up to max).",
	"base": "The first delay.", "max": "No delay is longer. 0 is no limit.", "jitter": "The part of a delay that is random, 0 to 1.",
}

func configKeys(t *testing.T) []*key {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			for _, f := range spec.Type.(*ast.StructType).Fields.List {
				docs[spec.Name.Name+"."+f.Names[0].Name] = sentence(f.Names[0].Name, f.Doc.Text())
			}
		}
		return true
	})
	return keysOf(t, reflect.TypeFor[Config](), "", docs)
}

func keysOf(t *testing.T, typ reflect.Type, path string, docs map[string]string) []*key {
	t.Helper()
	var keys []*key
	for _, f := range config.Fields(typ) {
		k := &key{path: config.Join(path, f.Name), field: f, doc: docs[typ.Name()+"."+typ.Field(f.Index).Name]}
		if f.Inline {
			k.path = path + ".<adapter>"
		}
		if typ == reflect.TypeFor[flow.Backoff]() {
			k.doc = backoffDocs[f.Name]
		}
		if k.doc == "" {
			t.Errorf("%s.%s has no comment", typ.Name(), typ.Field(f.Index).Name)
		}
		switch {
		case f.Type.Kind() == reflect.Struct:
			k.below = keysOf(t, f.Type, k.path, docs)
		case f.Type.Kind() == reflect.Map && f.Type.Elem().Kind() == reflect.Struct:
			k.below = keysOf(t, f.Type.Elem(), k.path+".<name>", docs)
		}
		keys = append(keys, k)
	}
	return keys
}

// sentence turns a field's comment into text that does not begin with the field's name: "Dir is the directory" is "The
// directory".
func sentence(name, doc string) string {
	var p comment.Parser
	if doc == "" {
		return ""
	}
	text := strings.Join(strings.Fields(string((&comment.Printer{TextWidth: -1}).Text(p.Parse(doc)))), " ")
	text = strings.TrimPrefix(text, name+" ")
	for _, verb := range []string{"is ", "are "} {
		text = strings.TrimPrefix(text, verb)
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

func referencePage(t *testing.T, keys []*key) string {
	t.Helper()
	intro, err := os.ReadFile("testdata/configuration-intro.md")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.Write(intro)
	for _, top := range keys {
		if top.below == nil {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", top.path, top.doc)
		writeTable(&b, top.below)
	}
	b.WriteString("\n## Other keys\n\n")
	var others []*key
	for _, k := range keys {
		if k.below == nil {
			others = append(others, k)
		}
	}
	writeTable(&b, others)
	return b.String()
}

func writeTable(b *bytes.Buffer, keys []*key) {
	b.WriteString("| key | value | default | |\n|---|---|---|---|\n")
	var rows func(keys []*key)
	rows = func(keys []*key) {
		for _, k := range keys {
			if k.below == nil || k.field.Shorthand != "" {
				def := ""
				if k.field.Default != "" && !strings.Contains(k.path, "<name>") {
					def = "`" + k.field.Default + "`"
				}
				fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", k.path, k.valueText(), def, k.doc)
			}
			rows(k.below)
		}
	}
	rows(keys)
}

// valueText says what a key takes.
func (k *key) valueText() string {
	f, t := k.field, k.field.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case len(f.Enum) > 0:
		return "`" + strings.Join(f.Enum, "`, `") + "`"
	case f.Shorthand != "":
		return "duration, or mapping"
	case config.IsDuration(t) && f.Unit == "s":
		return "duration, or seconds"
	case config.IsDuration(t):
		return "duration, or milliseconds"
	case f.Unit == "bytes":
		return "size, or bytes"
	case t.Kind() == reflect.Int:
		return "whole number, " + f.Min + " to " + f.Max
	case t.Kind() == reflect.Float64:
		return "number, " + f.Min + " to " + f.Max
	case t.Kind() == reflect.Bool:
		return "`true`, `false`"
	case f.Inline, config.IsOptions(t):
		return "options of the adapter"
	case t.Kind() == reflect.Map && config.IsLevel(t.Elem()):
		return "level by part"
	case t.Kind() == reflect.Map:
		return "mapping by adapter"
	}
	return "text"
}
