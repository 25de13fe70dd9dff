package config

import (
	"fmt"
	"strings"
)

// Expand replaces ${VAR} and ${VAR:default} in every text below n, and $${ by ${. lookup finds variables. It returns the names
// of the variables that the texts mention, whether they are set or not.
func Expand(n *Node, lookup func(name string) (string, bool)) (used map[string]bool, problems []Problem) {
	x := &expander{lookup: lookup, used: map[string]bool{}}
	x.walk(n)
	return x.used, x.problems
}

type expander struct {
	lookup   func(string) (string, bool)
	used     map[string]bool
	problems []Problem
}

func (x *expander) walk(n *Node) {
	for _, e := range n.Entries {
		x.walk(e.Value)
	}
	for _, item := range n.Items {
		x.walk(item)
	}
	if text, ok := n.Value.(string); ok && strings.Contains(text, "${") {
		n.Source = text
		n.Value = x.text(n, text)
	}
}

func (x *expander) text(n *Node, text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			b.WriteString(text)
			return b.String()
		}
		if strings.HasSuffix(before, "$") {
			b.WriteString(before + "{")
			text = rest
			continue
		}
		b.WriteString(before)
		inner, after, closed := strings.Cut(rest, "}")
		if !closed {
			x.refuse(n, `"${" has no "}"`, `write ${VAR} or ${VAR:default}; "$${" stands for "${" itself`)
			return b.String()
		}
		n.Expanded = true
		b.WriteString(x.variable(n, inner))
		text = after
	}
}

func (x *expander) variable(n *Node, inner string) string {
	name, fallback, hasFallback := strings.Cut(inner, ":")
	if !isVariableName(name) {
		// What stands there may be a secret that happens to contain "${", so it is not shown.
		x.refuse(n, `what follows "${" is no name of a variable`,
			`names have letters, digits and _, such as ${REDIS_URL}; "$${" stands for "${" itself`)
		return ""
	}
	x.used[name] = true
	if hasFallback && strings.HasPrefix(fallback, "-") {
		x.refuse(n, fmt.Sprintf("${%s:-...} is the shell's way to write a default", name), fmt.Sprintf("write ${%s:default}", name))
		return ""
	}
	if v, ok := x.lookup(name); ok {
		return v
	}
	if !hasFallback {
		x.refuse(n, fmt.Sprintf("the environment variable %s is not set", name),
			fmt.Sprintf("set it, or give a default: ${%s:default}", name))
	}
	return fallback
}

func (x *expander) refuse(n *Node, what, fix string) {
	n.broken = true
	x.problems = append(x.problems, Problem{Where: n.Pos.String(), Key: n.Path, What: what, Fix: fix})
}

func isVariableName(s string) bool {
	for i, r := range s {
		letter := r == '_' || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z')
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
