package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/nvent-go/nvent/internal/document"
)

// Environment says how environment variables override a configuration.
type Environment struct {
	Prefix   string   // "NVENT_"
	Reserved []string // names with the prefix that are no keys; one that ends in _ reserves all names that begin with it
	Adapters []string // names of sections that a variable may name although the file does not
}

// variable is an entry of the environment.
type variable struct{ name, value string }

// Split returns the entries of an environment in the form of [os.Environ] as a map.
func Split(env []string) map[string]string {
	vars := make(map[string]string, len(env))
	for _, entry := range env {
		if name, value, ok := strings.Cut(entry, "="); ok {
			vars[name] = value
		}
	}
	return vars
}

// Overlay sets what the environment overrides in root, the configuration of a struct of type t. used are variables that the
// configuration mentions itself, which are therefore no overrides.
//
// The name of a variable is the path of a key in upper snake case: queue.defaultConfig.worker.autorun is
// NVENT_QUEUE_DEFAULT_CONFIG_WORKER_AUTORUN. Where a path has a name that the user chose, the name is the one in the file
// that reads the same in upper snake case. If there is none, the name must be a single word, which is then in lower case.
func (e Environment) Overlay(root *Node, t reflect.Type, vars map[string]string, used map[string]bool) []Problem {
	o := &overlay{adapters: slices.Clone(e.Adapters)}
	var found []variable
	for name, value := range vars {
		if strings.HasPrefix(name, e.Prefix) && !used[name] && !e.isReserved(name) {
			found = append(found, variable{name, value})
		}
	}
	slices.SortFunc(found, func(a, b variable) int { return strings.Compare(a.name, b.name) })
	// The names of adapters that variables select are names of sections too.
	for _, v := range found {
		if strings.HasSuffix(v.name, "_ADAPTER") && v.value != "" {
			o.adapters = append(o.adapters, v.value)
		}
	}
	for _, v := range found {
		o.unnamed = false
		path := o.match(t, strings.TrimPrefix(v.name, e.Prefix), root)
		if path == nil {
			o.refuse(v, e, t)
			continue
		}
		o.set(root, path, v)
	}
	return o.problems
}

func (o *overlay) refuse(v variable, e Environment, t reflect.Type) {
	p := Problem{Where: v.name, What: "no key has this name", Near: document.Nearest(v.name, e.Names(t))}
	p.Fix = "variables that begin with " + e.Prefix + " are keys in upper snake case, such as " + e.Prefix +
		"QUEUE_ADAPTER for queue.adapter"
	if o.unnamed {
		p.Fix = "a name of more than one word has to be in the file before a variable can refer to it"
	}
	o.problems = append(o.problems, p)
}

func (e Environment) isReserved(name string) bool {
	return slices.ContainsFunc(e.Reserved, func(r string) bool {
		return name == r || (strings.HasSuffix(r, "_") && strings.HasPrefix(name, r))
	})
}

// Names returns the variables of all keys of t that have one name only, and the reserved ones.
func (e Environment) Names(t reflect.Type) []string {
	names := slices.Clone(e.Reserved)
	var walk func(t reflect.Type, prefix string)
	walk = func(t reflect.Type, prefix string) {
		for _, f := range Fields(t) {
			name := prefix + snake(f.Name)
			switch {
			case f.Inline || f.Type.Kind() == reflect.Map:
			case f.Type.Kind() == reflect.Struct && !isText(f.Type):
				if f.Shorthand != "" {
					names = append(names, name)
				}
				walk(f.Type, name+"_")
			default:
				names = append(names, name)
			}
		}
	}
	walk(t, e.Prefix)
	return names
}

type overlay struct {
	adapters []string
	problems []Problem
	unnamed  bool // the variable that was matched last reached a map, in which nothing has its name
}

// match returns the path of the key that a variable means, or nil. rest is its name without what has been matched; n is what
// the file has there, or nil.
func (o *overlay) match(t reflect.Type, rest string, n *Node) []string {
	switch {
	case IsOptions(t):
		return optionPath(rest, n)
	case t.Kind() == reflect.Map:
		return o.matchEntry(t, rest, n, nil)
	}
	for _, f := range Fields(t) {
		if f.Inline {
			if path := o.matchEntry(f.Type, rest, n, Keys(t)); path != nil {
				return path
			}
			continue
		}
		name := snake(f.Name)
		section := isSection(f.Type)
		if rest == name && (!section || f.Shorthand != "") {
			return []string{f.Name}
		}
		if below, ok := strings.CutPrefix(rest, name+"_"); ok && section {
			if path := o.match(f.Type, below, n.at(f.Name)); path != nil {
				return append([]string{f.Name}, path...)
			}
		}
	}
	return nil
}

// matchEntry matches the name of an entry of a map, and what follows it. Of two names that begin alike the longer is meant.
// fixed are keys that are no entries.
func (o *overlay) matchEntry(t reflect.Type, rest string, n *Node, fixed []string) []string {
	names := slices.DeleteFunc(n.entryKeys(), func(key string) bool { return slices.Contains(fixed, key) })
	first, _, _ := strings.Cut(rest, "_")
	switch {
	case IsOptions(t.Elem()):
		names = append(names, o.adapters...)
	case first != "":
		names = append(names, strings.ToLower(first))
	}
	slices.SortStableFunc(names, func(a, b string) int { return len(b) - len(a) })
	for _, name := range names {
		s := snake(name)
		if rest == s && !isSection(t.Elem()) {
			return []string{name}
		}
		if below, ok := strings.CutPrefix(rest, s+"_"); ok && below != "" && isSection(t.Elem()) {
			if path := o.match(t.Elem(), below, n.at(name)); path != nil {
				return append([]string{name}, path...)
			}
		}
	}
	o.unnamed = o.unnamed || !IsOptions(t.Elem())
	return nil
}

// optionPath returns the path of an option of an adapter. What the file does not have gets the name that its variable
// suggests: CONNECTION_STRING is connectionString. The decoder, which knows the adapter's options, sorts out the rest.
func optionPath(rest string, n *Node) []string {
	for _, key := range n.entryKeys() {
		if rest == snake(key) {
			return []string{key}
		}
		if below, ok := strings.CutPrefix(rest, snake(key)+"_"); ok && n.at(key).Kind == Map {
			return append([]string{key}, optionPath(below, n.at(key))...)
		}
	}
	return []string{camel(rest)}
}

func (n *Node) at(key string) *Node {
	if n == nil {
		return nil
	}
	return n.child(key)
}

func (n *Node) entryKeys() []string {
	if n == nil {
		return nil
	}
	return n.keys()
}

// set puts the value of a variable at a path, over what is there.
func (o *overlay) set(n *Node, path []string, v variable) {
	pos := Position{Env: v.name}
	for i, key := range path {
		at := Join(n.Path, key)
		next := n.child(key)
		if i == len(path)-1 {
			next = nil
		}
		switch {
		case next == nil:
			next = &Node{Path: at, Pos: pos, Kind: Map}
			n.replace(Entry{Key: key, Pos: pos, Value: next})
		case next.Kind == Null:
			next.Kind = Map
		case next.Kind != Map:
			o.problems = append(o.problems, Problem{Where: v.name, Key: at,
				What: fmt.Sprintf("is a single value at %s, so its parts cannot be set", next.Pos),
				Fix:  "write it as a mapping there, or set all of it here"})
			return
		}
		n = next
	}
	n.Kind, n.Value, n.Expanded = Text, v.value, true
}

func (n *Node) replace(e Entry) {
	i := slices.IndexFunc(n.Entries, func(old Entry) bool { return old.Key == e.Key })
	if i < 0 {
		n.Entries = append(n.Entries, e)
		return
	}
	n.Entries[i] = e
}

// snake returns a key in upper snake case: eventTTL is EVENT_TTL.
func snake(key string) string {
	var b strings.Builder
	runes := []rune(key)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			b.WriteByte('_')
			continue
		case i > 0 && unicode.IsUpper(r) && (unicode.IsLower(runes[i-1]) || unicode.IsDigit(runes[i-1])):
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

// camel returns a name in upper snake case as a key: CONNECTION_STRING is connectionString.
func camel(name string) string {
	var b strings.Builder
	for i, word := range strings.Split(strings.ToLower(name), "_") {
		if i > 0 && word != "" {
			word = strings.ToUpper(word[:1]) + word[1:]
		}
		b.WriteString(word)
	}
	return b.String()
}
