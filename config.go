package nvent

import (
	"log/slog"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// Config is the configuration of an [App]. The zero value is complete: memory for everything, and the defaults below.
type Config struct {
	Queue       QueueConfig
	Stream      StreamConfig
	Store       StoreConfig
	Flow        FlowConfig
	Limits      LimitsConfig
	Connections map[string]map[string]any // options of adapters by name, shared by queue, stream and store

	Registry *adapter.Registry // nil: DefaultRegistry()
	Logger   *slog.Logger      // nil: slog.Default()
	Clock    adapter.Clock     // nil: the machine's
}

// QueueConfig configures jobs and workers.
type QueueConfig struct {
	Adapter string         // default "memory"
	Driver  adapter.Queue  // an open adapter instead of a name; the App does not close it
	Options map[string]any // of the adapter, over those of Connections
	Default JobDefaults
	Queues  map[string]WorkerConfig // by queue, over Default.Worker
}

// JobDefaults are the defaults of jobs and workers.
type JobDefaults struct {
	Attempts int          // tries in total; default 3
	Backoff  flow.Backoff // default: exponential from 1 s up to 1 min, with jitter
	Worker   WorkerConfig
}

// WorkerConfig configures the worker of a queue.
type WorkerConfig struct {
	Concurrency int   // handlers at once; default 32
	Autorun     *bool // false: this instance runs no jobs of the queue; default true
}

// StreamConfig configures the stream between instances.
type StreamConfig struct {
	Adapter string         // default "memory"
	Driver  adapter.Stream // an open adapter instead of a name; the App does not close it
	Options map[string]any
}

// StoreConfig configures the store.
type StoreConfig struct {
	Adapter   string        // default "memory"
	Driver    adapter.Store // an open adapter instead of a name; the App does not close it
	Namespace string        // prefix for everything that is stored; default "nvent"
	Options   map[string]any
	Retention RetentionConfig
	State     StateConfig
}

// RetentionConfig says how long runs are kept after their end.
type RetentionConfig struct {
	EventTTL    time.Duration // logs; default 7 days
	MetadataTTL time.Duration // all else; default 30 days; at least EventTTL
}

// StateConfig configures the state documents of runs.
type StateConfig struct {
	Cleanup CleanupConfig
}

// CleanupConfig says what becomes of the state documents of a run that has ended.
type CleanupConfig struct {
	// Strategy is "never" (default: kept with the run), "immediate" (deleted with its end), "on-complete" (deleted when it
	// completes, kept when it fails or is cancelled) or "ttl" (vanish some time after its end).
	Strategy string
	TTL      time.Duration // of "ttl"; default 1 hour
}

// FlowConfig holds defaults of flows.
type FlowConfig struct {
	StepTimeout time.Duration // of one attempt of a step that sets none; default 5 minutes
}

// LimitsConfig bounds what is stored.
type LimitsConfig struct {
	Payload int // bytes of one payload; default 1 MiB
}
