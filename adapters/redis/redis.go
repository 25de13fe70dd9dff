// Package redis registers the Redis adapters: a queue on BullMQ's data layout (package queue), a stream on Redis Streams
// (package stream) and a store (package store). They need Redis 6.2 or a compatible server (Valkey), alone, behind Sentinel, or
// as a Cluster.
//
//	reg := nvent.DefaultRegistry()
//	err := reg.Register(redis.Factory())
//	app, err := nvent.New(ctx, nvent.Config{
//		Registry: reg,
//		Queue:    nvent.QueueConfig{Adapter: "redis"},
//		Connections: map[string]nvent.Options{"redis": {"url": "redis://localhost:6379"}},
//	})
//
// Programs that have a client already make the adapters themselves, with queue.Open, stream.Open and store.Open, and pass them
// as drivers.
//
// # What is kept when the server crashes
//
// What the server's persistence keeps, which Info().Durability says: nothing without an append-only file, all but the last
// second with appendfsync everysec, everything with appendfsync always on a single server. A failover to a replica may lose the
// last writes. A maxmemory-policy other than noeviction lets the server drop jobs and runs; opening logs a warning then.
package redis

import (
	"context"
	"sync"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
	"github.com/nvent-go/nvent/adapters/redis/queue"
	"github.com/nvent-go/nvent/adapters/redis/store"
	"github.com/nvent-go/nvent/adapters/redis/stream"
)

// Factory returns the factory "redis", with [Options]. Opened adapters share a client, which is closed with the last of them.
func Factory() adapter.Factory {
	return adapter.Factory{
		Name:    conn.Name,
		Kinds:   adapter.KindQueue | adapter.KindStream | adapter.KindStore,
		Options: func() any { return new(Options) },
		Open:    open,
	}
}

func open(ctx context.Context, s adapter.Settings) (opened adapter.Opened, err error) {
	o, ok := s.Options.(*Options)
	if !ok {
		return opened, conn.Invalid("open", "options are not those of Factory().Options", "")
	}
	client, err := conn.Dial(ctx, o.connection())
	if err != nil {
		return opened, err
	}
	server, err := conn.Inspect(ctx, client)
	if err != nil {
		client.Close()
		return opened, err
	}
	if p := server.Eviction; p != "" && p != "noeviction" && s.Logger != nil {
		s.Logger.Warn("redis may drop jobs and runs when its memory is full: set maxmemory-policy noeviction", "maxmemoryPolicy", p)
	}
	shared := &shared{client: client}
	defer func() {
		if err != nil {
			client.Close()
			opened = adapter.Opened{}
		}
	}()
	if s.Kinds&adapter.KindQueue != 0 {
		jobs := o.Jobs
		if jobs.Prefix == "" {
			jobs.Prefix = s.Namespace
		}
		if jobs.Logger == nil {
			jobs.Logger = s.Logger
		}
		q, err := queue.Open(ctx, client, jobs)
		if err != nil {
			return opened, err
		}
		opened.Queue = &ownQueue{q, shared.use()}
	}
	if s.Kinds&adapter.KindStream != 0 {
		topics := o.Streams
		topics.Prefix, topics.Logger = s.Namespace, s.Logger
		st, err := stream.Open(ctx, client, topics)
		if err != nil {
			return opened, err
		}
		opened.Stream = &ownStream{st, shared.use()}
	}
	if s.Kinds&adapter.KindStore != 0 {
		st, err := store.Open(ctx, client, store.Options{Prefix: s.Namespace})
		if err != nil {
			return opened, err
		}
		opened.Store = &ownStore{st, shared.use()}
	}
	return opened, nil
}

// shared closes a client with the last of its users.
type shared struct {
	client rueidis.Client
	mu     sync.Mutex
	users  int
}

// use adds a user and returns the function that ends its use. Only the first call of that counts.
func (s *shared) use() func() {
	s.users++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.users--; s.users == 0 {
			s.client.Close()
		}
	})
}

type ownQueue struct {
	*queue.Queue
	release func()
}

// Close closes the queue, and the client with the last adapter on it.
func (q *ownQueue) Close() error {
	defer q.release()
	return q.Queue.Close()
}

type ownStream struct {
	*stream.Stream
	release func()
}

// Close closes the stream, and the client with the last adapter on it.
func (s *ownStream) Close() error {
	defer s.release()
	return s.Stream.Close()
}

type ownStore struct {
	*store.Store
	release func()
}

// Close closes the store, and the client with the last adapter on it.
func (s *ownStore) Close() error {
	defer s.release()
	return s.Store.Close()
}
