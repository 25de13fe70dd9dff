package nvent

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/internal/config"
	"github.com/nvent-go/nvent/internal/engine"
)

// withDefaults returns the configuration with everything filled in. A kind that has a driver has no adapter's name.
func (c Config) withDefaults() Config {
	retention := c.Store.Retention
	config.SetDefaults(&c)
	if retention.MetadataTTL == 0 {
		c.Store.Retention.MetadataTTL = max(c.Store.Retention.MetadataTTL, c.Store.Retention.EventTTL)
	}
	if c.Store.State.Cleanup.Strategy == engine.CleanupTTL {
		c.Store.State.Cleanup.TTL = cmp.Or(c.Store.State.Cleanup.TTL, time.Hour)
	}
	c.Queue.Default.Prefix = cmp.Or(c.Queue.Default.Prefix, c.Store.Namespace)
	if c.Queue.Driver != nil {
		c.Queue.Adapter = ""
	}
	if c.Stream.Driver != nil {
		c.Stream.Adapter = ""
	}
	if c.Store.Driver != nil {
		c.Store.Adapter = ""
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Logger = c.logger("engine")
	if c.Clock == nil {
		c.Clock = adapter.SystemClock()
	}
	if c.Registry == nil {
		c.Registry = DefaultRegistry()
	}
	return c
}

// concurrency returns how many handlers of a queue may run at once.
func (c *Config) concurrency(queue string) int {
	return cmp.Or(c.Queue.Queues[queue].Worker.Concurrency, c.Queue.Default.Worker.Concurrency)
}

// autorun reports whether this instance runs the jobs of a queue.
func (c Config) autorun(queue string) bool {
	return *cmp.Or(c.Queue.Queues[queue].Worker.Autorun, c.Queue.Default.Worker.Autorun)
}

// debugParts are the keys of Config.Debug.
var debugParts = []string{"adapters", "all", "engine"}

// logger returns the logger of a part, at the level that Debug sets for it.
func (c Config) logger(part string) *slog.Logger {
	level, ok := c.Debug[part]
	if !ok {
		level, ok = c.Debug["all"]
	}
	if !ok {
		return c.Logger
	}
	return slog.New(levelHandler{level, c.Logger.Handler()})
}

// levelHandler decides by its own level what reaches a handler, in place of the handler's level.
type levelHandler struct {
	level slog.Level
	slog.Handler
}

func (h levelHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func (h levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelHandler{h.level, h.Handler.WithAttrs(attrs)}
}

func (h levelHandler) WithGroup(name string) slog.Handler {
	return levelHandler{h.level, h.Handler.WithGroup(name)}
}
