package enginetest

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

// Harness describes how the suites reach a trio of adapters. Zero fields other than New take the defaults below.
type Harness struct {
	// New returns the backend of one check, in a namespace of its own; required. [Memory] is one. It is called once for
	// each check or crash, from several goroutines at once, and with Bubble set from inside the bubble.
	New func(ctx context.Context) (Backend, error)

	// Bubble runs each check inside a testing/synctest bubble, where waiting takes no real time. It needs a backend that
	// New creates in memory, and whose clock is package time.
	Bubble bool

	Lease    time.Duration // how long the queue leaves a job of a dead process alone; default 10 s
	Patience time.Duration // how long to wait for what must happen; default 5 min in a bubble, else 10 leases and 2 min
	Quiet    time.Duration // how long to watch that something does not happen; default 200 ms
	Timeout  time.Duration // limit of one check or crash; default 24 h in a bubble, else 20 leases and 10 min
	AtOnce   int           // crashes that run at once, each with three instances; default 12, and 1 in a bubble, where none waits
}

// Backend is the backend of one check.
type Backend struct {
	// Open opens the adapters of one more instance, which are closed with the check; required. Instances stand for
	// processes: all must see the same data. A field of the trio that is nil is filled with memory.
	Open func(ctx context.Context) (Trio, error)

	// Kill cuts the adapters of an instance off from the backend as kill -9 or a dead network would: they renew no lease,
	// and nothing is handed back on their behalf. They are still closed in the end. It may be nil if Open opens no queue.
	Kill func(t Trio)

	// Close frees what New made. It is called after the adapters were closed; it may be nil.
	Close func() error
}

// Trio is the adapters of one instance. An adapter.Opened converts to it.
type Trio struct {
	Queue  adapter.Queue
	Stream adapter.Stream
	Store  adapter.Store
}

// Memory is the New of a [Harness] for everything in memory. The harness should set Bubble.
func Memory(context.Context) (Backend, error) {
	return Backend{Open: func(context.Context) (Trio, error) { return Trio{}, nil }}, nil
}

func (h Harness) withDefaults() Harness {
	if h.Lease <= 0 {
		h.Lease = 10 * time.Second
	}
	if h.Patience <= 0 {
		h.Patience = 10*h.Lease + 2*time.Minute
		if h.Bubble {
			h.Patience = 5 * time.Minute
		}
	}
	if h.Quiet <= 0 {
		h.Quiet = 200 * time.Millisecond
	}
	if h.Timeout <= 0 {
		h.Timeout = 20*h.Lease + 10*time.Minute
		if h.Bubble {
			h.Timeout = 24 * time.Hour
		}
	}
	switch {
	case h.Bubble:
		h.AtOnce = 1
	case h.AtOnce <= 0:
		h.AtOnce = 12
	}
	return h
}

// filled is a backend whose trios are complete.
type filled struct {
	Backend
	memory *memory.Backend
}

// open opens a trio and fills what is missing in it. kill cuts it off.
func (b *filled) open(ctx context.Context) (t Trio, kill func(), err error) {
	given, err := b.Open(ctx)
	if err != nil {
		return t, nil, err
	}
	t = given
	var kills []func()
	if t.Queue == nil {
		q := b.memory.Queue()
		t.Queue, kills = q, append(kills, q.Kill)
	} else if b.Kill == nil {
		return t, nil, errors.Join(errors.New("the backend opens a queue and has no Kill"), t.close())
	}
	if t.Stream == nil {
		s := b.memory.Stream()
		t.Stream, kills = s, append(kills, s.Kill)
	}
	if t.Store == nil {
		t.Store = b.memory.Store()
	}
	return t, func() {
		if b.Kill != nil {
			b.Kill(given)
		}
		for _, k := range kills {
			k()
		}
	}, nil
}

// close closes the adapters.
func (t Trio) close() error {
	var errs []error
	for _, c := range []io.Closer{t.Queue, t.Stream, t.Store} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}
