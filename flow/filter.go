package flow

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

// Filter is a compiled condition, in the language of [Connection.Condition], for events outside of a flow. It may be used from
// many goroutines.
type Filter struct {
	text    string
	program *vm.Program
}

// NewFilter compiles a condition. The error says where in the text the mistake is.
func NewFilter(text string) (*Filter, error) {
	p, err := compileCondition(text)
	if err != nil {
		return nil, err
	}
	return &Filter{text, p}, nil
}

// Match reports whether the condition holds for an event. A condition that needs a field which is not there is an error.
func (f *Filter) Match(event string, payload json.RawMessage) (bool, error) {
	v, err := decodeExact(payload)
	if err == nil {
		var out any
		if out, err = expr.Run(f.program, conditionEnv{Payload: v, Event: event}); err == nil {
			return out == true, nil // it is a bool: expr.AsBool sees to that
		}
	}
	if at, ok := errors.AsType[*file.Error](err); ok {
		err = errors.New(at.Message)
	}
	return false, fmt.Errorf("evaluate filter %q: %w", f.text, err)
}
