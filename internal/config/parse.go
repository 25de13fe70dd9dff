package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nvent-go/nvent/internal/document"
)

// Parse reads one YAML (or JSON) document that is a mapping. name is what positions call the file. A document with nothing but
// comments is an empty mapping. Problems show no values, because nobody knows yet which of them are secrets.
func Parse(name string, data []byte) (*Node, []Problem) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) {
		return nil, []Problem{{Where: name, What: "the file is not text in UTF-8", Fix: "save it in UTF-8"}}
	}
	if isBlank(data) {
		return &Node{Kind: Map, Pos: Position{File: name, Line: 1, Col: 1}}, nil
	}
	doc, err := document.Parse(data, name)
	if err != nil {
		return nil, documentProblems(err)
	}
	root := fromDocument(doc, name, "")
	if root.Kind != Map {
		return nil, []Problem{{Where: root.Pos.String(), What: "the configuration is " + root.Kind.String() + ", not a mapping",
			Fix: "write keys and values, such as queue: {adapter: redis}"}}
	}
	return root, nil
}

// isBlank reports whether a document holds nothing but comments.
func isBlank(data []byte) bool {
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && !bytes.Equal(line, []byte("---")) {
			return false
		}
	}
	return true
}

func documentProblems(err error) []Problem {
	var found document.Errors
	if !errors.As(err, &found) {
		return []Problem{{What: err.Error(), Cause: err}}
	}
	problems := make([]Problem, len(found))
	for i, p := range found {
		at := Position{File: p.File, Line: p.Line, Col: p.Column}
		problems[i] = Problem{Where: at.String(), What: p.What}
		if strings.HasPrefix(p.What, "this is not") {
			// What the parser quotes is the text of the file, which may be a secret.
			what, _, _ := strings.Cut(p.What, `: "`)
			problems[i].What, _, _ = strings.Cut(what, `"`)
			problems[i].Fix = "check the indentation, quotes and brackets here and above; text with special characters needs quotes"
		}
	}
	return problems
}

func fromDocument(d *document.Node, file, path string) *Node {
	n := &Node{Path: path, Pos: Position{File: file}}
	n.Pos.Line, n.Pos.Col = d.Place()
	switch c := d.Content().(type) {
	case bool:
		n.Kind, n.Value = Bool, c
	case string:
		n.Kind, n.Value = Text, c
	case json.Number:
		n.setNumber(string(c))
	case []*document.Node:
		n.Kind = List
		for i, item := range c {
			n.Items = append(n.Items, fromDocument(item, file, itemPath(path, i)))
		}
	case []document.Entry:
		n.Kind = Map
		for _, e := range c {
			at := Position{File: file, Line: e.Line, Col: e.Column}
			n.Entries = append(n.Entries, Entry{Key: e.Key, Pos: at, Value: fromDocument(e.Value, file, Join(path, e.Key))})
		}
	}
	return n
}

// setNumber keeps whole numbers exact where 64 bits hold them. What no float64 holds stays text, and is then out of range
// wherever a number is wanted.
func (n *Node) setNumber(digits string) {
	if i, err := strconv.ParseInt(digits, 10, 64); err == nil {
		n.Kind, n.Value = Int, i
		return
	}
	if u, err := strconv.ParseUint(digits, 10, 64); err == nil {
		n.Kind, n.Value = Int, u
		return
	}
	if f, err := strconv.ParseFloat(digits, 64); err == nil {
		n.Kind, n.Value = Float, f
		return
	}
	n.Kind, n.Value = Text, digits
}
