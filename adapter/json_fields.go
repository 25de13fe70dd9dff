package adapter

import (
	"bytes"
	"encoding/json"
)

// Fields returns the values of top-level keys of a JSON object, aligned with names: what an index needs, without decoding
// the rest. A string comes as string, a boolean as bool, a number as [json.Number] in canonical form (see [Canonical]), an
// array of strings as []string. What is absent, null, an object, or another array comes as nil.
//
// The body must have passed [Validate]: Fields stops reading when it has found all names, and does not check what it skips.
// A body that it cannot follow is an error that wraps [ErrInvalid]. The values are new memory.
func Fields(body json.RawMessage, names ...string) ([]any, error) {
	raw := make([]json.RawMessage, len(names))
	if err := RawFields(body, raw, names); err != nil {
		return nil, err
	}
	values := make([]any, len(names))
	for i := range raw {
		if raw[i] == nil {
			continue
		}
		var err error
		if values[i], err = FieldValue(raw[i]); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// RawFields is [Fields] without the decoding, and without memory: it sets values, aligned with names and as many, to the
// parts of body that hold them. What is absent is nil. See [FieldValue].
func RawFields(body json.RawMessage, values []json.RawMessage, names []string) error {
	clear(values)
	i := skipSpace(body, 0)
	if i >= len(body) || body[i] != '{' {
		return invalidJSON(i, "expected an object")
	}
	missing := len(names)
	for i = skipSpace(body, i+1); missing > 0; {
		if i < len(body) && body[i] == '}' {
			return nil
		}
		if i >= len(body) || body[i] != '"' {
			return invalidJSON(i, "expected a key in double quotes")
		}
		end, escaped, what := scanString(body, i+1)
		if what != "" {
			return invalidJSON(end, what)
		}
		key := body[i+1 : end]
		if escaped {
			key = appendUnescaped(nil, key)
		}
		i = skipSpace(body, end+1)
		if i >= len(body) || body[i] != ':' {
			return invalidJSON(i, "expected a colon after the key")
		}
		start := skipSpace(body, i+1)
		if i, what = skipValue(body, start); what != "" {
			return invalidJSON(i, what)
		}
		for n, name := range names {
			if string(key) == name {
				values[n] = body[start:i:i]
				missing--
			}
		}
		i = skipSpace(body, i)
		switch {
		case i < len(body) && body[i] == ',':
			i = skipSpace(body, i+1)
		case i >= len(body) || body[i] != '}':
			return invalidJSON(i, "expected a comma or the end of the object")
		}
	}
	return nil
}

// FieldValue returns what [Fields] returns for a value that [RawFields] has found.
func FieldValue(raw json.RawMessage) (any, error) {
	v, what := fieldValue(raw)
	if what != "" {
		return nil, invalidJSON(0, what)
	}
	return v, nil
}

// skipValue returns where the value at i ends, looking only at brackets and strings.
func skipValue(raw []byte, i int) (end int, what string) {
	for depth := 0; i < len(raw); {
		switch raw[i] {
		case '"':
			end, _, what := scanString(raw, i+1)
			if what != "" {
				return end, what
			}
			i = end + 1
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i, "expected a value"
			}
			i++
			continue
		default:
			if i, what = scanScalar(raw, i); what != "" {
				return i, what
			}
		}
		if depth <= 0 {
			if depth < 0 {
				return i, "expected a value"
			}
			return i, ""
		}
	}
	return i, "it ends where a value is expected"
}

func fieldValue(raw []byte) (v any, what string) {
	switch raw[0] {
	case '"':
		return fieldString(raw), ""
	case '[':
		return fieldStrings(raw)
	case 't', 'f':
		return raw[0] == 't', ""
	case '{', 'n':
		return nil, ""
	default:
		return json.Number(appendNumber(make([]byte, 0, len(raw)), raw)), ""
	}
}

// fieldString returns the characters of a string in its quotes.
func fieldString(raw []byte) string {
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') >= 0 {
		return string(appendUnescaped(nil, raw))
	}
	return string(raw)
}

// fieldStrings returns the elements of an array if all of them are strings, else nil.
func fieldStrings(raw []byte) (v any, what string) {
	all := []string{}
	for i := skipSpace(raw, 1); raw[i] != ']'; {
		if raw[i] != '"' {
			return nil, ""
		}
		end, what := skipValue(raw, i)
		if what != "" {
			return nil, what
		}
		all = append(all, fieldString(raw[i:end]))
		if i = skipSpace(raw, end); i < len(raw) && raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
		if i >= len(raw) {
			return nil, "expected the end of an array"
		}
	}
	return all, ""
}
