package nvent

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Bus carries events between the parts of one process. It keeps nothing, and its events do not leave the process: for that
// there is the [Stream].
//
// An event is handled in the goroutine that publishes it: when Publish returns, every listener has had it, first those of its
// name and then those of all events, in the order in which they were added. So events of one publisher arrive in order, and a
// slow listener slows its publishers down. Its methods may be called from many goroutines, and from within listeners.
type Bus struct {
	log       *slog.Logger
	mu        sync.Mutex // of changes
	listeners atomic.Pointer[map[string][]*busListener]
	listening func(name string) // nil, or is told of each new listener
}

type busListener struct {
	fn  func(context.Context, BusMessage)
	off atomic.Bool
}

// BusMessage is an event on the [Bus].
type BusMessage struct {
	Name    string
	Payload any // as it was published; listeners share it, and must not change what it refers to
}

func newBus(log *slog.Logger) *Bus {
	b := &Bus{log: log}
	b.listeners.Store(&map[string][]*busListener{})
	return b
}

// Publish gives an event to the listeners of its name, and to those of all events. The panic of a listener is logged, and
// the others get the event all the same.
func (b *Bus) Publish(ctx context.Context, name string, payload any) {
	all := *b.listeners.Load()
	if name != "" {
		for _, l := range all[name] {
			b.call(ctx, l, BusMessage{name, payload})
		}
	}
	for _, l := range all[""] {
		b.call(ctx, l, BusMessage{name, payload})
	}
}

// On calls fn for every event of a name, or for all events if name is empty, until off is called. A call of fn that has
// begun in another goroutine may still run when off returns. off may be called more than once.
func (b *Bus) On(name string, fn func(context.Context, BusMessage)) (off func()) {
	l := &busListener{fn: fn}
	b.change(name, func(list []*busListener) []*busListener { return append(list, l) })
	if b.listening != nil {
		b.listening(name)
	}
	return func() {
		if l.off.Swap(true) {
			return
		}
		b.change(name, func(list []*busListener) []*busListener {
			return slices.DeleteFunc(list, func(x *busListener) bool { return x == l })
		})
	}
}

// heard reports whether somebody listens to an event.
func (b *Bus) heard(name string) bool {
	all := *b.listeners.Load()
	return len(all[name]) > 0 || len(all[""]) > 0
}

// heardAny reports whether somebody listens to an event whose name begins with prefix.
func (b *Bus) heardAny(prefix string) bool {
	for name := range *b.listeners.Load() {
		if name == "" || strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// change replaces the listeners of a name, so that publishing needs no lock.
func (b *Bus) change(name string, f func([]*busListener) []*busListener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := *b.listeners.Load()
	next := make(map[string][]*busListener, len(old)+1)
	maps.Copy(next, old)
	if next[name] = f(slices.Clone(old[name])); len(next[name]) == 0 {
		delete(next, name)
	}
	b.listeners.Store(&next)
}

func (b *Bus) call(ctx context.Context, l *busListener, m BusMessage) {
	if l.off.Load() {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			b.log.ErrorContext(ctx, "listener of the event bus panicked", "event", m.Name, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	l.fn(ctx, m)
}

// BusEvent is an event of the [Bus] whose payload is a T.
type BusEvent[T any] struct{ name string }

// NewBusEvent names an event and binds its Go type. An empty name is a programmer's error and panics: it stands for all
// events.
func NewBusEvent[T any](name string) BusEvent[T] {
	if name == "" {
		panic("nvent.NewBusEvent: the name of the event is empty")
	}
	return BusEvent[T]{name}
}

// Name returns the name of the event.
func (e BusEvent[T]) Name() string { return e.name }

// Publish gives the event to its listeners: see [Bus.Publish].
func (e BusEvent[T]) Publish(ctx context.Context, b *Bus, payload T) { b.Publish(ctx, e.name, payload) }

// On calls fn for every such event until off is called: see [Bus.On]. What somebody publishes under the same name with
// another type is logged, and does not reach fn.
func (e BusEvent[T]) On(b *Bus, fn func(context.Context, T)) (off func()) {
	return b.On(e.name, func(ctx context.Context, m BusMessage) {
		payload, ok := m.Payload.(T)
		if !ok && (m.Payload != nil || reflect.TypeFor[T]().Kind() != reflect.Interface) {
			b.log.ErrorContext(ctx, "event of the event bus is of another type than its listener's", "event", e.name,
				"published", fmt.Sprintf("%T", m.Payload), "listener", reflect.TypeFor[T]().String())
			return
		}
		fn(ctx, payload)
	})
}
