// Package queue is nvent's queue on Redis, on the data layout of BullMQ.
package queue

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// Options configures a [Queue].
type Options struct {
	// Prefix begins every key, as BullMQ's option prefix. Default: bull.
	Prefix string `json:"prefix,omitempty"`
}

// Queue is an [adapter.Queue].
type Queue struct{ adapter.Queue }

// Open returns a queue over a client that stays the caller's.
func Open(context.Context, rueidis.Client, Options) (*Queue, error) {
	return nil, &adapter.Error{Op: "open queue", Adapter: conn.Name, Err: adapter.ErrUnsupported}
}
