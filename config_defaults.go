package nvent

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/engine"
)

const day = 24 * time.Hour

// withDefaults returns the configuration with everything filled in.
func (c Config) withDefaults() Config {
	if c.Queue.Driver == nil {
		c.Queue.Adapter = cmp.Or(c.Queue.Adapter, "memory")
	}
	if c.Stream.Driver == nil {
		c.Stream.Adapter = cmp.Or(c.Stream.Adapter, "memory")
	}
	if c.Store.Driver == nil {
		c.Store.Adapter = cmp.Or(c.Store.Adapter, "memory")
	}
	c.Queue.Default.Attempts = cmp.Or(c.Queue.Default.Attempts, 3)
	if c.Queue.Default.Backoff == (flow.Backoff{}) {
		c.Queue.Default.Backoff = flow.Exponential(time.Second).WithMax(time.Minute).WithJitter(0.2)
	}
	c.Queue.Default.Worker.Concurrency = cmp.Or(c.Queue.Default.Worker.Concurrency, 32)
	c.Store.Namespace = cmp.Or(c.Store.Namespace, "nvent")
	c.Store.Retention.EventTTL = cmp.Or(c.Store.Retention.EventTTL, 7*day)
	c.Store.Retention.MetadataTTL = cmp.Or(c.Store.Retention.MetadataTTL, max(30*day, c.Store.Retention.EventTTL))
	c.Store.State.Cleanup.Strategy = cmp.Or(c.Store.State.Cleanup.Strategy, engine.CleanupNever)
	c.Store.State.Cleanup.TTL = cmp.Or(c.Store.State.Cleanup.TTL, time.Hour)
	c.Flow.StepTimeout = cmp.Or(c.Flow.StepTimeout, 5*time.Minute)
	c.Limits.Payload = cmp.Or(c.Limits.Payload, 1<<20)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Clock == nil {
		c.Clock = adapter.SystemClock()
	}
	if c.Registry == nil {
		c.Registry = DefaultRegistry()
	}
	return c
}

// concurrency returns how many handlers of a queue may run at once.
func (c Config) concurrency(queue string) int {
	if n := c.Queue.Queues[queue].Concurrency; n > 0 {
		return n
	}
	return c.Queue.Default.Worker.Concurrency
}

// autorun reports whether this instance runs the jobs of a queue.
func (c Config) autorun(queue string) bool {
	if on := c.Queue.Queues[queue].Autorun; on != nil {
		return *on
	}
	return c.Queue.Default.Worker.Autorun == nil || *c.Queue.Default.Worker.Autorun
}
