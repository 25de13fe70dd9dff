package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

const name = "memory"

// Options configures a [Backend]. A zero field means its default. Where it says so, a negative one means not at all.
type Options struct {
	// Clock is the time source of everything. Default: [adapter.SystemClock].
	Clock adapter.Clock `json:"-"`

	// DefaultLease is the lease of jobs that name none, and how long the group of a stream waits for a killed member.
	// Default: 10 s.
	DefaultLease time.Duration `json:"defaultLease,omitempty"`

	// Finished jobs are kept this long and this many for each queue, unless the job says otherwise. Negative: not at all.
	// Defaults: 1 h and 1,000 completed, 7 days and 5,000 failed.
	KeepCompleted      time.Duration `json:"keepCompleted,omitempty"`
	KeepCompletedCount int           `json:"keepCompletedCount,omitempty"`
	KeepFailed         time.Duration `json:"keepFailed,omitempty"`
	KeepFailedCount    int           `json:"keepFailedCount,omitempty"`

	// JobLogLines is how many log lines of a job are kept, the latest ones. Default: 1,000.
	JobLogLines int `json:"jobLogLines,omitempty"`

	// Messages of a topic are kept for replay and for absent groups this long and this many. Negative: not at all.
	// Defaults: 1 h and 10,000.
	KeepMessages      time.Duration `json:"keepMessages,omitempty"`
	KeepMessagesCount int           `json:"keepMessagesCount,omitempty"`
	// Backlog is how many messages the slowest subscription in place may be behind, before Publish to its topic is refused
	// with [adapter.ErrUnavailable]. Default: 100,000.
	Backlog int `json:"backlog,omitempty"`
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Clock == nil {
		d.Clock = adapter.SystemClock()
	}
	set(&d.DefaultLease, 10*time.Second)
	set(&d.KeepCompleted, time.Hour)
	set(&d.KeepCompletedCount, 1000)
	set(&d.KeepFailed, 7*24*time.Hour)
	set(&d.KeepFailedCount, 5000)
	set(&d.JobLogLines, 1000)
	set(&d.KeepMessages, time.Hour)
	set(&d.KeepMessagesCount, 10_000)
	set(&d.Backlog, 100_000)
	return d
}

func set[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Backend holds the data that its instances share. It needs no closing: what nobody refers to any more is freed.
type Backend struct {
	o Options

	mu      sync.RWMutex
	queues  map[string]*jobQueue
	topics  map[string]*topic
	pruneAt int    // topics: when there are so many, those that hold nothing are forgotten
	freshID uint64 // no message of a forgotten topic had a higher ID
	store   *storage
	running int // queue instances that are open: without one nobody could take what a timer brings

}

// New returns an empty backend. o may be nil.
func New(o *Options) *Backend {
	b := &Backend{o: o.withDefaults(), queues: map[string]*jobQueue{}, topics: map[string]*topic{}, pruneAt: 64}
	b.store = newStorage(b)
	return b
}

// now returns the time as it is stored: without the reading of the monotonic clock, so that it compares like any other.
func (b *Backend) now() time.Time { return b.o.Clock.Now().Round(0) }

// Factory returns the factory "memory", with [Options]. Each Open makes a backend of its own: instances that shall share
// one are made with [New].
func Factory() adapter.Factory {
	return adapter.Factory{
		Name:    name,
		Kinds:   adapter.KindQueue | adapter.KindStream | adapter.KindStore,
		Options: func() any { return new(Options) },
		Open: func(_ context.Context, s adapter.Settings) (adapter.Opened, error) {
			o, ok := s.Options.(*Options)
			if s.Options != nil && !ok {
				return adapter.Opened{}, fmt.Errorf("open memory: %w: options are a %T, want *memory.Options", adapter.ErrInvalid, s.Options)
			}
			if s.Clock != nil {
				with := Options{}
				if o != nil {
					with = *o
				}
				with.Clock = s.Clock
				o = &with
			}
			b := New(o)
			var opened adapter.Opened
			if s.Kinds&adapter.KindQueue != 0 {
				opened.Queue = b.Queue()
			}
			if s.Kinds&adapter.KindStream != 0 {
				opened.Stream = b.Stream()
			}
			if s.Kinds&adapter.KindStore != 0 {
				opened.Store = b.Store()
			}
			return opened, nil
		},
	}
}

func info(caps adapter.Capabilities) adapter.Info {
	return adapter.Info{Name: name, Scope: adapter.ScopeProcess, Durability: adapter.DurableNone, Caps: caps}
}

// fail returns the error of an operation.
func fail(op string, err error, hint string) error {
	return &adapter.Error{Op: op, Adapter: name, Err: err, Hint: hint}
}

func invalid(op, what, hint string) error {
	return fail(op, fmt.Errorf("%w: %s", adapter.ErrInvalid, what), hint)
}

// ended returns the error of an operation whose context has ended, or nil.
func ended(ctx context.Context, op string) error {
	if ctx.Err() == nil {
		return nil
	}
	return fail(op, context.Cause(ctx), "")
}
