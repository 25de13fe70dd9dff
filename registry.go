package nvent

import (
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

// DefaultRegistry returns a new registry of the built-in adapters. Register others on it and put it into Config.Registry.
func DefaultRegistry() *adapter.Registry {
	r, err := adapter.NewRegistry(memory.Factory())
	if err != nil {
		panic("nvent: " + err.Error()) // the built-in factories are complete and differ in name
	}
	return r
}
