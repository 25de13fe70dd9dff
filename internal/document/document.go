// Package document reads documents that people write: JSON or YAML, into Go structs. It is strict and says everything that
// is wrong at once, with line and column: unknown keys with the nearest known one, values of another type, keys given twice.
package document

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/nvent-go/nvent/adapter"
)

// maxSize bounds a document, in bytes; maxDepth bounds how deep it is nested.
const (
	maxSize  = 4 << 20
	maxDepth = 64
)

// kind is what a node is.
type kind int

const (
	null kind = iota
	boolean
	number
	text
	list
	mapping
)

// Node is a value of a document with its place.
type Node struct {
	kind  kind
	at    place
	value string // of a scalar; a number as JSON writes it
	items []*Node
	keys  []key
}

type place struct{ line, column int }

type key struct {
	name  string
	at    place
	value *Node
}

// Problem is one mistake in a document.
type Problem struct {
	File         string
	Line, Column int // from 1
	What         string
}

// Errors are the mistakes of a document. They match [adapter.ErrInvalid].
type Errors []Problem

// Error lists the mistakes, one per line: "flow.yaml:3:5: unknown key ...".
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.What)
	}
	return strings.Join(lines, "\n")
}

// Is reports whether target is [adapter.ErrInvalid].
func (Errors) Is(target error) bool { return target == adapter.ErrInvalid }

// Parse reads a document. It is JSON if the file's name ends in .json or if it is valid JSON, and YAML otherwise. The name is
// for error messages; the error is an [Errors].
func Parse(data []byte, file string) (*Node, error) {
	if len(data) > maxSize {
		return nil, Errors{{file, 1, 1, fmt.Sprintf("the document has %d bytes, more than %d", len(data), maxSize)}}
	}
	var n *Node
	var err *Problem
	if filepath.Ext(file) == ".json" || json.Valid(data) {
		n, err = parseJSON(data)
	} else {
		n, err = parseYAML(data)
	}
	if err != nil {
		err.File = file
		return nil, Errors{*err}
	}
	return n, nil
}

// Read parses a document into v, a pointer to a struct with json tags.
func Read(data []byte, file string, v any) error {
	n, err := Parse(data, file)
	if err != nil {
		return err
	}
	return Decode(n, file, v)
}

func problemAt(at place, format string, args ...any) *Problem {
	return &Problem{Line: at.line, Column: at.column, What: fmt.Sprintf(format, args...)}
}
