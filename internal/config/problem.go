package config

import "strings"

// Problem is one mistake in a configuration.
type Problem struct {
	Where string // "nvent.yaml:3:12", or the name of an environment variable; empty for a value that was set in Go
	Key   string // "queue.adapter"; empty if the mistake belongs to no key
	What  string
	Near  string // the nearest valid name, or empty
	Fix   string
	Cause error // may be nil
}

// String returns the problem as one line.
func (p Problem) String() string {
	var b strings.Builder
	for _, part := range []string{p.Where, p.Key} {
		if part != "" {
			b.WriteString(part)
			b.WriteString(": ")
		}
	}
	b.WriteString(p.What)
	if p.Near != "" {
		b.WriteString(`; did you mean "` + p.Near + `"?`)
	}
	if p.Fix != "" {
		b.WriteString(" (" + p.Fix + ")")
	}
	return b.String()
}
