package nvent

import (
	"fmt"
	"strings"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/internal/config"
)

// ConfigError is everything that is wrong with a configuration. It matches [adapter.ErrInvalid], and what the causes of its
// problems match.
type ConfigError struct {
	Problems []ConfigProblem // at least one
}

// ConfigProblem is one mistake in a configuration. None of its texts holds a secret.
type ConfigProblem struct {
	Where string // "nvent.yaml:3:12", or the name of an environment variable; empty for what was set in Go
	Key   string // "queue.adapter"; empty if the mistake belongs to no key
	What  string
	Near  string // the nearest valid name, or empty
	Fix   string
	Cause error // may be nil
}

// String returns the problem as one line.
func (p ConfigProblem) String() string { return config.Problem(p).String() }

// Error lists the problems, one per line.
func (e *ConfigError) Error() string {
	if len(e.Problems) == 1 {
		return "configuration: " + e.Problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "configuration has %d problems:", len(e.Problems))
	for _, p := range e.Problems {
		b.WriteString("\n  - ")
		b.WriteString(p.String())
	}
	return b.String()
}

// Is reports whether target is [adapter.ErrInvalid].
func (e *ConfigError) Is(target error) bool { return target == adapter.ErrInvalid }

// Unwrap returns the causes of the problems.
func (e *ConfigError) Unwrap() []error {
	var causes []error
	for _, p := range e.Problems {
		if p.Cause != nil {
			causes = append(causes, p.Cause)
		}
	}
	return causes
}

// configError returns nil if there are no problems.
func configError(problems []config.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	e := &ConfigError{Problems: make([]ConfigProblem, len(problems))}
	for i, p := range problems {
		e.Problems[i] = ConfigProblem(p)
	}
	return e
}
