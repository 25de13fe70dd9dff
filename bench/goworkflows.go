package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/cschleiden/go-workflows/backend"
	"github.com/cschleiden/go-workflows/backend/monoprocess"
	wfredis "github.com/cschleiden/go-workflows/backend/redis"
	"github.com/cschleiden/go-workflows/backend/sqlite"
	"github.com/cschleiden/go-workflows/client"
	"github.com/cschleiden/go-workflows/core"
	"github.com/cschleiden/go-workflows/worker"
	"github.com/cschleiden/go-workflows/workflow"
	goredis "github.com/redis/go-redis/v9"
)

// goWorkflows is three activities in a row on go-workflows, on SQLite in memory, with the wake-ups within the process that
// it recommends for one process.
//
// Its client learns of the end of an instance by polling, which takes from the one database connection that there is. So a
// run counts as ended when its last activity runs; only the last ones are polled for. That is in favour of the peer: the
// commits that end its instances are partly not waited for.
type goWorkflows struct {
	ended []chan struct{} // by number of the run; closed by its last activity
}

func (g *goWorkflows) activity(_ context.Context, n int) (int, error) { return n + 1, nil }

func (g *goWorkflows) last(_ context.Context, run, n int) (int, error) {
	close(g.ended[run])
	return n + 1, nil
}

func (g *goWorkflows) workflow(ctx workflow.Context, run int) (int, error) {
	n := run
	for range flowSteps - 1 {
		var err error
		if n, err = workflow.ExecuteActivity[int](ctx, workflow.DefaultActivityOptions, g.activity, n).Get(ctx); err != nil {
			return 0, err
		}
	}
	return workflow.ExecuteActivity[int](ctx, workflow.DefaultActivityOptions, g.last, run, n).Get(ctx)
}

func runGoWorkflows(ctx context.Context, n int) ([]float64, error) {
	silent := sqlite.WithBackendOptions(backend.WithLogger(slog.New(slog.DiscardHandler)))
	return runGoWorkflowsOn(ctx, n, monoprocess.NewMonoprocessBackend(sqlite.NewInMemoryBackend(silent)))
}

// runGoWorkflowsRedis is the same on Redis.
func runGoWorkflowsRedis(ctx context.Context, n int) ([]float64, error) {
	c := goredis.NewUniversalClient(&goredis.UniversalOptions{Addrs: []string{strings.TrimPrefix(redisURL, "redis://")}, PoolSize: 100})
	b, err := wfredis.NewRedisBackend(c, wfredis.WithBackendOptions(backend.WithLogger(slog.New(slog.DiscardHandler))))
	if err != nil {
		return nil, err
	}
	return runGoWorkflowsOn(ctx, n, b)
}

func runGoWorkflowsOn(ctx context.Context, n int, b backend.Backend) (values []float64, err error) {
	warmUp := n/20 + 1
	g := &goWorkflows{ended: make([]chan struct{}, warmUp+n)}
	for i := range g.ended {
		g.ended[i] = make(chan struct{})
	}
	w := worker.New(b, nil)
	for _, register := range []func() error{
		func() error { return w.RegisterWorkflow(g.workflow) },
		func() error { return w.RegisterActivity(g.activity) },
		func() error { return w.RegisterActivity(g.last) },
	} {
		if err := register(); err != nil {
			return nil, err
		}
	}
	working, stop := context.WithCancel(ctx)
	if err := w.Start(working); err != nil {
		stop()
		return nil, err
	}
	defer func() {
		stop()
		if failed := w.WaitForCompletion(); err == nil {
			err = failed
		}
		if failed := b.Close(); err == nil {
			err = failed
		}
	}()
	c := client.New(b)
	if err := g.runs(ctx, c, 0, warmUp); err != nil {
		return nil, err
	}
	return rate(n*flowSteps, func() error { return g.runs(ctx, c, warmUp, n) })
}

// runs runs n instances, numbered from first.
func (g *goWorkflows) runs(ctx context.Context, c *client.Client, first, n int) error {
	instances := make([]*workflow.Instance, n)
	err := inFlight(ctx, flowInFlight, n, func(ctx context.Context, i int) (err error) {
		run := first + i
		o := client.WorkflowInstanceOptions{InstanceID: strconv.Itoa(run)}
		if instances[i], err = c.CreateWorkflowInstance(ctx, o, g.workflow, run); err != nil {
			return err
		}
		select {
		case <-g.ended[run]:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		return err
	}
	for _, instance := range instances[max(n-flowInFlight, 0):] {
		if err := waitFor(ctx, c, instance); err != nil {
			return err
		}
	}
	return nil
}

func waitFor(ctx context.Context, c *client.Client, instance *workflow.Instance) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		state, err := c.GetWorkflowInstanceState(ctx, instance)
		if err != nil {
			return fmt.Errorf("get state of instance %s: %w", instance.InstanceID, err)
		}
		if state == core.WorkflowInstanceStateFinished {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
