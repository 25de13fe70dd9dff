package adapter

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// Kind is a set of the three things that an adapter may offer.
type Kind int

// The kinds.
const (
	KindQueue Kind = 1 << iota
	KindStream
	KindStore
)

// String names the kinds, separated by commas.
func (k Kind) String() string {
	var names []string
	for bit, name := range map[Kind]string{KindQueue: "queue", KindStream: "stream", KindStore: "store"} {
		if k&bit != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// Factory opens the adapters of one backend by configuration.
type Factory struct {
	Name  string // what configuration calls it: "redis"
	Kinds Kind   // what it offers
	// Options returns a pointer to a new options struct with its defaults, which the core fills from the configuration's
	// sections (json tags name the keys; an unknown key is an error) before it passes it to Open. nil: no options.
	Options func() any
	// Open connects and returns the adapters that s.Kinds asks for, all on one connection. It blocks until they are ready
	// to use, or returns an error.
	Open func(ctx context.Context, s Settings) (Opened, error)
}

// Settings are what a factory opens adapters with.
type Settings struct {
	Kinds     Kind
	Options   any    // what Factory.Options returned, filled in
	Namespace string // prefix for everything that is stored, so that several apps can share a backend
	Instance  string // unique for this process; for consumer names
	Logger    *slog.Logger
	Clock     Clock
}

// Opened are opened adapters. Those that were not asked for are nil.
type Opened struct {
	Queue  Queue
	Stream Stream
	Store  Store
}

// Registry knows factories by name. The zero value is empty and ready to use. It may be used from many goroutines.
type Registry struct {
	mu        sync.Mutex
	factories map[string]Factory
}

// NewRegistry returns a registry of these factories.
func NewRegistry(f ...Factory) (*Registry, error) {
	r := &Registry{}
	return r, r.Register(f...)
}

// Register adds factories. A name that is taken, an empty name, no kinds, or no Open is an error, and nothing is added.
func (r *Registry) Register(f ...Factory) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]bool{}
	for _, f := range f {
		switch _, dup := r.factories[f.Name]; {
		case f.Name == "":
			return fmt.Errorf("register adapter: %w: it has no name", ErrInvalid)
		case dup || seen[f.Name]:
			return fmt.Errorf("register adapter %q: %w: there is one of this name already", f.Name, ErrInvalid)
		case f.Kinds == 0:
			return fmt.Errorf("register adapter %q: %w: it offers no queue, stream or store", f.Name, ErrInvalid)
		case f.Open == nil:
			return fmt.Errorf("register adapter %q: %w: it has no Open function", f.Name, ErrInvalid)
		}
		seen[f.Name] = true
	}
	if r.factories == nil {
		r.factories = map[string]Factory{}
	}
	for _, f := range f {
		r.factories[f.Name] = f
	}
	return nil
}

// Names returns the names of the adapters that offer kind, sorted.
func (r *Registry) Names(kind Kind) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for name, f := range r.factories {
		if f.Kinds&kind != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// known names the adapters that live in a module of their own, to tell a user what to import.
var known = []string{"redis", "postgres", "rabbitmq", "kafka", "nats"}

// Find returns the factory of a name for a kind. The error lists what is registered and, where it is known, the import that
// is missing.
func (r *Registry) Find(name string, kind Kind) (Factory, error) {
	r.mu.Lock()
	f, ok := r.factories[name]
	r.mu.Unlock()
	have := strings.Join(r.Names(kind), ", ")
	if have == "" {
		have = "none"
	}
	switch {
	case ok && f.Kinds&kind != 0:
		return f, nil
	case ok:
		return Factory{}, fmt.Errorf("%w: adapter %q offers no %s (registered for it: %s)", ErrNotFound, name, kind, have)
	case slices.Contains(known, name):
		return Factory{}, fmt.Errorf("%w: %s adapter %q is not registered (have: %s); import github.com/nvent-go/nvent/adapters/%s "+
			"and register %s.Factory()", ErrNotFound, kind, name, have, name, name)
	}
	return Factory{}, fmt.Errorf("%w: no %s adapter %q (have: %s)", ErrNotFound, kind, name, have)
}
