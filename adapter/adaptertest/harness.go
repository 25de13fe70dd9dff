package adaptertest

import (
	"context"
	"io"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// Driver is what queue, stream and store drivers have in common.
type Driver interface {
	Info() adapter.Info
	io.Closer
}

// Harness describes how the suites reach a backend. Zero fields other than New take the defaults below.
type Harness[A Driver] struct {
	// New returns the backend for one check; required. It may be a fresh one or always the same server. It is called once
	// for each check, from several goroutines at once, and with Bubble set from inside the bubble.
	New func(ctx context.Context) (Backend[A], error)

	// Bubble runs each check inside a testing/synctest bubble, where waiting takes no real time. It needs a backend that
	// New creates in memory, and whose clock is package time.
	Bubble bool

	Lease    time.Duration // the smallest lease, delay, timeout and time to live that the backend tells apart; default 2 s
	Patience time.Duration // how long to wait for what must happen; default 20 s
	Quiet    time.Duration // how long to watch that something does not happen; default 200 ms
	Timeout  time.Duration // limit of one check; default 3 min

	// MaxPayload is the size of the biggest payload that is tried; default 1 MiB, which is what the core lets through. Set
	// it only where the server under test is configured to take less.
	MaxPayload int
}

// Backend is the backend of one check.
type Backend[A Driver] struct {
	// Open opens one more instance over the backend; required. Instances stand for processes: all must see the same data.
	Open func(ctx context.Context) (A, error)

	// Kill cuts an instance off from the backend as kill -9 or a dead network would: it renews no lease and settles nothing
	// any more, and nothing is handed back on its behalf. Its Close is still called at the end of the check. It is required
	// for queues and streams.
	Kill func(a A)

	// Restart stops and starts the backend, where that can be done. nil leaves out what needs it.
	Restart func(ctx context.Context) error

	// QueueOf returns the queue that a store shares transactions with, and Begin begins a transaction as a user would; end
	// commits it or rolls it back. Both are required for stores that claim CapTx. The queue is closed with the store.
	QueueOf func(ctx context.Context, a A) (adapter.Queue, error)
	Begin   func(ctx context.Context, a A) (tx any, end func(commit bool) error, err error)

	// Sleep lets d pass on the backend's clock. nil really waits (in a bubble: on the bubble's clock).
	Sleep func(ctx context.Context, d time.Duration) error

	// Close frees what New made. It is called after the instances were closed; it may be nil.
	Close func() error
}

func (h Harness[A]) withDefaults() Harness[A] {
	if h.Lease <= 0 {
		h.Lease = 2 * time.Second
	}
	if h.Patience <= 0 {
		h.Patience = 20 * time.Second
	}
	if h.Quiet <= 0 {
		h.Quiet = 200 * time.Millisecond
	}
	if h.Timeout <= 0 {
		h.Timeout = 3 * time.Minute
	}
	if h.MaxPayload <= 0 {
		h.MaxPayload = 1 << 20
	}
	return h
}
