package file

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

const name = "file"

// ownNamespace is the namespace whose data lie in the directory itself: the default of the configuration.
const ownNamespace = "nvent"

//go:embed schema1.sql
var schema1 string

// migrations bring the schema forward: number n makes version n+1 of version n. They are never changed, only added to.
var migrations = []string{schema1}

// Errors about what is on disk. Methods and functions of this package return errors that wrap them.
var (
	// ErrCorrupt: a checksum does not match, or SQLite finds the file malformed.
	ErrCorrupt = sqlite.ErrCorrupt
	// ErrLostTail: the database ends before the last commit that was acknowledged.
	ErrLostTail = sqlite.ErrLostTail
	// ErrNewer: a newer version of this package has written the file.
	ErrNewer = sqlite.ErrNewer
	// ErrForeign: the file is a database of another program, or none.
	ErrForeign = sqlite.ErrForeign
)

// Options configures a [Backend]. A zero field means its default. Where it says so, a negative one means not at all.
type Options struct {
	// DataDir is the directory that everything is kept in. It is made if it does not exist; what it is in must. Default: .nvent
	DataDir string `json:"dataDir,omitempty"`
	// Relaxed leaves it to the system when to write to disk: a crash of the machine or a power cut may lose the last moments,
	// a crash of the process nothing. Commits are then as fast as the processor allows.
	Relaxed bool `json:"relaxed,omitempty"`
	// AcceptLoss opens a database whose last commits are lost, see [ErrLostTail], and goes on from what is there.
	AcceptLoss bool `json:"acceptLoss,omitempty"`

	// DefaultLease is the lease of jobs that name none, and how long the others wait for the subscriptions of a process that
	// has died. Default: 10 s.
	DefaultLease time.Duration `json:"defaultLease,omitempty"`
	// Poll is how often to look for what no notification has told of. Default: 500 ms.
	Poll time.Duration `json:"poll,omitempty"`

	// Finished jobs are kept this long and this many for each queue, unless the job says otherwise. Negative: not at all.
	// Defaults: 1 day and 10,000 completed, 7 days and 10,000 failed.
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

	// Logger gets what goes wrong in the background. Default: none.
	Logger *slog.Logger `json:"-"`
	// Clock is the time source. All processes that share a directory need the same. Default: [adapter.SystemClock].
	Clock adapter.Clock `json:"-"`
	// VFS is the name of the file layer that SQLite uses, as registered with github.com/ncruces/go-sqlite3/vfs. It is for
	// tests that make the disk fail.
	VFS string `json:"-"`
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Clock == nil {
		d.Clock = adapter.SystemClock()
	}
	if d.DataDir == "" {
		d.DataDir = ".nvent"
	}
	set(&d.DefaultLease, 10*time.Second)
	set(&d.Poll, 500*time.Millisecond)
	set(&d.KeepCompleted, 24*time.Hour)
	set(&d.KeepCompletedCount, 10_000)
	set(&d.KeepFailed, 7*24*time.Hour)
	set(&d.KeepFailedCount, 10_000)
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

// Backend is an open directory. What it gives out as [Queue], [Stream] and [Store] shares its connection; it is closed when
// all of them are, or by Close. Other processes, and other Backends of this one, may have the same directory open.
type Backend struct {
	o       Options
	db      *sqlite.DB
	queue   *Queue
	stream  *Stream
	store   *Store
	keeper  *keeper
	options optionCache

	mu   sync.Mutex
	uses map[any]bool // instances that are in use
	gone bool

	ids idCache // of queues
}

// Open opens a directory. o may be nil.
func Open(ctx context.Context, o *Options) (*Backend, error) {
	b := &Backend{o: o.withDefaults(), uses: map[any]bool{}}
	dir, err := filepath.Abs(b.o.DataDir)
	if err != nil {
		return nil, fail("open", fmt.Errorf("find directory %s: %w", b.o.DataDir, err))
	}
	b.queue, b.stream, b.store = newQueue(b), newStream(b), newStore(b)
	b.keeper = newKeeper(b)
	b.db, err = sqlite.Open(ctx, sqlite.Config{
		Dir: dir, VFS: b.o.VFS, Relaxed: b.o.Relaxed, AcceptLoss: b.o.AcceptLoss, Migrations: migrations,
		Clock: func() int64 { return sqlite.Micros(b.o.Clock.Now()) },
		Begin: b.begin, End: b.end, Joined: b.joined, Woken: b.keeper.woken,
	})
	if err != nil {
		return nil, fail("open", err)
	}
	b.keeper.start()
	return b, nil
}

// Queue returns the queues of the directory.
func (b *Backend) Queue() *Queue { use(b, b.queue); return b.queue }

// Stream returns the streams of the directory.
func (b *Backend) Stream() *Stream { use(b, b.stream); return b.stream }

// Store returns the store of the directory.
func (b *Backend) Store() *Store { use(b, b.store); return b.store }

func use(b *Backend, instance any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.uses[instance] = true
}

// Close closes the queue, the stream, the store and the directory. It may be called twice.
func (b *Backend) Close() error {
	err := errors.Join(b.queue.Close(), b.stream.Close(), b.store.Close())
	return errors.Join(err, b.shut())
}

// release ends the use of an instance, and closes the directory after the last one.
func (b *Backend) release(instance any) error {
	b.mu.Lock()
	delete(b.uses, instance)
	last := len(b.uses) == 0
	b.mu.Unlock()
	if !last {
		return nil
	}
	return b.shut()
}

func (b *Backend) shut() error {
	b.mu.Lock()
	first := !b.gone
	b.gone = true
	b.mu.Unlock()
	if !first {
		return nil
	}
	b.keeper.stop()
	if err := b.db.Close(); err != nil {
		return fail("close", err)
	}
	return nil
}

// Factory returns the factory "file", with [Options]. A namespace other than "nvent" has a directory of its own within DataDir.
func Factory() adapter.Factory {
	return adapter.Factory{
		Name:    name,
		Kinds:   adapter.KindQueue | adapter.KindStream | adapter.KindStore,
		Options: func() any { return new(Options) },
		Open: func(ctx context.Context, s adapter.Settings) (adapter.Opened, error) {
			var opened adapter.Opened
			o, ok := s.Options.(*Options)
			if s.Options != nil && !ok {
				return opened, fail("open", fmt.Errorf("%w: options are a %T, want *file.Options", adapter.ErrInvalid, s.Options))
			}
			with := o.withDefaults()
			if s.Clock != nil {
				with.Clock = s.Clock
			}
			with.Logger = s.Logger
			if s.Namespace != "" && s.Namespace != ownNamespace {
				if err := sqlite.MakeDir(with.DataDir); err != nil {
					return opened, fail("open", err)
				}
				with.DataDir = filepath.Join(with.DataDir, url.PathEscape(s.Namespace))
			}
			b, err := Open(ctx, &with)
			if err != nil {
				return opened, err
			}
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

func (b *Backend) info(caps adapter.Capabilities) adapter.Info {
	d := adapter.DurableSync
	if b.o.Relaxed {
		d = adapter.DurableLossy
	}
	return adapter.Info{Name: name, Scope: adapter.ScopeHost, Durability: d, Caps: caps}
}
