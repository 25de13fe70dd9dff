package nvent

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
	"github.com/nvent-go/nvent/internal/engine"
	"github.com/nvent-go/nvent/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// portable are the portable types over one memory backend.
type portable struct {
	*Queue
	*Stream
	*Store
	drivers struct {
		queue  adapter.Queue
		stream adapter.Stream
		store  adapter.Store
	}
	log *logBuffer
}

// open returns portable types that are closed at the end of the test.
func open(t testing.TB) *portable {
	t.Helper()
	b := memory.New(nil)
	p := &portable{log: &logBuffer{}}
	p.drivers.queue, p.drivers.stream, p.drivers.store = b.Queue(), b.Stream(), b.Store()
	logger := slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	clock := adapter.SystemClock()
	p.Queue = newQueue(p.drivers.queue, queueOptions{clock: clock, log: logger})
	p.Stream = newStream(p.drivers.stream, streamOptions{log: logger})
	p.Store = newStore(p.drivers.store, storeOptions{stream: p.drivers.stream, clock: clock, log: logger})
	t.Cleanup(func() {
		p.Queue.close()
		p.Stream.close()
		p.Store.close()
		for _, c := range []interface{ Close() error }{p.drivers.queue, p.drivers.stream, p.drivers.store} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return p
}

// work runs a handler on its queue until the test ends.
func (p *portable) work(t testing.TB, concurrency int, h Handler) {
	t.Helper()
	if h.err != nil {
		t.Fatal(h.err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan struct{})
	o := adapter.ConsumeOptions{Concurrency: func() int { return concurrency }, Ready: func() { close(ready) }}
	go func() {
		defer close(done)
		err := p.drivers.queue.Consume(ctx, h.queue, o, func(ctx context.Context, d *adapter.Delivery) {
			s := h.run(engine.WithJob(ctx, d, p.drivers.queue), d)
			s.Queue, s.ID, s.Receipt = d.Queue, d.ID, d.Receipt
			if err := p.drivers.queue.Settle(context.WithoutCancel(ctx), s)[0]; err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Error(err)
		}
	}()
	<-ready
	t.Cleanup(func() { cancel(); <-done })
}

// logBuffer collects what is logged.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
