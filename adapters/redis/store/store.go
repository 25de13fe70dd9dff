// Package store is nvent's store on Redis.
package store

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// Options configures a [Store].
type Options struct {
	// Prefix begins every key.
	Prefix string
}

// Store is an [adapter.Store].
type Store struct{ adapter.Store }

// Open returns a store over a client that stays the caller's.
func Open(context.Context, rueidis.Client, Options) (*Store, error) {
	return nil, &adapter.Error{Op: "open store", Adapter: conn.Name, Err: adapter.ErrUnsupported}
}
