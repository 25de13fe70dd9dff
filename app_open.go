package nvent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/nvent-go/nvent/adapter"
)

// open opens the adapters of the configuration.
func (a *App) open(ctx context.Context, instance string) (adapter.Opened, error) {
	c := a.config
	drivers := adapter.Opened{Queue: c.Queue.Driver, Stream: c.Stream.Driver, Store: c.Store.Driver}
	wanted, err := c.openings()
	if err != nil {
		return drivers, err
	}
	for _, o := range wanted {
		got, err := o.open(ctx, c, instance)
		if err != nil {
			return drivers, err
		}
		a.take(got, &drivers)
	}
	return drivers, nil
}

func (o *opening) open(ctx context.Context, c Config, instance string) (adapter.Opened, error) {
	got, err := o.factory.Open(ctx, adapter.Settings{Kinds: o.kinds, Options: o.options, Namespace: o.namespace, Instance: instance,
		Logger: c.logger("adapters"), Clock: c.Clock})
	if err != nil {
		return got, fmt.Errorf("open adapter %q: %w", o.factory.Name, err)
	}
	return got, nil
}

// take notes what was opened, to be used and to be closed.
func (a *App) take(got adapter.Opened, drivers *adapter.Opened) {
	note := func(c io.Closer) { a.opened = append(a.opened, c.Close) }
	if got.Store != nil {
		drivers.Store = got.Store
		note(got.Store)
	}
	if got.Stream != nil {
		drivers.Stream = got.Stream
		note(got.Stream)
	}
	if got.Queue != nil {
		drivers.Queue = got.Queue
		note(got.Queue)
	}
}

// portable wraps the drivers for users.
func (a *App) portable(d adapter.Opened) {
	c := a.config
	a.queue = newQueue(d.Queue, queueOptions{
		maxPayload: c.Limits.Payload, attempts: c.Queue.Default.Attempts, backoff: queueBackoff(c.Queue.Default.Backoff),
		clock: c.Clock, log: c.Logger,
	})
	a.stream = newStream(d.Stream, streamOptions{maxPayload: c.Limits.Payload, log: c.Logger})
	a.store = newStore(d.Store, storeOptions{maxPayload: c.Limits.Payload, stream: d.Stream, clock: c.Clock, log: c.Logger})
}

// sayOnce logs what weak durability means for this trio.
func (a *App) sayOnce(d adapter.Opened) {
	if store := d.Store.Info(); store.Durability != adapter.DurableSync {
		a.log.Info("the store does not survive a crash of its backend whole: runs that it forgets are gone",
			"store", store.Name, "durability", store.Durability, "scope", store.Scope)
	}
	if q, s := d.Queue.Info(), d.Store.Info(); q.Scope < s.Scope {
		a.log.Info("the queue reaches fewer processes than the store: steps run on the instance that dispatched them, and move "+
			"to another one when it is gone", "queue", q.Name, "store", s.Name)
	}
}

// encode returns v as JSON within the limits.
func (a *App) encode(v any) (json.RawMessage, error) { return encodeJSON(v, a.config.Limits.Payload) }
