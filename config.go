package nvent

import (
	"log/slog"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/config"
)

//go:generate go test -count=1 -run ^TestConfigReferenceIsCurrent$ . -update

// Config is the configuration of an [App]. The zero value is complete: memory for everything, and the defaults below.
//
// Fill it in Go, or from a file and the environment with [LoadConfig]. Everything is checked when the App is made, or earlier
// by [Config.Validate]. It prints, logs and encodes itself without secrets.
type Config struct {
	// Queue configures jobs and workers.
	Queue QueueConfig `json:"queue"`
	// Stream configures what carries events between instances.
	Stream StreamConfig `json:"stream"`
	// Store configures where runs, logs and keys are kept.
	Store StoreConfig `json:"store"`
	// Flow holds defaults of flows.
	Flow FlowConfig `json:"flow"`
	// Limits bounds what is stored.
	Limits LimitsConfig `json:"limits"`
	// Connections holds options by adapter, shared by queue, stream and store; their own options go over these.
	Connections map[string]Options `json:"connections"`
	// Dir is the directory of flow documents, for programs that load flows from files. The engine itself does not read it.
	Dir string `json:"dir"`
	// UI says whether programs that have the dashboard serve it. The engine itself has none.
	UI *bool `json:"ui" default:"true"`
	// Debug is the lowest level that is logged (debug, info, warn, error) by part: engine, adapters, or all for both. Parts
	// that are not named log what the logger lets through.
	Debug map[string]slog.Level `json:"debug"`

	// Registry knows the adapters by name. nil: DefaultRegistry().
	Registry *adapter.Registry `json:"-"`
	// Logger gets what the engine and the adapters log. nil: slog.Default(); slog.New(slog.DiscardHandler) silences it.
	Logger *slog.Logger `json:"-"`
	// Clock is the source of time. nil: the machine's.
	Clock adapter.Clock `json:"-"`

	origins config.Origins // where what was loaded came from, for messages
}

// QueueConfig configures jobs and workers.
type QueueConfig struct {
	// Adapter names what holds the jobs, such as memory, file, redis or postgres.
	Adapter string `json:"adapter" default:"memory"`
	// Driver is an open adapter instead of a name. The App does not close it.
	Driver adapter.Queue `json:"-"`
	// Options are options of the adapter, whichever it is.
	Options Options `json:"options"`
	// Adapters holds options by adapter. They go over options, which go over connections; only those of the adapter in use
	// count.
	Adapters map[string]Options `json:",inline"`
	// Default holds the defaults of jobs and workers.
	Default JobDefaults `json:"defaultConfig"`
	// Queues configures single queues, by name, over defaultConfig.
	Queues map[string]QueueOverrides `json:"queues"`
}

// JobDefaults are the defaults of jobs and workers.
type JobDefaults struct {
	// Prefix begins the name of everything that the queue stores. If empty, store.namespace does.
	Prefix string `json:"prefix"`
	// Attempts is how often a job is tried, in total.
	Attempts int `json:"attempts" default:"3" min:"1" max:"1000000"`
	// Backoff is the delay between attempts: a duration (the same every time), or a mapping. It replaces the default as a
	// whole.
	Backoff flow.Backoff `json:"backoff" default:"{kind: exponential, base: 1s, max: 1m, jitter: 0.2}" shorthand:"kind=fixed,base"`
	// Worker configures the workers of all queues.
	Worker WorkerConfig `json:"worker"`
}

// QueueOverrides configures a single queue.
type QueueOverrides struct {
	// Worker configures the worker of the queue. What it leaves out is as in queue.defaultConfig.worker.
	Worker WorkerConfig `json:"worker"`
}

// WorkerConfig configures the worker of a queue.
type WorkerConfig struct {
	// Concurrency is how many handlers run at once.
	Concurrency int `json:"concurrency" default:"32" min:"1" max:"1000000"`
	// Autorun says whether this instance runs jobs of the queue. false: it only enqueues them.
	Autorun *bool `json:"autorun" default:"true"`
}

// StreamConfig configures what carries events between instances.
type StreamConfig struct {
	// Adapter names what carries events, such as memory, file, redis, postgres, rabbitmq, kafka or nats.
	Adapter string `json:"adapter" default:"memory"`
	// Driver is an open adapter instead of a name. The App does not close it.
	Driver adapter.Stream `json:"-"`
	// Options are options of the adapter, whichever it is.
	Options Options `json:"options"`
	// Adapters holds options by adapter. They go over options, which go over connections; only those of the adapter in use
	// count.
	Adapters map[string]Options `json:",inline"`
}

// StoreConfig configures where runs, logs and keys are kept.
type StoreConfig struct {
	// Adapter names what keeps them, such as memory, file, redis or postgres.
	Adapter string `json:"adapter" default:"memory"`
	// Driver is an open adapter instead of a name. The App does not close it.
	Driver adapter.Store `json:"-"`
	// Namespace begins the name of everything that is stored, so that several apps can share a backend.
	Namespace string `json:"namespace" default:"nvent"`
	// Retention says how long runs are kept after their end.
	Retention RetentionConfig `json:"retention"`
	// State configures the state documents of runs.
	State StateConfig `json:"state"`
	// Options are options of the adapter, whichever it is.
	Options Options `json:"options"`
	// Adapters holds options by adapter. They go over options, which go over connections; only those of the adapter in use
	// count.
	Adapters map[string]Options `json:",inline"`
}

// RetentionConfig says how long runs are kept after their end.
type RetentionConfig struct {
	// EventTTL is how long the log of a run is kept.
	EventTTL time.Duration `json:"eventTTL" default:"7d" unit:"s" min:"1s"`
	// MetadataTTL is how long everything else of a run is kept: at least eventTTL. If it is empty and eventTTL is longer than
	// the default, it is as long as that.
	MetadataTTL time.Duration `json:"metadataTTL" default:"30d" unit:"s" min:"1s"`
}

// StateConfig configures the state documents of runs.
type StateConfig struct {
	// Cleanup says what becomes of the state of a run that has ended.
	Cleanup CleanupConfig `json:"cleanup"`
}

// CleanupConfig says what becomes of the state documents of a run that has ended.
type CleanupConfig struct {
	// Strategy is never (kept with the run), immediate (deleted with its end), on-complete (deleted when it completes, kept
	// when it fails or is cancelled) or ttl (deleted some time after its end).
	Strategy string `json:"strategy" default:"never" enum:"never,immediate,on-complete,ttl"`
	// TTL is that time of strategy ttl: 1h if empty. With another strategy it is an error.
	TTL time.Duration `json:"ttl" unit:"s" min:"1s"`
}

// FlowConfig holds defaults of flows.
type FlowConfig struct {
	// StepTimeout bounds one attempt of a step that sets no timeout of its own.
	StepTimeout time.Duration `json:"stepTimeout" default:"5m" min:"1ms"`
}

// LimitsConfig bounds what is stored.
type LimitsConfig struct {
	// Payload is the most that one payload may have, in bytes.
	Payload int `json:"payload" default:"1MiB" unit:"bytes" min:"1" max:"1GiB"`
}
