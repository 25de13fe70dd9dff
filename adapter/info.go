package adapter

import (
	"strings"
	"time"
)

// Scope says who else sees what an adapter holds.
type Scope int

// The scopes, from the narrowest to the widest.
const (
	ScopeProcess Scope = iota // this process only: memory
	ScopeHost                 // processes on this machine: file
	ScopeShared               // whoever reaches the server
)

// String returns "process", "host" or "shared".
func (s Scope) String() string {
	switch s {
	case ScopeProcess:
		return "process"
	case ScopeHost:
		return "host"
	case ScopeShared:
		return "shared"
	}
	return "unknown"
}

// Durability says what survives a crash of the backend after a write returned nil.
type Durability int

// The durabilities, from the weakest to the strongest.
const (
	DurableNone  Durability = iota // nothing: memory, Redis without a log
	DurableLossy                   // all but the last moments: Redis AOF everysec, asynchronous replicas
	DurableSync                    // everything: on disk, or on a quorum, before the call returns
)

// String returns "none", "lossy" or "sync".
func (d Durability) String() string {
	switch d {
	case DurableNone:
		return "none"
	case DurableLossy:
		return "lossy"
	case DurableSync:
		return "sync"
	}
	return "unknown"
}

// Capabilities is the set of optional powers that an adapter claims. Claiming one means passing its conformance tests;
// not claiming it means that using it returns [ErrUnsupported].
type Capabilities uint64

// The optional powers.
const (
	// CapGlobalEvents: Queue.Watch reports events caused by other instances too.
	CapGlobalEvents Capabilities = 1 << iota
	// CapAnnotate: the queue implements [Annotator] (progress and log lines of a job).
	CapAnnotate
	// CapReplay: Stream.Subscribe honours From (earliest, or a message ID) for topics that keep their past.
	CapReplay
	// CapTx: the store implements [Transactor] (a batch, jobs and settlements in one transaction, and in the caller's).
	CapTx
)

var capNames = []string{"global-events", "annotate", "replay", "tx"}

// Has reports whether all of want are claimed.
func (c Capabilities) Has(want Capabilities) bool { return c&want == want }

// String lists the claimed powers, separated by commas.
func (c Capabilities) String() string {
	var names []string
	for i, n := range capNames {
		if c.Has(1 << i) {
			names = append(names, n)
		}
	}
	return strings.Join(names, ",")
}

// Info is what an adapter says about itself. It never changes while the adapter is open.
type Info struct {
	Name       string // as registered: "memory", "redis"
	Scope      Scope
	Durability Durability
	Caps       Capabilities
	// IDRetained is how long the ID of a finished job keeps refusing a duplicate, at the least. Zero promises nothing.
	IDRetained time.Duration
}
