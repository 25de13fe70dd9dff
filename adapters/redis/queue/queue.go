// Package queue is nvent's queue on Redis, on the data layout of BullMQ (versions 5 and 6): programs in Go and in Node share
// queues, in any role.
//
// # Promises
//
//   - A job is delivered at least once, to one consumer at a time. Its lease is BullMQ's lock; when it ends the job is handed to
//     others, NewJob.Redeliver times, and then fails.
//   - What a server without an append-only file, or a failover, loses is lost: see Info().Durability.
//   - nvent's priority p is BullMQ's -p: 0 is the same in both, and of Node's own jobs the lower number goes first, after those
//     without one. Jobs above normal are before all others for consumers in Go; Node takes them after those of priority 0.
//   - IDs of jobs are known as long as the job is kept.
//
// # How it is fast
//
// One call of a script ends many deliveries and takes many jobs. Enqueue calls that come at the same time share a round trip.
// An idle consumer waits on BullMQ's marker, so that a new job finds it at once.
package queue

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// Options configures a [Queue]. A zero field means its default. Where it says so, a negative one means not at all.
type Options struct {
	// Prefix begins every key, as BullMQ's option prefix does. Default: bull; opened by configuration, the App's namespace.
	Prefix string `json:"prefix,omitempty"`
	// DefaultLease is the lease of jobs that name none. Default: 30 s, as in BullMQ.
	DefaultLease time.Duration `json:"defaultLease,omitempty"`
	// Finished jobs are kept this long and this many for each queue, unless the job says otherwise. Negative: not at all.
	// Defaults: 1 h and 1,000 completed, 7 days and 5,000 failed. They hold for what consumers in Go finish; a count is met when
	// a job finishes, an age some time later.
	KeepCompleted      time.Duration `json:"keepCompleted,omitempty"`
	KeepCompletedCount int           `json:"keepCompletedCount,omitempty"`
	KeepFailed         time.Duration `json:"keepFailed,omitempty"`
	KeepFailedCount    int           `json:"keepFailedCount,omitempty"`
	// JobLogLines is how many log lines of a job are kept, the latest ones. Default: 1,000.
	JobLogLines int `json:"jobLogLines,omitempty"`
	// Logger gets what happens while nobody waits for an error: consumers that lose the server and find it again. Default: none.
	Logger *slog.Logger `json:"-"`
}

func (o Options) withDefaults() Options {
	set(&o.Prefix, "bull")
	set(&o.DefaultLease, 30*time.Second)
	set(&o.KeepCompleted, time.Hour)
	set(&o.KeepCompletedCount, 1000)
	set(&o.KeepFailed, 7*24*time.Hour)
	set(&o.KeepFailedCount, 5000)
	set(&o.JobLogLines, 1000)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Queue is an [adapter.Queue] and an [adapter.Annotator].
type Queue struct {
	client rueidis.Client
	o      Options
	info   adapter.Info

	done chan struct{}  // closed by Close
	wg   sync.WaitGroup // what works in the background

	mu        sync.Mutex
	adders    map[string]*adder
	consumers map[*consumer]struct{}
	known     map[string]bool // queues that are in the set of queues
	held      map[deliveryKey]*delivery
	tokens    uint64

	id string // of this instance, unique
}

// Open returns a queue over a client that stays the caller's. It asks the server what its persistence promises, and blocks for
// the answer.
func Open(ctx context.Context, client rueidis.Client, o Options) (*Queue, error) {
	server, err := conn.Inspect(ctx, client)
	if err != nil {
		return nil, err
	}
	return &Queue{
		client: client, o: o.withDefaults(), done: make(chan struct{}),
		adders: map[string]*adder{}, consumers: map[*consumer]struct{}{}, known: map[string]bool{},
		held: map[deliveryKey]*delivery{}, id: rand.Text(),
		info: adapter.Info{Name: conn.Name, Scope: adapter.ScopeShared, Durability: server.Durability,
			Caps: adapter.CapGlobalEvents | adapter.CapAnnotate},
	}, nil
}

// Info returns what the queue claims.
func (q *Queue) Info() adapter.Info { return q.info }

func (q *Queue) closed() bool {
	select {
	case <-q.done:
		return true
	default:
		return false
	}
}

// Close hands back the deliveries of this instance that still run, ends their contexts with [adapter.ErrClosed], and ends
// Consume and Watch. It waits for what it has sent to the server, not for handlers. The client stays open.
func (q *Queue) Close() error {
	q.mu.Lock()
	if q.closed() {
		q.mu.Unlock()
		return nil
	}
	close(q.done)
	consumers := make([]*consumer, 0, len(q.consumers))
	for c := range q.consumers {
		consumers = append(consumers, c)
	}
	q.mu.Unlock()
	for _, c := range consumers {
		c.abandon()
	}
	q.wg.Wait()
	return nil
}

// background runs f unless the queue is closed, and has Close wait for it.
func (q *Queue) background(f func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed() {
		return false
	}
	q.wg.Go(f)
	return true
}

// remember puts a queue into the set that Stats lists.
func (q *Queue) remember(ctx context.Context, queue string) error {
	q.mu.Lock()
	known := q.known[queue]
	q.mu.Unlock()
	if known {
		return nil
	}
	err := q.client.Do(ctx, q.client.B().Sadd().Key(q.queuesKey()).Member(queue).Build()).Error()
	if err != nil {
		return conn.Error(ctx, "note the queue", err)
	}
	q.mu.Lock()
	q.known[queue] = true
	q.mu.Unlock()
	return nil
}

// newToken returns a lock's value that nobody else uses. Each take has its own, so that what a lost reply took can be found.
func (q *Queue) newToken() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tokens++
	return q.id + ":" + strconv.FormatUint(q.tokens, 36)
}

// hold makes a delivery known to Settle.
func (q *Queue) hold(d *delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held[d.key()] = d
}

// drop forgets a delivery.
func (q *Queue) drop(d *delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.held, d.key())
}
