package main

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hibiken/asynq"
	"github.com/redis/rueidis"
)

func asynqRedis() asynq.RedisClientOpt {
	return asynq.RedisClientOpt{Addr: strings.TrimPrefix(redisURL, "redis://"), PoolSize: 100}
}

func addAsynq(ctx context.Context, n, width int) ([]float64, error) {
	stats, err := rueidis.NewClient(redisOption())
	if err != nil {
		return nil, err
	}
	defer stats.Close()
	client := asynq.NewClient(asynqRedis())
	defer func() { _ = client.Close() }() // it has done its work
	add := func(n int) error {
		return inFlight(ctx, width, n, func(ctx context.Context, _ int) error {
			_, err := client.EnqueueContext(ctx, asynq.NewTask("n", redisData), asynq.MaxRetry(3))
			return err
		})
	}
	if err := add(200); err != nil {
		return nil, err
	}
	return serverRate(ctx, stats, n, func() error { return add(n) })
}

type asynqSilence struct{}

func (asynqSilence) Debug(...any) {}
func (asynqSilence) Info(...any)  {}
func (asynqSilence) Warn(...any)  {}
func (asynqSilence) Error(...any) {}
func (asynqSilence) Fatal(...any) {}

func drainAsynq(ctx context.Context, n, width int) ([]float64, error) {
	if _, err := addAsynq(ctx, n-200, 100); err != nil {
		return nil, err
	}
	stats, err := rueidis.NewClient(redisOption())
	if err != nil {
		return nil, err
	}
	defer stats.Close()
	server := asynq.NewServer(asynqRedis(), asynq.Config{Concurrency: width, Logger: asynqSilence{}})
	defer server.Shutdown()
	return serverRate(ctx, stats, n, func() error {
		var left atomic.Int64
		left.Store(int64(n))
		done := make(chan struct{})
		end := sync.OnceFunc(func() { close(done) })
		err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
			if left.Add(-1) == 0 {
				end()
			}
			return nil
		}))
		if err != nil {
			return err
		}
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}
