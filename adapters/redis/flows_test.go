package redis_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
	"github.com/nvent-go/nvent/adapters/redis/queue"
	"github.com/nvent-go/nvent/adapters/redis/store"
	"github.com/nvent-go/nvent/adapters/redis/stream"
	"github.com/nvent-go/nvent/enginetest"
)

// flowLease is how long the jobs of a dead instance are left alone.
const flowLease = time.Second

var namespaces atomic.Int64

// instances are the clients of the instances of one check, each like a process.
type instances struct {
	url, namespace string
	mu             sync.Mutex
	clients        map[adapter.Queue]rueidis.Client
}

func (i *instances) open(ctx context.Context) (enginetest.Trio, error) {
	o, err := rueidis.ParseURL(i.url)
	if err != nil {
		return enginetest.Trio{}, fmt.Errorf("parse url: %w", err)
	}
	o.DisableCache, o.DisableRetry = true, true
	client, err := rueidis.NewClient(o)
	if err != nil {
		return enginetest.Trio{}, fmt.Errorf("connect: %w", err)
	}
	q, err1 := queue.Open(ctx, client, queue.Options{Prefix: i.namespace, DefaultLease: flowLease})
	st, err2 := store.Open(ctx, client, store.Options{Prefix: i.namespace})
	s, err3 := stream.Open(ctx, client, stream.Options{Prefix: i.namespace})
	if err := errors.Join(err1, err2, err3); err != nil {
		client.Close()
		return enginetest.Trio{}, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.clients[q] = client
	return enginetest.Trio{Queue: q, Stream: s, Store: st}, nil
}

// kill cuts an instance off from the server.
func (i *instances) kill(t enginetest.Trio) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.clients[t.Queue].Close()
}

func (i *instances) close() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, c := range i.clients {
		c.Close()
	}
	return nil
}

// TestWholeFlows runs whole flows with queue, stream and store on one Redis.
func TestWholeFlows(t *testing.T) {
	url := redistest.URL(t)
	enginetest.Test(t, enginetest.Harness{
		Lease: flowLease,
		New: func(context.Context) (enginetest.Backend, error) {
			i := &instances{url: url, namespace: fmt.Sprintf("flows%d-%d", time.Now().UnixNano(), namespaces.Add(1)),
				clients: map[adapter.Queue]rueidis.Client{}}
			return enginetest.Backend{Open: i.open, Kill: i.kill, Close: i.close}, nil
		},
	})
}
