package nvent

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
)

func newTestBus() (*Bus, *logBuffer) {
	log := &logBuffer{}
	return newBus(slog.New(slog.NewTextHandler(log, nil))), log
}

func TestBusCallsListenersInOrder(t *testing.T) {
	t.Parallel()
	b, _ := newTestBus()
	var got []string
	note := func(who string) func(context.Context, BusMessage) {
		return func(_ context.Context, m BusMessage) { got = append(got, who+":"+m.Name) }
	}
	b.On("", note("all"))
	off := b.On("a", note("first"))
	b.On("a", note("second"))
	b.On("b", note("other"))
	b.Publish(t.Context(), "a", 1)
	off()
	off()
	b.Publish(t.Context(), "a", 2)
	b.Publish(t.Context(), "c", 3)
	want := []string{"first:a", "second:a", "all:a", "second:a", "all:a", "all:c"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBusContainsPanics(t *testing.T) {
	t.Parallel()
	b, log := newTestBus()
	reached := false
	b.On("a", func(context.Context, BusMessage) { panic("ouch") })
	b.On("a", func(context.Context, BusMessage) { reached = true })
	b.Publish(t.Context(), "a", nil)
	if !reached {
		t.Error("the listener behind the one that panics was not called")
	}
	if s := log.String(); !strings.Contains(s, "ouch") || !strings.Contains(s, "bus_test.go") {
		t.Errorf("the log does not tell what panicked, and where: %s", s)
	}
}

func TestBusListenersMayChangeTheBus(t *testing.T) {
	t.Parallel()
	b, _ := newTestBus()
	calls := 0
	var off func()
	off = b.On("a", func(ctx context.Context, _ BusMessage) {
		calls++
		off()
		b.On("b", func(context.Context, BusMessage) { calls += 10 })
		b.Publish(ctx, "b", nil)
	})
	b.Publish(t.Context(), "a", nil)
	b.Publish(t.Context(), "a", nil)
	if calls != 11 {
		t.Errorf("calls = %d, want 11", calls)
	}
}

func TestBusEventBindsItsType(t *testing.T) {
	t.Parallel()
	b, log := newTestBus()
	paid := NewBusEvent[int]("paid")
	var got []int
	off := paid.On(b, func(_ context.Context, n int) { got = append(got, n) })
	paid.Publish(t.Context(), b, 1)
	NewBusEvent[string]("paid").Publish(t.Context(), b, "no number")
	off()
	paid.Publish(t.Context(), b, 2)
	if !slices.Equal(got, []int{1}) {
		t.Errorf("got %v, want [1]", got)
	}
	if s := log.String(); !strings.Contains(s, "published=string") || !strings.Contains(s, "listener=int") {
		t.Errorf("the wrong type is not reported: %s", s)
	}
}

func TestBusEventOfAnInterfaceTakesNil(t *testing.T) {
	t.Parallel()
	b, log := newTestBus()
	failed := NewBusEvent[error]("failed")
	calls := 0
	failed.On(b, func(_ context.Context, err error) {
		if err == nil {
			calls++
		}
	})
	failed.Publish(t.Context(), b, nil)
	if calls != 1 || log.String() != "" {
		t.Errorf("calls = %d, log %q", calls, log)
	}
}

func TestBusIsSafeForManyGoroutines(t *testing.T) {
	t.Parallel()
	b, _ := newTestBus()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				off := b.On("a", func(context.Context, BusMessage) {})
				b.Publish(t.Context(), "a", nil)
				off()
			}
		})
	}
	wg.Wait()
	if n := len(*b.listeners.Load()); n != 0 {
		t.Errorf("%d names with listeners are left", n)
	}
}

func BenchmarkBusPublish(b *testing.B) {
	bus, _ := newTestBus()
	paid := NewBusEvent[int]("paid")
	sum := 0
	paid.On(bus, func(_ context.Context, n int) { sum += n })
	b.ReportAllocs()
	for b.Loop() {
		paid.Publish(b.Context(), bus, 1)
	}
}
