package nvent

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"testing"

	"github.com/nvent-go/nvent/internal/config"
)

type schema = map[string]any

// configSchema returns the JSON Schema of the file, for editors. It does not know the options of adapters.
func configSchema(t *testing.T, keys []*key) string {
	t.Helper()
	s := objectSchema(keys)
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Configuration of nvent (nvent.yaml)"
	s["$defs"] = schema{
		"variable": schema{"type": "string", "pattern": `\$\{[A-Za-z_]`},
		"duration": schema{"anyOf": []any{
			schema{"type": "string", "pattern": `^([0-9]*\.?[0-9]+(ns|us|µs|ms|s|m|h|d))+$`},
			schema{"type": "number", "minimum": 0}, schema{"$ref": "#/$defs/variable"},
		}},
		"size": schema{"anyOf": []any{
			schema{"type": "string", "pattern": `^[0-9]+ *(B|kB|KB|MB|GB|KiB|MiB|GiB)?$`},
			schema{"type": "integer", "minimum": 1}, schema{"$ref": "#/$defs/variable"},
		}},
		"options": schema{"type": []any{"object", "null"}, "description": "Options of the adapter: see its documentation."},
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func objectSchema(keys []*key) schema {
	properties := schema{}
	s := schema{"type": []any{"object", "null"}, "properties": properties, "additionalProperties": false}
	for _, k := range keys {
		if k.field.Inline {
			s["additionalProperties"] = schema{"$ref": "#/$defs/options"}
			for _, name := range knownAdapters {
				properties[name] = schema{"$ref": "#/$defs/options"}
			}
			continue
		}
		p := k.valueSchema()
		p["description"] = k.doc
		properties[k.field.Name] = p
	}
	return s
}

func (k *key) valueSchema() schema {
	f, t := k.field, k.field.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var s schema
	switch {
	case f.Shorthand != "":
		return schema{"anyOf": []any{schema{"$ref": "#/$defs/duration"}, objectSchema(k.below)}}
	case t.Kind() == reflect.Map && k.below != nil:
		return schema{"type": []any{"object", "null"}, "additionalProperties": objectSchema(k.below)}
	case k.below != nil:
		return objectSchema(k.below)
	case config.IsOptions(t):
		return schema{"$ref": "#/$defs/options"}
	case t.Kind() == reflect.Map && config.IsLevel(t.Elem()):
		level := orVariable(schema{"enum": []any{"debug", "info", "warn", "error"}})
		properties := schema{}
		for _, part := range debugParts {
			properties[part] = level
		}
		return schema{"type": []any{"object", "null"}, "properties": properties, "additionalProperties": false}
	case t.Kind() == reflect.Map:
		return schema{"type": []any{"object", "null"}, "additionalProperties": schema{"$ref": "#/$defs/options"}}
	case len(f.Enum) > 0:
		s = orVariable(schema{"enum": f.Enum})
	case config.IsDuration(t):
		s = schema{"$ref": "#/$defs/duration"}
	case f.Unit == "bytes":
		s = schema{"$ref": "#/$defs/size"}
	case t.Kind() == reflect.Int:
		s = orVariable(schema{"type": "integer", "minimum": json.Number(f.Min), "maximum": json.Number(f.Max)})
	case t.Kind() == reflect.Float64:
		s = orVariable(schema{"type": "number", "minimum": json.Number(f.Min), "maximum": json.Number(f.Max)})
	case t.Kind() == reflect.Bool:
		s = orVariable(schema{"type": "boolean"})
	default:
		s = schema{"type": "string"}
	}
	if f.Default != "" {
		s["default"] = defaultJSON(f.Default)
	}
	return s
}

func orVariable(s schema) schema {
	return schema{"anyOf": []any{s, schema{"$ref": "#/$defs/variable"}}}
}

func defaultJSON(text string) any {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	if b, err := strconv.ParseBool(text); err == nil {
		return b
	}
	return text
}

// TestSchemaKnowsEveryKey: what the example with every key has is in the schema.
func TestSchemaKnowsEveryKey(t *testing.T) {
	t.Parallel()
	var s schema
	if err := json.Unmarshal([]byte(configSchema(t, configKeys(t))), &s); err != nil {
		t.Fatal(err)
	}
	c, err := ParseConfig([]byte(everyKey), "nvent.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, _ := encodeOpenly(t, c)
	var got any
	if err := json.Unmarshal(plain, &got); err != nil {
		t.Fatal(err)
	}
	checkKnown(t, "", got, s)
}

func checkKnown(t *testing.T, path string, v any, s schema) {
	t.Helper()
	if choices, ok := s["anyOf"].([]any); ok {
		s = choices[len(choices)-1].(schema)
	}
	m, ok := v.(map[string]any)
	if _, isOptions := s["$ref"]; !ok || isOptions {
		return
	}
	properties, _ := s["properties"].(schema)
	for name := range m {
		below, ok := properties[name].(schema)
		if !ok {
			below, ok = s["additionalProperties"].(schema)
		}
		if !ok {
			t.Errorf("the schema has no %s.%s", path, name)
		}
		checkKnown(t, path+"."+name, m[name], below)
	}
}
