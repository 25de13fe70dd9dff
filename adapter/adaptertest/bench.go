package adaptertest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/nvent-go/nvent/adapter"
)

// begin opens an instance for a benchmark, outside of any bubble.
func begin[A Driver](b *testing.B, h Harness[A]) (*env[A], A) {
	b.Helper()
	h = h.withDefaults()
	backend, err := h.New(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	e := newEnv(h, backend)
	a, err := e.open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := e.close(); err != nil {
			b.Error(err)
		}
	})
	b.ReportAllocs()
	return e, a
}

// BenchmarkQueue measures enqueueing, and enqueueing with processing.
func BenchmarkQueue(b *testing.B, h Harness[adapter.Queue]) {
	for _, batch := range []int{1, 100} {
		b.Run(fmt.Sprintf("Enqueue/batch=%d", batch), func(b *testing.B) {
			e, q := begin(b, h)
			queue := e.name()
			for n := 0; b.Loop(); n += batch {
				if _, err := q.Enqueue(b.Context(), newJobs(queue, batch)...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
	for _, concurrency := range []int{1, 16} {
		b.Run(fmt.Sprintf("Drain/concurrency=%d", concurrency), func(b *testing.B) {
			e, q := begin(b, h)
			queue := e.name()
			for left := b.N; left > 0; left -= 1000 {
				if _, err := q.Enqueue(b.Context(), newJobs(queue, min(left, 1000))...); err != nil {
					b.Fatal(err)
				}
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			done := make(chan struct{})
			b.ResetTimer()
			_, err := consume(b.Context(), e, q, queue, concurrency, func(ctx context.Context, d *adapter.Delivery) {
				if err := settle(ctx, q, d, adapter.Complete, nil); err != nil {
					b.Errorf("complete: %v", err)
				}
				if left.Add(-1) == 0 {
					close(done)
				}
			})
			if err != nil {
				b.Fatal(err)
			}
			<-done
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}

// BenchmarkStream measures the time from Publish until the message is in a handler.
func BenchmarkStream(b *testing.B, h Harness[adapter.Stream]) {
	for _, group := range []bool{false, true} {
		b.Run(fmt.Sprintf("PublishDeliver/group=%v", group), func(b *testing.B) {
			e, s := begin(b, h)
			topic, o := e.name(), adapter.SubscribeOptions{}
			if group {
				o.Group = e.name()
			}
			got := make(chan struct{}, 1)
			_, err := subscribe(b.Context(), e, s, topic, o, func(context.Context, *adapter.Message) error {
				got <- struct{}{}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			m := message(topic, "k", 0)
			for b.Loop() {
				if err := s.Publish(b.Context(), m); err != nil {
					b.Fatal(err)
				}
				<-got
			}
		})
	}
}

// BenchmarkStore measures commits of one document and one record, and reads.
func BenchmarkStore(b *testing.B, h Harness[adapter.Store]) {
	start := func(b *testing.B) place {
		e, s := begin(b, h)
		p := place{s: s, collection: e.name(), partition: e.name()}
		if err := p.declare(b.Context(), byN); err != nil {
			b.Fatal(err)
		}
		return p
	}
	b.Run("Commit", func(b *testing.B) {
		p := start(b)
		version := adapter.Absent
		for b.Loop() {
			c, err := p.commit(b.Context(), adapter.Batch{
				Puts:    []adapter.Doc{p.doc("d", version, `{"s":"x","n":1}`)},
				Appends: []adapter.Append{{Subject: p.id("log"), Records: records("r", 1)}},
			})
			if err != nil {
				b.Fatal(err)
			}
			version = c.Versions[0]
		}
	})
	b.Run("Get", func(b *testing.B) {
		p := start(b)
		if _, err := p.put1(b.Context(), p.doc("d", adapter.Absent, `{"s":"x","n":1}`)); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := p.s.Get(b.Context(), p.collection, p.id("d")); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Read/records=100", func(b *testing.B) {
		p := start(b)
		if _, err := p.add(b.Context(), "log", records("r", 1000)...); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := p.s.Read(b.Context(), p.id("log"), adapter.Range{After: 500, Limit: 100}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
