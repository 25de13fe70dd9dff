package queue_test

import (
	"context"
	"sync"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/queue"
)

// clients are the connections of queues that a test opens.
type clients struct {
	url     string
	options queue.Options

	mu sync.Mutex
	of map[adapter.Queue]rueidis.Client
}

// owned closes its client when it is closed.
type owned struct {
	*queue.Queue
	client rueidis.Client
}

func (o *owned) Close() error {
	defer o.client.Close()
	return o.Queue.Close()
}

func (c *clients) open(ctx context.Context) (adapter.Queue, error) {
	o, err := rueidis.ParseURL(c.url)
	if err != nil {
		return nil, err
	}
	o.DisableCache = true
	client, err := rueidis.NewClient(o)
	if err != nil {
		return nil, err
	}
	q, err := queue.Open(ctx, client, c.options)
	if err != nil {
		client.Close()
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	own := &owned{q, client}
	c.of[own] = client
	return own, nil
}

// kill cuts an instance off from the server.
func (c *clients) kill(q adapter.Queue) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[q].Close()
}

func (c *clients) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, client := range c.of {
		client.Close()
	}
	return nil
}
