package memory_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

// ids returns n IDs that look like UUIDs, so that making them is not measured.
func ids(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("0197c7a2-0000-7000-8000-%012x", i)
	}
	return ids
}

// BenchmarkQueue enqueues, consumes and completes jobs that do nothing. Enqueueing stays at most some batches ahead.
func BenchmarkQueue(b *testing.B) {
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("batch%d", size), func(b *testing.B) { benchmarkQueue(b, size) })
	}
}

func benchmarkQueue(b *testing.B, size int) {
	const concurrency = 32
	q := memory.New(nil).Queue()
	defer q.Close()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var done atomic.Int64
	window := make(chan struct{}, max(20_000/size, 1))
	returned := make(chan error)
	go func() {
		returned <- q.Consume(ctx, "q", adapter.ConsumeOptions{Concurrency: func() int { return concurrency }},
			func(ctx context.Context, d *adapter.Delivery) {
				if errs := q.Settle(ctx, adapter.Settlement{Queue: "q", ID: d.ID, Receipt: d.Receipt}); errs[0] != nil {
					b.Error(errs[0])
				}
				if done.Add(1)%int64(size) == 0 {
					<-window
				}
			})
	}()
	all := ids(200_000)
	data := []byte(`{"hello":"world"}`)
	jobs := make([]adapter.NewJob, size)
	b.ReportAllocs()
	b.ResetTimer()
	sent := 0
	for sent < b.N {
		for i := range jobs {
			jobs[i] = adapter.NewJob{ID: all[(sent+i)%len(all)], Queue: "q", Name: "noop", Data: data}
		}
		window <- struct{}{}
		if _, err := q.Enqueue(ctx, jobs...); err != nil {
			b.Fatal(err)
		}
		sent += size
	}
	for range cap(window) {
		window <- struct{}{} // all batches are done
	}
	b.StopTimer()
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "jobs/s")
	cancel()
	if err := <-returned; err != nil {
		b.Fatal(err)
	}
}

// BenchmarkLatency is the time from a lone enqueue to the start of the handler.
func BenchmarkLatency(b *testing.B) {
	q := memory.New(nil).Queue()
	defer q.Close()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	started := make(chan time.Time)
	returned := make(chan error)
	go func() {
		returned <- q.Consume(ctx, "q", adapter.ConsumeOptions{Concurrency: func() int { return 32 }},
			func(ctx context.Context, d *adapter.Delivery) {
				now := time.Now()
				q.Settle(ctx, adapter.Settlement{Queue: "q", ID: d.ID, Receipt: d.Receipt})
				started <- now
			})
	}()
	all := ids(100_000)
	took := make([]time.Duration, 0, b.N)
	for i := 0; b.Loop(); i++ {
		from := time.Now()
		if _, err := q.Enqueue(ctx, adapter.NewJob{ID: all[i%len(all)], Queue: "q", Name: "noop"}); err != nil {
			b.Fatal(err)
		}
		took = append(took, (<-started).Sub(from))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
	cancel()
	if err := <-returned; err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCommit is a step of a run: a state document with one ordered index, and four records.
func BenchmarkCommit(b *testing.B) {
	ctx := b.Context()
	s := memory.New(nil).Store()
	if err := s.Declare(ctx, adapter.Collection{Name: "runs", Indexes: []adapter.Index{{Equal: []string{"status"}, Order: "wakeAt"}}}); err != nil {
		b.Fatal(err)
	}
	filler := strings.Repeat(`{"step":"charge","attempt":1},`, 18)
	bodies := make([][]byte, 64)
	for i := range bodies {
		bodies[i] = fmt.Appendf(nil, `{"status":"active","wakeAt":%d,"open":[%s]}`, 1700000000+i*7919%1000, filler[:len(filler)-1])
	}
	const runs, steps = 1_000, 10
	all := ids(runs)
	versions := make([]adapter.Version, runs)
	b.SetBytes(int64(len(bodies[0])))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k := i / steps % runs
		put := adapter.Doc{Collection: "runs", ID: all[k], Version: versions[k], Body: bodies[i%len(bodies)]}
		batch := adapter.Batch{Partition: all[k], Puts: []adapter.Doc{put}, Appends: []adapter.Append{{Subject: all[k], Records: []adapter.Record{
			{Type: "step.started"}, {Type: "emit"}, {Type: "step.completed"}, {Type: "step.started"},
		}}}}
		if i/steps >= runs && i%steps == 0 { // the run of this place has been dropped, another one begins
			batch.Drops = []string{all[k]}
		}
		done, err := s.Commit(ctx, batch)
		if err != nil {
			b.Fatal(err)
		}
		versions[k] = done.Versions[0]
	}
}
