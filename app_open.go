package nvent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"

	"github.com/nvent-go/nvent/adapter"
)

// open opens the adapters of the configuration. Kinds that name the same adapter with the same options share one opening,
// and with it its connection.
func (a *App) open(ctx context.Context, instance string) (adapter.Opened, error) {
	c := a.config
	drivers := adapter.Opened{Queue: c.Queue.Driver, Stream: c.Stream.Driver, Store: c.Store.Driver}
	var wanted []*opening
	for _, w := range []struct {
		kind     adapter.Kind
		name     string
		options  map[string]any
		isDriver bool
	}{
		{adapter.KindQueue, c.Queue.Adapter, c.Queue.Options, c.Queue.Driver != nil},
		{adapter.KindStream, c.Stream.Adapter, c.Stream.Options, c.Stream.Driver != nil},
		{adapter.KindStore, c.Store.Adapter, c.Store.Options, c.Store.Driver != nil},
	} {
		if w.isDriver {
			continue
		}
		f, err := c.Registry.Find(w.name, w.kind)
		if err != nil {
			return drivers, err
		}
		wanted = addOpening(wanted, f, w.kind, c.adapterOptions(w.name, w.options))
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

// opening is one call of a factory.
type opening struct {
	factory adapter.Factory
	kinds   adapter.Kind
	options json.RawMessage
}

func addOpening(list []*opening, f adapter.Factory, kind adapter.Kind, options json.RawMessage) []*opening {
	for _, o := range list {
		if o.factory.Name == f.Name && bytes.Equal(o.options, options) {
			o.kinds |= kind
			return list
		}
	}
	return append(list, &opening{f, kind, options})
}

func (o *opening) open(ctx context.Context, c Config, instance string) (adapter.Opened, error) {
	s := adapter.Settings{Kinds: o.kinds, Namespace: c.Store.Namespace, Instance: instance, Logger: c.Logger, Clock: c.Clock}
	if o.factory.Options != nil {
		s.Options = o.factory.Options()
		dec := json.NewDecoder(bytes.NewReader(o.options))
		dec.DisallowUnknownFields()
		if err := dec.Decode(s.Options); err != nil {
			return adapter.Opened{}, fmt.Errorf("options of adapter %q: %w: %w", o.factory.Name, adapter.ErrInvalid, err)
		}
	}
	got, err := o.factory.Open(ctx, s)
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

// adapterOptions merges the options of a kind over those of the adapter's connection, as JSON.
func (c Config) adapterOptions(name string, own map[string]any) json.RawMessage {
	merged := maps.Clone(c.Connections[name])
	if merged == nil {
		merged = map[string]any{}
	}
	maps.Copy(merged, own)
	b, err := json.Marshal(merged)
	if err != nil {
		return json.RawMessage("null") // Validate has refused what does not encode
	}
	return b
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
	a.bus = newBus(c.Logger)
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
