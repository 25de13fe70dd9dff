package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent"
	nventredis "github.com/nvent-go/nvent/adapters/redis"
	"github.com/nvent-go/nvent/adapters/redis/queue"
)

var redisSuite = suite{
	name:     "redis",
	about:    "queue and flows on a Redis of its own; peers: BullMQ (Node), asynq, go-workflows",
	open:     startRedis,
	measures: redisMeasures,
}

// redisURL is the server that the suite has started.
var redisURL string

func redisMeasures(sc scale) []measure {
	n := sc.redisJobs
	var list []measure
	for _, width := range []int{1, 10, 100} {
		jobs := n
		if width == 1 {
			jobs = n / 5
		}
		list = append(list, redisMeasure(fmt.Sprintf("add%d", width),
			func(ctx context.Context, q *queue.Queue, c rueidis.Client) ([]float64, error) {
				return addOurs(ctx, q, c, jobs, width)
			},
			bull("add", map[string]int{"n": jobs, "width": width}),
			contestant{"asynq", func(ctx context.Context) ([]float64, error) { return addAsynq(ctx, jobs, width) }}))
	}
	list = append(list, redisMeasure("bulk1000",
		func(ctx context.Context, q *queue.Queue, c rueidis.Client) ([]float64, error) {
			return bulkOurs(ctx, q, c, n)
		},
		bull("bulk", map[string]int{"n": n, "size": 1000})))
	for _, width := range []int{1, 10, 100} {
		jobs := n
		if width == 1 {
			jobs = n / 5
		}
		list = append(list, redisMeasure(fmt.Sprintf("drain%d", width),
			func(ctx context.Context, q *queue.Queue, c rueidis.Client) ([]float64, error) {
				return drainRedis(ctx, q, c, jobs, width)
			},
			bull("drain", map[string]int{"n": jobs, "width": width}),
			contestant{"asynq", func(ctx context.Context) ([]float64, error) { return drainAsynq(ctx, jobs, width) }}))
	}
	idle := redisMeasure("idle",
		func(ctx context.Context, q *queue.Queue, _ rueidis.Client) ([]float64, error) {
			return idleOurs(ctx, q, sc.redisSamples)
		},
		bull("latency", map[string]int{"n": sc.redisSamples}))
	idle.metrics = []metric{{name: "p50", unit: "ms", lower: true, aim: 1}, {name: "p99", unit: "ms", lower: true, aim: 5}}
	size := redisMeasure("memory",
		func(ctx context.Context, q *queue.Queue, c rueidis.Client) ([]float64, error) {
			return bytesOurs(ctx, q, c, n)
		},
		bull("bytes", map[string]int{"n": n}))
	size.metrics = []metric{{name: "bytes", unit: "B/job", lower: true}}
	flows := measure{
		name:    "flow3",
		metrics: work("step", 0),
		ours: contestant{us, func(ctx context.Context) ([]float64, error) {
			if err := flushRedis(ctx); err != nil {
				return nil, err
			}
			return runFlows(ctx, redisApp, sc.redisRuns)
		}},
		peers: []contestant{{"go-workflows", func(ctx context.Context) ([]float64, error) {
			if err := flushRedis(ctx); err != nil {
				return nil, err
			}
			return runGoWorkflowsRedis(ctx, sc.slowRuns)
		}}},
	}
	return append(list, idle, size, flows)
}

// redisMeasure is a measure on an empty server.
func redisMeasure(name string, ours func(context.Context, *queue.Queue, rueidis.Client) ([]float64, error),
	peers ...contestant) measure {
	m := measure{name: name,
		metrics: []metric{{name: "throughput", unit: "jobs/s"}, {name: "server", unit: "µs/job", lower: true}},
		ours: contestant{us, func(ctx context.Context) ([]float64, error) {
			client, err := rueidis.NewClient(redisOption())
			if err != nil {
				return nil, err
			}
			defer client.Close()
			q, err := queue.Open(ctx, client, queue.Options{})
			if err != nil {
				return nil, err
			}
			values, err := ours(ctx, q, client)
			return values, errors.Join(err, q.Close())
		}}}
	for _, c := range append([]contestant{m.ours}, peers...) {
		fresh := contestant{c.name, func(ctx context.Context) ([]float64, error) {
			if err := flushRedis(ctx); err != nil {
				return nil, err
			}
			return c.run(ctx)
		}}
		if c.name == us {
			m.ours = fresh
		} else {
			m.peers = append(m.peers, fresh)
		}
	}
	return m
}

func redisOption() rueidis.ClientOption {
	return rueidis.ClientOption{InitAddress: []string{strings.TrimPrefix(redisURL, "redis://")}, DisableCache: true}
}

func redisApp(ctx context.Context) (*nvent.App, error) {
	registry := nvent.DefaultRegistry()
	if err := registry.Register(nventredis.Factory()); err != nil {
		return nil, err
	}
	return nvent.New(ctx, nvent.Config{
		Registry: registry, Logger: slog.New(slog.DiscardHandler),
		Queue: nvent.QueueConfig{Adapter: "redis"}, Stream: nvent.StreamConfig{Adapter: "redis"}, Store: nvent.StoreConfig{Adapter: "redis"},
		Connections: map[string]nvent.Options{"redis": {"url": redisURL}},
	})
}

// startRedis starts a server for the suite.
func startRedis(ctx context.Context) (stop func(), err error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	if err := l.Close(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "nvent-bench-")
	if err != nil {
		return nil, err
	}
	args := []string{"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no"}
	cmd := exec.Command("redis-server", args...) //nolint:gosec,noctx // our own port and directory; stop ends it
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start redis-server (is it installed?): %w", err)
	}
	redisURL = "redis://127.0.0.1:" + port
	stop = func() {
		_ = cmd.Process.Kill() // nothing in it is of value
		_ = cmd.Wait()         // it was killed
		_ = os.RemoveAll(dir)  // the system empties its temporary directory, too
	}
	for range 200 {
		if err = flushRedis(ctx); err == nil {
			return stop, nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	stop()
	return nil, err
}

func flushRedis(ctx context.Context) error {
	client, err := rueidis.NewClient(redisOption())
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Do(ctx, client.B().Flushall().Build()).Error()
}

// serverInfo returns a number of INFO.
func serverInfo(ctx context.Context, c rueidis.Client, fields ...string) (sum float64, err error) {
	text, err := c.Do(ctx, c.B().Info().Build()).ToString()
	if err != nil {
		return 0, err
	}
	for _, f := range fields {
		_, rest, _ := strings.Cut(text, f+":")
		value, _, _ := strings.Cut(rest, "\r\n")
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("INFO has no number %s: %w", f, err)
		}
		sum += n
	}
	return sum, nil
}

// serverRate returns jobs a second, and the server's processor time for each.
func serverRate(ctx context.Context, c rueidis.Client, n int, do func() error) ([]float64, error) {
	before, err := serverInfo(ctx, c, "used_cpu_user", "used_cpu_sys")
	if err != nil {
		return nil, err
	}
	from := time.Now()
	if err := do(); err != nil {
		return nil, err
	}
	took := time.Since(from).Seconds()
	after, err := serverInfo(ctx, c, "used_cpu_user", "used_cpu_sys")
	return []float64{float64(n) / took, (after - before) * 1e6 / float64(n)}, err
}
