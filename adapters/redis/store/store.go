package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// Options configures a [Store].
type Options struct {
	// Prefix begins every key. Stores with different prefixes share nothing. Default: nvent. It must not contain braces.
	Prefix string
}

// Store is an [adapter.Store]. Its methods may be called from many goroutines at once: those on their way share round trips.
type Store struct {
	client rueidis.Client
	info   adapter.Info
	keys   *keys
	closed atomic.Bool
	// cluster is what the commit script is told: "1" where slots may move.
	cluster string

	mu          sync.RWMutex
	collections map[string]*collection // as last read from the catalog; entries are not changed
}

// Open returns a store over a client that stays the caller's: Close leaves it open. Set DisableRetry in the client's options:
// this version of the library reuses the memory of a command that it repeats while a broken connection may still write it.
func Open(ctx context.Context, client rueidis.Client, o Options) (*Store, error) {
	if o.Prefix == "" {
		o.Prefix = "nvent"
	}
	if strings.ContainsAny(o.Prefix, "{}") {
		return nil, conn.Invalid("open store", fmt.Sprintf("prefix %q", o.Prefix), "leave braces out: a Cluster takes them for a hash tag")
	}
	server, err := conn.Inspect(ctx, client)
	if err != nil {
		return nil, err
	}
	s := &Store{
		client:      client,
		info:        adapter.Info{Name: conn.Name, Scope: adapter.ScopeShared, Durability: server.Durability},
		keys:        newKeys(o.Prefix),
		collections: map[string]*collection{},
		cluster:     "0",
	}
	if server.Cluster {
		s.cluster = "1"
	}
	return s, nil
}

// Info returns what the store claims. Durability is what the server's persistence promised when the store was opened.
func (s *Store) Info() adapter.Info { return s.info }

// Close ends the use of this instance.
func (s *Store) Close() error {
	s.closed.Store(true)
	return nil
}

func (s *Store) usable(ctx context.Context, op string) error {
	if s.closed.Load() {
		return conn.Closed(op)
	}
	return conn.Error(ctx, op, ctx.Err())
}

// Now returns the server's clock. See [adapter.Store].
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if err := s.usable(ctx, "now"); err != nil {
		return time.Time{}, err
	}
	now, err := s.clock(ctx)
	return now, conn.Error(ctx, "now", err)
}

func (s *Store) clock(ctx context.Context) (time.Time, error) {
	parts, err := s.client.Do(ctx, s.client.B().Time().Build()).AsStrSlice()
	if err != nil {
		return time.Time{}, err
	}
	if len(parts) != 2 {
		return time.Time{}, fmt.Errorf("time has %d parts", len(parts))
	}
	seconds, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	micros, err := strconv.ParseInt(parts[1], 10, 64)
	return time.Unix(seconds, micros*1000), err
}

// micros returns a time as it is stored; 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(t.UnixMicro(), 1)
}

// fromMicros returns a stored time.
func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us)
}

// visibility asks the server for the time once something has an expiry, and not before.
type visibility struct {
	s   *Store
	now int64
}

// expired reports whether a stored time has come. 0 never comes.
func (v *visibility) expired(ctx context.Context, at int64) (bool, error) {
	if at == 0 {
		return false, nil
	}
	if v.now == 0 {
		now, err := v.s.clock(ctx)
		if err != nil {
			return false, err
		}
		v.now = micros(now)
	}
	return at <= v.now, nil
}

// two parses "a,b", with perhaps something behind it. Nothing is zeros.
func two(text string) (a, b int64, err error) {
	if text == "" {
		return 0, 0, nil
	}
	first, second, _ := strings.Cut(text, ",")
	second, _, _ = strings.Cut(second, ",")
	if a, err = strconv.ParseInt(first, 10, 64); err == nil {
		b, err = strconv.ParseInt(second, 10, 64)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("stored numbers %q: %w", text, err)
	}
	return a, b, nil
}
