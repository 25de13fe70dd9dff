// Package stream is nvent's stream on Redis.
package stream

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// Options configures a [Stream].
type Options struct {
	// Prefix begins every key.
	Prefix string
}

// Stream is an [adapter.Stream].
type Stream struct{ adapter.Stream }

// Open returns a stream over a client that stays the caller's.
func Open(context.Context, rueidis.Client, Options) (*Stream, error) {
	return nil, &adapter.Error{Op: "open stream", Adapter: conn.Name, Err: adapter.ErrUnsupported}
}
