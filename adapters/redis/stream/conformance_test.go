package stream_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/adaptertest"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
	"github.com/nvent-go/nvent/adapters/redis/stream"
)

// link is the network of an instance, which a test can cut.
type link struct {
	mu    sync.Mutex
	down  bool
	conns []net.Conn
}

var errCut = errors.New("the test has cut the network")

func (l *link) dial(ctx context.Context, address string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, errCut
	}
	c, err := d.DialContext(ctx, "tcp", address)
	if err == nil {
		l.conns = append(l.conns, c)
	}
	return c, err
}

// cut closes all connections, for good.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

// own is a stream with a client and a network of its own, as a process has it.
type own struct {
	*stream.Stream
	client rueidis.Client
	link   *link
}

func (o *own) Close() error {
	defer o.client.Close()
	return o.Stream.Close()
}

func open(ctx context.Context, url string, o stream.Options) (*own, error) {
	c, err := rueidis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	l := &link{}
	c.DisableCache, c.DisableRetry = true, true
	c.DialCtxFn = l.dial
	client, err := rueidis.NewClient(c)
	if err != nil {
		return nil, err
	}
	if o.Prefix == "" {
		o.Prefix = "test"
	}
	s, err := stream.Open(ctx, client, o)
	if err != nil {
		client.Close()
		return nil, err
	}
	return &own{s, client, l}, nil
}

// streams describes a server that keeps every write, so that it can be asked whether it did.
func streams(t testing.TB) adaptertest.Harness[adapter.Stream] {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	t.Cleanup(func() { redistest.CheckCommands(t, redistest.Client(t, s.URL()), "6.2") })
	o := stream.Options{Lease: 600 * time.Millisecond}
	return adaptertest.Harness[adapter.Stream]{
		New: func(context.Context) (adaptertest.Backend[adapter.Stream], error) {
			return adaptertest.Backend[adapter.Stream]{
				Open: func(ctx context.Context) (adapter.Stream, error) { return open(ctx, s.URL(), o) },
				Kill: func(a adapter.Stream) { a.(*own).link.cut() },
				Restart: func(context.Context) error {
					s.Stop()
					s.Run()
					return nil
				},
			}, nil
		},
		Lease: o.Lease,
	}
}

func TestConformance(t *testing.T) { adaptertest.TestStream(t, streams(t)) }

func BenchmarkConformance(b *testing.B) { adaptertest.BenchmarkStream(b, streams(b)) }
