package flow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/nvent-go/nvent/internal/document"
)

// conditionEnv is what a condition can see.
type conditionEnv struct {
	Payload any    `expr:"payload"`
	Event   string `expr:"event"`
}

// maxCondition bounds the text of a condition, in bytes: the parser of expressions recurses.
const maxCondition = 4096

// unstable are built-in functions whose result is not decided by their arguments: time and the order of maps would make two
// engines disagree about what happens next.
var unstable = []string{"now", "keys", "values", "toPairs"}

// compileCondition compiles a condition. The error is for people and has a position.
func compileCondition(text string) (*vm.Program, error) {
	return compileExpr(text, conditionEnv{}, []string{"payload", "event"}, expr.AsBool())
}

// compileExpr compiles an expression over what env has, whose names are given. The error is for people and has a position.
func compileExpr(text string, env any, names []string, more ...expr.Option) (*vm.Program, error) {
	if len(text) > maxCondition {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(text), maxCondition)
	}
	options := append([]expr.Option{expr.Env(env)}, more...)
	for _, name := range unstable {
		options = append(options, expr.DisableBuiltin(name))
	}
	p, err := expr.Compile(text, options...)
	if err == nil {
		return p, nil
	}
	var at *file.Error
	if errors.As(err, &at) && at.Line > 0 {
		return nil, fmt.Errorf("line %d, column %d: %s", at.Line, at.Column+1, explain(at.Message, names))
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return nil, errors.New(explain(first, names))
}

// explain adds to a message of the expression compiler what it cannot know.
func explain(message string, names []string) string {
	if name, ok := strings.CutPrefix(message, "unknown name "); ok {
		switch near := document.Nearest(name, names); {
		case slices.Contains(unstable, name):
			return fmt.Sprintf("%s() is left out, because its result is not decided by the event alone", name)
		case near != "":
			return fmt.Sprintf("unknown name %q; did you mean %q?", name, near)
		default:
			there := "there is " + names[0]
			if len(names) > 1 {
				there = "there are " + strings.Join(names, " and ")
			}
			return fmt.Sprintf("unknown name %q: %s, so a field is %s.%s", name, there, names[0], name)
		}
	}
	if typ, ok := strings.CutPrefix(message, "expected bool, but got "); ok {
		return fmt.Sprintf("its result is of type %s, and not true or false", typ)
	}
	return message
}

// holds reports whether the connection is taken for this event. Integers of the payload are exact as long as they fit into
// 64 bits. An error (a condition that needs a field which is not there, or that is not true or false) names the connection.
func (s subscription) holds(event string, payload json.RawMessage) (bool, error) {
	if s.cond == nil {
		return true, nil
	}
	text := s.step.Slots[s.slot].Condition
	v, err := decodeExact(payload)
	if err == nil {
		var out any
		if out, err = expr.Run(s.cond, conditionEnv{Payload: v, Event: event}); err == nil {
			return out == true, nil // it is a bool: expr.AsBool sees to that
		}
	}
	if at, ok := errors.AsType[*file.Error](err); ok {
		err = errors.New(at.Message)
	}
	return false, fmt.Errorf("evaluate condition %q of the connection from %q to step %q: %w", text, event, s.step.Name, err)
}

// decodeExact decodes JSON with integers as int64 where they fit, and other numbers as float64.
func decodeExact(b json.RawMessage) (any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("decode payload: %w", err)
	}
	return exactNumbers(v)
}

func exactNumbers(v any) (any, error) {
	var err error
	switch t := v.(type) {
	case json.Number:
		if i, ierr := t.Int64(); ierr == nil {
			return i, nil
		}
		f, ferr := t.Float64()
		if ferr != nil {
			return nil, fmt.Errorf("decode payload: number %s is out of range", t)
		}
		return f, nil
	case map[string]any:
		for k := range t {
			if t[k], err = exactNumbers(t[k]); err != nil {
				return nil, err
			}
		}
	case []any:
		for i := range t {
			if t[i], err = exactNumbers(t[i]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}
