package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/nvent-go/nvent/adapter"
)

// Scenario 9: whoever pauses and adds, a resume in Go loses nothing.
func TestPauseMatrix(t *testing.T) {
	each(t, func(t *testing.T, b *both) {
		for _, inGo := range []bool{true, false} {
			b.n.call("add", args{"queue": b.name, "name": "n", "data": args{}, "opts": args{}})
			b.enqueue(b.job(`{}`))
			if inGo {
				if err := b.q.SetPaused(t.Context(), b.name, true); err != nil {
					t.Fatal(err)
				}
			} else {
				b.n.call("pause", args{"queue": b.name})
			}
			if paused := string(b.n.call("isPaused", args{"queue": b.name})); paused != "true" {
				t.Errorf("isPaused is %s", paused)
			}
			b.n.call("add", args{"queue": b.name, "name": "n", "data": args{}, "opts": args{}})
			b.enqueue(b.job(`{}`))
			c := b.counts()
			if n := c["waiting"] + c["paused"]; n != 4 {
				t.Errorf("paused in Go %v: bullmq sees %d jobs of 4: %v", inGo, n, c)
			}
			if err := b.q.SetPaused(t.Context(), b.name, false); err != nil {
				t.Fatal(err)
			}
			var r runs
			stop := b.goWorker(b.q, 1, &r)
			until(t, "all jobs ran", func() bool { return len(r.all()) == 4 })
			stop()
		}
		b.clean()
	})
}

// Scenario 14: families of jobs, with each policy for children that fail.
func TestFlows(t *testing.T) {
	each(t, func(t *testing.T, b *both) {
		leaf := func(name string, data, opts args) args {
			return args{"name": name, "queueName": "leaves", "data": data, "opts": opts}
		}
		// Go runs the leaves and the parent; Node reads what became of them.
		var r runs
		leaves := *b
		leaves.name = "leaves"
		leaves.goWorker(b.q, 3, &r)
		b.goWorker(b.q, 1, &r)
		for _, c := range []struct {
			policy string
			state  string
		}{{"", "waiting-children"}, {"failParentOnFailure", "failed"}, {"continueParentOnFailure", "completed"},
			{"ignoreDependencyOnFailure", "completed"}, {"removeDependencyOnFailure", "completed"}} {
			opts := args{"jobId": uuid(), "removeOnComplete": true}
			bad := args{"jobId": uuid()}
			if c.policy != "" {
				bad[c.policy] = true
			}
			var id string
			flow := args{"name": "parent", "queueName": b.name, "data": args{"result": "done"}, "opts": args{"jobId": uuid()},
				"children": []args{leaf("good", args{"result": 7}, opts), leaf("bad", args{"unrecoverable": true}, bad)}}
			if err := json.Unmarshal(b.n.call("flow", args{"flow": flow}), &id); err != nil {
				t.Fatal(err)
			}
			until(t, fmt.Sprintf("parent with policy %q is %s", c.policy, c.state), func() bool {
				var j struct{ State string }
				_ = json.Unmarshal(b.n.call("job", args{"queue": b.name, "job": id}), &j)
				return j.State == c.state
			})
			var values map[string]any
			if err := json.Unmarshal(b.n.call("childrenValues", args{"queue": b.name, "job": id}), &values); err != nil {
				t.Fatal(err)
			}
			good := fmt.Sprintf("%s:leaves:%s", b.prefix, opts["jobId"])
			if len(values) != 1 || values[good] != 7.0 {
				until(t, "the good child has reported", func() bool {
					_ = json.Unmarshal(b.n.call("childrenValues", args{"queue": b.name, "job": id}), &values)
					return values[good] == 7.0
				})
			}
			if c.state == "failed" {
				want := fmt.Sprintf("child %s:leaves:%s failed", b.prefix, bad["jobId"])
				if got := b.field(id, "failedReason"); got != want {
					t.Errorf("failedReason %q, want %q", got, want)
				}
			}
		}
	})
}

// Scenario 15: what Go writes never breaks bullmq's QueueEvents.
func TestEvents(t *testing.T) {
	each(t, func(t *testing.T, b *both) {
		b.n.call("listen", args{"queue": b.name})
		results := []json.RawMessage{nil, json.RawMessage(`"text"`), json.RawMessage(`{"a":[1,2]}`),
			json.RawMessage(fmt.Sprint(uint64(math.MaxUint64))), json.RawMessage(`"\ufffd\u0000"`)}
		jobs := b.jobs(len(results))
		b.enqueue(jobs...)
		b.consume(b.q, b.name, 1, func(ctx context.Context, d *adapter.Delivery) {
			i := slices.IndexFunc(jobs, func(j adapter.NewJob) bool { return j.ID == d.ID })
			if err := b.q.Annotate(ctx, b.name, d.ID, d.Receipt, json.RawMessage(`{"part":0.5}`), "a line"); err != nil {
				t.Error(err)
			}
			if err := settle(ctx, b.q, d, adapter.Settlement{Verdict: adapter.Complete, Result: results[i]}); err != nil {
				t.Error(err)
			}
		})
		for _, j := range jobs {
			until(t, "all events of a job are seen, in order", func() bool {
				return slices.Equal(b.n.names(j.ID), []string{"added", "waiting", "active", "progress", "completed"})
			})
		}
		until(t, "drained is seen", func() bool {
			return slices.ContainsFunc(b.n.seen("queueEvent"), func(e event) bool { return e.Name == "drained" })
		})
		for _, e := range b.n.seen("queueEvent") {
			if e.Name == "error" {
				t.Errorf("QueueEvents has an error: %s", e.Args)
			}
		}
		if logs := string(b.n.call("logs", args{"queue": b.name, "job": jobs[0].ID})); logs != `{"logs":["a line"],"count":1}` {
			t.Errorf("logs: %s", logs)
		}
	})
}

// Scenario 15: limits that Node sets hold for consumers in Go, and deduplication IDs are freed.
func TestLimitsAndDeduplication(t *testing.T) {
	each(t, func(t *testing.T, b *both) {
		b.n.call("setGlobalConcurrency", args{"queue": b.name, "n": 2})
		add := func() string {
			return string(b.n.call("add", args{"queue": b.name, "name": "n", "data": args{}, "opts": args{"deduplication": args{"id": "one"}}}))
		}
		first := add()
		if again := add(); again != first {
			t.Errorf("bullmq deduplicates %s to %s", again, first)
		}
		for range 9 {
			b.enqueue(b.job(`{"ms":30}`))
		}
		var running, most atomic.Int64
		var r runs
		b.consume(b.q, b.name, 8, func(ctx context.Context, d *adapter.Delivery) {
			now := running.Add(1)
			if now > most.Load() {
				most.Store(now)
			}
			r.add(d.Job)
			running.Add(-1)
			_ = settle(ctx, b.q, d, adapter.Settlement{Verdict: adapter.Complete})
		})
		until(t, "all jobs ran", func() bool { return b.counts()["completed"] == 10 })
		if most.Load() > 2 {
			t.Errorf("%d jobs ran at once with global concurrency 2", most.Load())
		}
		if next := add(); next == first {
			t.Error("the deduplication ID was not freed")
		}
	})
}
