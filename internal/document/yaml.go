package document

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

func parseYAML(data []byte) (*Node, *Problem) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, problemAt(place{1, 1}, "the document is empty")
	}
	f, p := parseSafely(data)
	if p != nil {
		return nil, p
	}
	var body ast.Node
	for _, d := range f.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			return nil, problemAt(placeOf(d.Body), "a second document begins here; a file holds one")
		}
		body = d.Body
	}
	if body == nil {
		return nil, problemAt(place{1, 1}, "the document is empty")
	}
	return fromYAML(body, 0)
}

// parseSafely turns a panic of the YAML parser into an error: no document may take the process down.
func parseSafely(data []byte) (f *ast.File, p *Problem) {
	defer func() {
		if r := recover(); r != nil {
			f, p = nil, problemAt(place{1, 1}, "this is not YAML: the parser gave up on it (%v)", r)
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if p := tooMuch(tokens); p != nil {
		return nil, p
	}
	f, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // our message for those is better
	if err == nil {
		return f, nil
	}
	at := place{1, 1}
	what := err.Error()
	if y, ok := errors.AsType[yaml.Error](err); ok {
		what = y.GetMessage()
		at = placeOfToken(y.GetToken())
	}
	return nil, problemAt(at, "this is not YAML: %s", what)
}

// maxTokens bounds a YAML document: the time that the parser takes grows with the square of a mapping's length.
const maxTokens = 50_000

// tooMuch finds what would cost the parser too much time or memory: length, and depth, for which its memory grows with the
// square too.
func tooMuch(tokens token.Tokens) *Problem {
	if len(tokens) > maxTokens {
		return problemAt(placeOfToken(tokens[maxTokens]), "the document is too long for YAML: write it as JSON, or split it")
	}
	flow := 0
	var columns []int // of the block collections that are open
	for i, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingValueType:
			begin := t
			if t.Type == token.MappingValueType && i > 0 {
				begin = tokens[i-1] // the key
			}
			column := begin.Position.Column
			for len(columns) > 0 && columns[len(columns)-1] >= column {
				columns = columns[:len(columns)-1]
			}
			columns = append(columns, column)
		}
		if flow+len(columns) > 2*maxDepth {
			return problemAt(placeOfToken(t), "the document is nested deeper than %d", maxDepth)
		}
	}
	return nil
}

var octal = regexp.MustCompile(`^[-+]?0[0-9_]+$`)

// placeOf returns where a node begins. The token of a block mapping is the colon after its first key.
func placeOf(n ast.Node) place {
	switch m := n.(type) {
	case *ast.MappingValueNode:
		n = m.Key
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			n = m.Values[0].Key
		}
	}
	return placeOfToken(n.GetToken())
}

func placeOfToken(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

func fromYAML(y ast.Node, depth int) (*Node, *Problem) {
	n := &Node{at: placeOf(y)}
	if depth > maxDepth {
		return nil, problemAt(n.at, "the document is nested deeper than %d", maxDepth)
	}
	switch y := y.(type) {
	case *ast.NullNode:
	case *ast.StringNode:
		n.kind, n.value = text, y.Value
	case *ast.LiteralNode:
		n.kind, n.value = text, y.Value.Value
	case *ast.BoolNode:
		n.kind, n.value = boolean, strconv.FormatBool(y.Value)
	case *ast.IntegerNode:
		n.kind, n.value = number, fmt.Sprint(y.Value)
		if octal.MatchString(y.Token.Value) {
			return nil, problemAt(n.at, "a number that begins with 0 is octal in YAML: leave the 0 out, or put text in quotes")
		}
	case *ast.FloatNode:
		if math.IsInf(y.Value, 0) {
			return nil, problemAt(n.at, "number %s is out of range", y.Token.Value)
		}
		n.kind, n.value = number, strconv.FormatFloat(y.Value, 'g', -1, 64)
	case *ast.SequenceNode:
		n.kind = list
		for _, v := range y.Values {
			item, p := fromYAML(v, depth+1)
			if p != nil {
				return nil, p
			}
			n.items = append(n.items, item)
		}
	case *ast.MappingNode:
		n.kind = mapping
		seen := map[string]int{}
		for _, v := range y.Values {
			if p := n.addYAML(v, seen, depth); p != nil {
				return nil, p
			}
		}
	case *ast.MappingValueNode:
		n.kind = mapping
		return n, n.addYAML(y, map[string]int{}, depth)
	default:
		return nil, problemAt(n.at, "YAML's %s is not supported here: write plain keys and values", y.Type())
	}
	return n, nil
}

// addYAML adds a key. seen holds the lines of the keys before it.
func (n *Node) addYAML(y *ast.MappingValueNode, seen map[string]int, depth int) *Problem {
	at := placeOf(y.Key)
	if y.Start != nil && y.Start.Value != ":" {
		// {password: a,b}: what follows the comma may be half of a value, and a secret, so that it is not shown.
		return problemAt(at, "there is a comma before this, but no key: value after it; text with a comma needs quotes")
	}
	var name string
	switch k := y.Key.(type) {
	case *ast.StringNode:
		name = k.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		name = k.GetToken().Value
	default:
		return problemAt(at, "YAML's %s is not supported as a key: write a plain word", k.Type())
	}
	if line, dup := seen[name]; dup {
		return problemAt(at, "key %q is here twice, first in line %d", name, line)
	}
	seen[name] = at.line
	v, p := fromYAML(y.Value, depth+1)
	if p != nil {
		return p
	}
	n.keys = append(n.keys, key{name, at, v})
	return nil
}
