package nvent

import "github.com/nvent-go/nvent/adapter"

// DefaultRegistry returns a new registry of the built-in adapters: memory and file. Register others on it and put it into
// Config.Registry. The build tag nvent_nofile leaves the file adapter out, and SQLite with it.
func DefaultRegistry() *adapter.Registry {
	r, err := adapter.NewRegistry(builtIn()...)
	if err != nil {
		panic("nvent: " + err.Error()) // the built-in factories are complete and differ in name
	}
	return r
}
