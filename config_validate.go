package nvent

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/internal/engine"
)

// Validate reports everything that is wrong with the configuration: what, where, and how to fix it. New calls it.
func (c Config) Validate() error {
	var errs []error
	bad := func(where, format string, args ...any) {
		errs = append(errs, fmt.Errorf("config %s: %w: %s", where, adapter.ErrInvalid, fmt.Sprintf(format, args...)))
	}
	both := "both an adapter name and a driver are given; keep one of them"
	if c.Queue.Adapter != "" && c.Queue.Driver != nil {
		bad("queue.adapter", "%s", both)
	}
	if c.Stream.Adapter != "" && c.Stream.Driver != nil {
		bad("stream.adapter", "%s", both)
	}
	if c.Store.Adapter != "" && c.Store.Driver != nil {
		bad("store.adapter", "%s", both)
	}
	d := c.withDefaults()
	for _, k := range []struct {
		where, name string
		kind        adapter.Kind
		driver      bool
	}{
		{"queue.adapter", d.Queue.Adapter, adapter.KindQueue, c.Queue.Driver != nil},
		{"stream.adapter", d.Stream.Adapter, adapter.KindStream, c.Stream.Driver != nil},
		{"store.adapter", d.Store.Adapter, adapter.KindStore, c.Store.Driver != nil},
	} {
		if k.driver {
			continue
		}
		if _, err := d.Registry.Find(k.name, k.kind); err != nil {
			errs = append(errs, fmt.Errorf("config %s: %w", k.where, err))
		}
	}
	for name, options := range c.Connections {
		if _, err := json.Marshal(options); err != nil {
			bad("connections."+name, "it does not encode as JSON: %v", err)
		}
	}
	if n := c.Queue.Default.Attempts; n < 0 {
		bad("queue.defaultConfig.attempts", "%d is negative; it is the number of tries in total, at least 1", n)
	}
	if n := c.Queue.Default.Worker.Concurrency; n < 0 {
		bad("queue.defaultConfig.worker.concurrency", "%d is negative; it is the number of handlers at once, at least 1", n)
	}
	for name, w := range c.Queue.Queues {
		if w.Concurrency < 0 {
			bad("queue.queues."+name+".worker.concurrency", "%d is negative; it is the number of handlers at once, at least 1", w.Concurrency)
		}
	}
	r := c.Store.Retention
	if r.EventTTL < 0 || r.MetadataTTL < 0 {
		bad("store.retention", "a TTL is negative; leave it out for the default")
	} else if d.Store.Retention.MetadataTTL < d.Store.Retention.EventTTL {
		bad("store.retention.metadataTTL", "%v is shorter than eventTTL (%v): logs cannot outlive their runs; raise it or lower eventTTL",
			d.Store.Retention.MetadataTTL, d.Store.Retention.EventTTL)
	}
	strategies := []string{engine.CleanupNever, engine.CleanupImmediate, engine.CleanupOnComplete, engine.CleanupTTL}
	if s := d.Store.State.Cleanup.Strategy; !slices.Contains(strategies, s) {
		bad("store.state.cleanup.strategy", "%q is not one of %s", s, strings.Join(strategies, ", "))
	}
	if c.Limits.Payload < 0 {
		bad("limits.payload", "%d is negative; it is a number of bytes", c.Limits.Payload)
	}
	if c.Flow.StepTimeout < 0 {
		bad("flow.stepTimeout", "%v is negative", c.Flow.StepTimeout)
	}
	return errors.Join(errs...)
}
