package queue_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
	"github.com/nvent-go/nvent/adapters/redis/queue"
)

// exercise uses every method of a queue, in ways that reach most of the scripts.
func exercise(t *testing.T, url string) {
	t.Helper()
	ctx := t.Context()
	q, err := queue.Open(ctx, redistest.Client(t, url), queue.Options{KeepCompletedCount: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	var jobs []adapter.NewJob
	for i := range 20 {
		jobs = append(jobs, adapter.NewJob{ID: uuid(), Queue: "q", Name: "n", Data: json.RawMessage(`{}`), Priority: i%3 - 1, Attempts: 2})
	}
	jobs[7].RunAt = time.Now().Add(time.Hour)
	jobs[8].RunAt = time.Now().Add(20 * time.Millisecond)
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	watching, stop := context.WithCancel(ctx)
	watched := make(chan error, 1)
	ready := make(chan struct{})
	go func() { watched <- q.Watch(watching, "q", func() { close(ready) }, func(adapter.QueueEvent) {}) }()
	<-ready
	must("pause", q.SetPaused(ctx, "q", true))
	_, err = q.Enqueue(ctx, append(jobs, jobs[0])...)
	must("enqueue", err)
	must("resume", q.SetPaused(ctx, "q", false))
	var done atomic.Int64
	consuming, end := context.WithCancel(ctx)
	consumed := make(chan error, 1)
	verdicts := []adapter.Verdict{adapter.Complete, adapter.Fail, adapter.Retry, adapter.Release, adapter.Discard}
	go func() {
		consumed <- q.Consume(consuming, "q", adapter.ConsumeOptions{Concurrency: func() int { return 4 }},
			func(ctx context.Context, d *adapter.Delivery) {
				n := done.Add(1)
				_ = q.Annotate(ctx, "q", d.ID, d.Receipt, json.RawMessage(`1`), "line") // seen below
				s := adapter.Settlement{Queue: "q", ID: d.ID, Receipt: d.Receipt, Delay: time.Duration(n%2) * time.Millisecond}
				if d.Delivery == 1 {
					s.Verdict = verdicts[int(n)%len(verdicts)]
				}
				q.Settle(ctx, s)
			})
	}()
	deadline := time.Now().Add(20 * time.Second)
	for {
		stats, err := q.Stats(ctx)
		must("stats", err)
		c := stats[0].Counts
		if c[adapter.JobWaiting]+c[adapter.JobActive] == 0 && c[adapter.JobDelayed] == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not done: %v", c)
		}
		<-time.After(10 * time.Millisecond)
	}
	end()
	must("consume", <-consumed)
	stop()
	must("watch", <-watched)
	_, err = q.Lookup(ctx, "q", jobs[0].ID, jobs[7].ID)
	must("lookup", err)
	_, err = q.List(ctx, "q", adapter.JobQuery{})
	must("list", err)
	_, _, err = q.JobLog(ctx, "q", jobs[0].ID, 0, 10)
	must("log", err)
	for _, a := range []adapter.JobAction{adapter.ActionRetry, adapter.ActionPromote, adapter.ActionRemove, adapter.ActionCancel} {
		_, err = q.Apply(ctx, "q", a, adapter.Selection{Query: &adapter.JobQuery{}})
		must(string(a), err)
	}
}

// commandNames returns the commands of INFO commandstats, those of servers and tests aside.
func commandNames(stats string) []string {
	var names []string
	for line := range strings.Lines(stats) {
		rest, ok := strings.CutPrefix(line, "cmdstat_")
		name, _, found := strings.Cut(rest, ":")
		if ok && found {
			names = append(names, name)
		}
	}
	return names
}
