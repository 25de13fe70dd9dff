package flow_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/flow"
)

// TestPublishedSchemaIsThatOfTheDocument compares docs/flow.schema.json with the types of the document, whose doc comments are
// its descriptions. -update writes it.
func TestPublishedSchemaIsThatOfTheDocument(t *testing.T) {
	t.Parallel()
	s := schemaOf(t)
	schema := s.object(reflect.TypeFor[flow.Wiring]())
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "nvent flow"
	schema["$defs"] = s.defs
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(schema); err != nil {
		t.Fatal(err)
	}
	golden(t, "../docs/flow.schema.json", b.String())
}

// required are the keys that a document must have; everything else may be left out.
var required = map[string][]string{
	"Wiring": {"name", "steps"}, "StepDefinition": {}, "Connection": {"from", "to"}, "Join": {"mode"}, "Retry": {"attempts"}, "Await": {"type"},
}

// limits are what the analysis demands of a value, by type and key.
var limits = map[string]map[string]any{
	"Wiring.name":          {"pattern": "^[A-Za-z0-9_.-]{1,128}$"},
	"StepDefinition.name":  {"pattern": "^[A-Za-z0-9_.-]{1,128}$"},
	"StepConfig.queue":     {"pattern": "^[A-Za-z0-9_.-]{1,128}$"},
	"StepConfig.emits":     {"uniqueItems": true},
	"StepConfig.onFailure": {"enum": []string{flow.OnFailureFail, flow.OnFailureContinue}},
	"Join.mode":            {"enum": []string{flow.JoinModeAll, flow.JoinModeAny, flow.JoinModeN}},
	"Join.n":               {"minimum": 1},
	"Connection.from":      {"minLength": 1},
	"Connection.to":        {"pattern": "^[A-Za-z0-9_.-]{1,128}$"},
	"StepConfig.emitsAll":  {"uniqueItems": true},
	"StepConfig.flow":      {"pattern": "^[A-Za-z0-9_.-]{1,128}$"},
	"StepConfig.parallel":  {"minimum": 0},
	"Connection.repeat":    {"enum": []string{flow.RepeatFirst, flow.RepeatEach, flow.RepeatCollect}},
	"Await.type":           {"enum": []string{flow.AwaitTime, flow.AwaitEvent, flow.AwaitSignal, flow.AwaitSchedule}},
	"Await.onTimeout":      {"enum": []string{flow.TimeoutFail, flow.TimeoutContinue, flow.TimeoutRetry}},
	"Await.key":            {"maxLength": 4096},
	"Await.until":          {"maxLength": 4096},
	"Connection.until":     {"maxLength": 4096},
	"Connection.condition": {"maxLength": 4096},
	"Retry.attempts":       {"minimum": 1},
	"Backoff.kind":         {"enum": []string{flow.BackoffFixed, flow.BackoffExponential}},
	"Backoff.jitter":       {"minimum": 0, "maximum": 1},
}

// schemas builds JSON Schemas of Go types.
type schemas struct {
	comments map[string]string // "Type" and "Type.Field"
	defs     map[string]any
}

func schemaOf(t *testing.T) *schemas {
	t.Helper()
	s := &schemas{comments: map[string]string{}, defs: map[string]any{}}
	f, err := parser.ParseFile(token.NewFileSet(), "wiring.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.TYPE {
			continue
		}
		for _, spec := range g.Specs {
			typ := spec.(*ast.TypeSpec)
			s.comments[typ.Name.Name] = prose(g.Doc)
			st, ok := typ.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, field := range st.Fields.List {
				doc := field.Doc
				if doc == nil {
					doc = field.Comment
				}
				for _, n := range field.Names {
					s.comments[typ.Name.Name+"."+n.Name] = prose(doc)
				}
			}
		}
	}
	return s
}

// fromGo turns the names of Go's constants into the values that a document has.
var fromGo = strings.NewReplacer("[", "", "]", "", "Nil:", "Absent:",
	"OnFailureFail", flow.OnFailureFail, "OnFailureContinue", flow.OnFailureContinue,
	"JoinModeAll", flow.JoinModeAll, "JoinModeAny", flow.JoinModeAny, "JoinModeN", flow.JoinModeN,
	"RepeatFirst", flow.RepeatFirst, "RepeatEach", flow.RepeatEach, "RepeatCollect", flow.RepeatCollect,
	"AwaitTime", flow.AwaitTime, "AwaitEvent", flow.AwaitEvent, "AwaitSignal", flow.AwaitSignal, "AwaitSchedule", flow.AwaitSchedule,
	"TimeoutFail", flow.TimeoutFail, "TimeoutContinue", flow.TimeoutContinue, "TimeoutRetry", flow.TimeoutRetry,
	"BackoffFixed", flow.BackoffFixed, "BackoffExponential", flow.BackoffExponential)

// prose returns the first paragraph of a comment as one line.
func prose(c *ast.CommentGroup) string {
	first, _, _ := strings.Cut(c.Text(), "\n\n")
	return fromGo.Replace(strings.Join(strings.Fields(first), " "))
}

func (s *schemas) object(t reflect.Type) map[string]any {
	properties := map[string]any{}
	for f := range t.Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := s.value(f.Type)
		if c := s.comments[t.Name()+"."+f.Name]; c != "" {
			p["description"] = c
		}
		maps.Copy(p, limits[t.Name()+"."+key])
		properties[key] = p
	}
	o := map[string]any{
		"type": "object", "description": s.comments[t.Name()], "properties": properties, "additionalProperties": false,
	}
	if r := required[t.Name()]; len(r) > 0 {
		o["required"] = r
	}
	return o
}

// value returns the schema of a type. Every mapping has a definition of its own.
func (s *schemas) value(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return map[string]any{} // any value
	case t == reflect.TypeFor[flow.Duration]():
		s.defs["Duration"] = map[string]any{
			"description": "A duration such as \"1m30s\", or a number of milliseconds.",
			"anyOf": []any{
				map[string]any{"type": "string", "pattern": `^\+?([0-9]*\.?[0-9]*(ns|us|µs|μs|ms|s|m|h))+$|^0$`},
				map[string]any{"type": "number", "minimum": 0},
			},
		}
		return map[string]any{"$ref": "#/$defs/Duration"}
	case t == reflect.TypeFor[flow.Backoff]():
		s.defs["Backoff"] = s.object(t)
		return map[string]any{"anyOf": []any{
			map[string]any{"$ref": "#/$defs/Backoff"},
			map[string]any{"$ref": "#/$defs/Duration"},
		}}
	case t.Kind() == reflect.Pointer:
		return s.value(t.Elem())
	case t.Kind() == reflect.Struct:
		s.defs[t.Name()] = s.object(t)
		return map[string]any{"$ref": "#/$defs/" + t.Name()}
	case t.Kind() == reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.value(t.Elem())}
	case t.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "items": s.value(t.Elem())}
	case t.Kind() == reflect.String:
		return map[string]any{"type": "string"}
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	case t.Kind() == reflect.Float64:
		return map[string]any{"type": "number"}
	}
	return map[string]any{"type": "integer"}
}
