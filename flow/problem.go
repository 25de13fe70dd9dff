package flow

import (
	"fmt"
	"strings"

	"github.com/nvent-go/nvent/adapter"
)

// Problem is one mistake in a flow.
type Problem struct {
	Step       string // empty: it is about the flow
	Connection int    // its number in the document, from 1. 0: it is about no connection
	From, To   string // of the connection
	What       string
	Near       string // the nearest valid name, or empty
	Fix        string
}

// text returns the problem as one line.
func (p Problem) text() string {
	var b strings.Builder
	switch {
	case p.Connection > 0:
		fmt.Fprintf(&b, "connection %d (%q to %q): ", p.Connection, p.From, p.To)
	case p.Step != "":
		fmt.Fprintf(&b, "step %q: ", p.Step)
	}
	b.WriteString(p.What)
	if p.Near != "" {
		fmt.Fprintf(&b, "; did you mean %q?", p.Near)
	}
	if p.Fix != "" {
		fmt.Fprintf(&b, " (%s)", p.Fix)
	}
	return b.String()
}

// Invalid is the error of a flow that was refused. It matches [adapter.ErrInvalid].
type Invalid struct {
	Flow     string
	Problems []Problem // at least one
}

// maxListed is how many problems an error's text lists.
const maxListed = 30

// Error lists the problems, one per line, the first 30 of them.
func (e *Invalid) Error() string {
	if len(e.Problems) == 1 {
		return fmt.Sprintf("flow %q: %s", e.Flow, e.Problems[0].text())
	}
	var b strings.Builder
	fmt.Fprintf(&b, "flow %q has %d problems:", e.Flow, len(e.Problems))
	for i, p := range e.Problems {
		if i == maxListed {
			fmt.Fprintf(&b, "\n  - and %d more", len(e.Problems)-i)
			break
		}
		b.WriteString("\n  - ")
		b.WriteString(p.text())
	}
	return b.String()
}

// Is reports whether target is [adapter.ErrInvalid].
func (e *Invalid) Is(target error) bool { return target == adapter.ErrInvalid }
