package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// Scenario 1: Go adds, Node works.
func TestGoAddsNodeWorks(t *testing.T) {
	each(t, func(t *testing.T, b *both) {
		b.n.call("listen", args{"queue": b.name})
		jobs := b.jobs(1000)
		b.enqueue(jobs[:500]...)
		for i := 500; i < 1000; i += 50 {
			b.enqueue(jobs[i : i+50]...)
		}
		b.n.call("worker", args{"queue": b.name, "opts": args{"concurrency": 1}})
		until(t, "all jobs are done", func() bool { return len(b.n.seen("processed")) >= 1000 && b.counts()["completed"] == 1000 })
		for i, e := range b.n.seen("processed") {
			if e.ID != jobs[i].ID || string(e.Data) != fmt.Sprintf(`{"i":%d}`, i) {
				t.Fatalf("run %d is job %s with %s, want %s", i, e.ID, e.Data, jobs[i].ID)
			}
		}
		until(t, "events of the last job are seen", func() bool {
			return slices.Equal(b.n.names(jobs[999].ID), []string{"added", "waiting", "active", "completed"})
		})
		b.clean()
	})
}

// Scenario 2: Node adds, Go works.
func TestNodeAddsGoWorks(t *testing.T) {
	each(t, func(t *testing.T, b *both) {
		b.n.call("listen", args{"queue": b.name})
		var list []args
		for i := range 1000 {
			list = append(list, args{"name": "node", "data": args{"i": i, "result": args{"n": i}}, "opts": args{}})
		}
		var ids []string
		if err := json.Unmarshal(b.n.call("addBulk", args{"queue": b.name, "jobs": list}), &ids); err != nil {
			t.Fatal(err)
		}
		waiting := b.n.start("wait", args{"queue": b.name, "job": ids[999]})
		var r runs
		b.goWorker(b.q, 10, &r)
		result, err := waiting()
		if err != nil || string(result) != `{"n":999}` {
			t.Errorf("waitUntilFinished: %s, %v", result, err)
		}
		until(t, "all jobs are completed", func() bool { return b.counts()["completed"] == 1000 })
		for field, want := range map[string]string{"pb": "gopher", "ats": "1", "atm": "1", "returnvalue": `{"n":0}`} {
			if got := b.field(ids[0], field); got != want {
				t.Errorf("%s is %q, want %q", field, got, want)
			}
		}
		var workers []struct{ Name string }
		if err := json.Unmarshal(b.n.call("workers", args{"queue": b.name}), &workers); err != nil || len(workers) != 1 {
			t.Errorf("getWorkers: %v, %v, want the one in Go", workers, err)
		}
		if n := len(r.all()); n != 1000 {
			t.Errorf("%d runs, want 1000", n)
		}
		b.clean()
	})
}

// Scenario 3: workers and producers of both kinds on one queue.
func TestMixedFleet(t *testing.T) {
	each(t, func(t *testing.T, b *both) {
		total := 20_000
		if testing.Short() {
			total = 2000
		}
		var r runs
		for range 3 {
			b.goWorker(b.open(), 10, &r)
		}
		for i := range 3 {
			b.n.call("worker", args{"queue": b.name, "key": fmt.Sprint(i), "opts": args{"concurrency": 10}})
		}
		const each = 500
		for from := 0; from < total; from += 2 * each {
			var list []args
			for i := range each {
				list = append(list, args{"name": "node", "data": args{"i": i}, "opts": args{"jobId": uuid()}})
			}
			answer := b.n.start("addBulk", args{"queue": b.name, "jobs": list})
			b.enqueue(b.jobs(each)...)
			if _, err := answer(); err != nil {
				t.Fatal(err)
			}
		}
		until(t, "all jobs are completed", func() bool { return b.counts()["completed"] == total })
		times := map[string]int{}
		for _, j := range r.all() {
			times[j.ID]++
		}
		inGo := len(times)
		for _, e := range b.n.seen("processed") {
			times[e.ID]++
		}
		for id, n := range times {
			if n != 1 {
				t.Errorf("job %s ran %d times", id, n)
			}
		}
		if len(times) != total || inGo == 0 || inGo == total {
			t.Errorf("%d of %d jobs ran, %d of them in Go", len(times), total, inGo)
		}
		b.clean()
	})
}

// Scenario 4: attempts in both runtimes count together.
func TestRetriesAcrossRuntimes(t *testing.T) {
	each(t, func(t *testing.T, b *both) {
		b.n.call("listen", args{"queue": b.name})
		j := b.job(`{"fail":9}`)
		j.Attempts, j.Backoff = 4, adapter.Backoff{Kind: adapter.BackoffExponential, Base: 100 * time.Millisecond}
		b.enqueue(j)
		var r runs
		stop := b.goWorker(b.q, 1, &r)
		until(t, "the first attempt has failed", func() bool { return b.field(j.ID, "atm") == "1" })
		stop()
		b.n.call("worker", args{"queue": b.name})
		until(t, "the second attempt has failed", func() bool { return b.field(j.ID, "atm") == "2" })
		b.n.call("closeWorker", args{"key": b.name})
		b.goWorker(b.q, 1, &r)
		until(t, "the job has failed", func() bool { return b.counts()["failed"] == 1 })
		until(t, "the end is an event", func() bool { return slices.Contains(b.n.names(j.ID), "retries-exhausted") })
		var stack []string
		if err := json.Unmarshal([]byte(b.field(j.ID, "stacktrace")), &stack); err != nil || len(stack) != 4 {
			t.Errorf("stacktrace has %d entries (%v), want 4", len(stack), err)
		}
		if atm := b.field(j.ID, "atm"); atm != "4" {
			t.Errorf("atm is %s, want 4", atm)
		}
		b.clean()
	})
}

// Scenario 5: what must not be retried is not.
func TestUnrecoverable(t *testing.T) {
	each(t, func(t *testing.T, b *both) {
		var id string
		if err := json.Unmarshal(b.n.call("add", args{"queue": b.name, "name": "n", "data": args{"unrecoverable": true},
			"opts": args{"attempts": 5, "backoff": args{"type": "mine"}}}), &id); err != nil {
			t.Fatal(err)
		}
		var r runs
		b.goWorker(b.q, 1, &r)
		until(t, "the job has failed", func() bool { return b.counts()["failed"] == 1 })
		if got := r.all()[0]; got.Backoff.Kind != "mine" || got.Attempts != 5 {
			t.Errorf("a foreign back-off arrives as %+v of %d attempts", got.Backoff, got.Attempts)
		}
	})
}

// Scenario 6: delays from either side, for an idle worker of the other.
func TestDelays(t *testing.T) {
	each(t, func(t *testing.T, b *both) {
		b.n.call("worker", args{"queue": b.name, "opts": args{"concurrency": 50}})
		var jobs []adapter.NewJob
		due := time.Now().Add(700 * time.Millisecond)
		for range 10 {
			j := b.job(`{}`)
			j.RunAt = due
			jobs = append(jobs, j)
		}
		b.enqueue(jobs...)
		until(t, "all delayed jobs ran in Node", func() bool { return len(b.n.seen("processed")) == 10 })
		if late := time.Since(due); late < 0 || late > 3*time.Second {
			t.Errorf("jobs ran %v after they were due", late)
		}
		for i, e := range b.n.seen("processed") {
			if e.ID != jobs[i].ID {
				t.Fatalf("jobs that are due together run out of order")
			}
		}
		b.n.call("closeWorker", args{"key": b.name})
		var r runs
		b.goWorker(b.q, 10, &r)
		start := time.Now()
		b.n.call("add", args{"queue": b.name, "name": "n", "data": args{}, "opts": args{"delay": 400}})
		until(t, "the delayed job ran in Go", func() bool { return len(r.all()) == 1 })
		if took := time.Since(start); took < 350*time.Millisecond || took > 3*time.Second {
			t.Errorf("a job with a delay of 400 ms ran after %v", took)
		}
		b.clean()
	})
}

// Scenario 8: priorities from both sides, in both kinds of workers.
func TestPriorities(t *testing.T) {
	each(t, func(t *testing.T, b *both) {
		b.n.call("pause", args{"queue": b.name})
		var want []string
		byPriority := map[int][]string{}
		for range 3 {
			for _, p := range []int{5, 0, 2097151, 1} {
				id := uuid()
				b.n.call("add", args{"queue": b.name, "name": "n", "data": args{}, "opts": args{"priority": p, "jobId": id}})
				j := b.job(`{}`)
				j.Priority = -p
				b.enqueue(j)
				byPriority[p] = append(byPriority[p], id, j.ID)
			}
		}
		for _, p := range []int{0, 1, 5, 2097151} {
			want = append(want, byPriority[p]...)
		}
		if err := b.q.SetPaused(t.Context(), b.name, false); err != nil {
			t.Fatal(err)
		}
		var r runs
		stop := b.goWorker(b.q, 1, &r)
		until(t, "half of them ran in Go", func() bool { return len(r.all()) >= 12 })
		stop()
		b.n.call("worker", args{"queue": b.name})
		until(t, "all ran", func() bool { return b.counts()["completed"] == 24 })
		var got []string
		for _, j := range r.all() {
			got = append(got, j.ID)
		}
		for _, e := range b.n.seen("processed") {
			got = append(got, e.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("order\n%v, want\n%v", got, want)
		}
		b.clean()
	})
}

// Scenario 10 and 11: jobs of the dead, either way round, and a late settlement.
func TestCrashes(t *testing.T) {
	each(t, func(t *testing.T, b *both) {
		// A worker in Node dies.
		j := b.job(`{"hang":true}`)
		j.Redeliver, j.Lease = 1, 0
		b.enqueue(j)
		dead := startNode(t, "6", b.url, b.prefix)
		dead.call("worker", args{"queue": b.name, "opts": args{"lockDuration": 1000, "stalledInterval": 300000}})
		until(t, "the job runs in Node", func() bool { return len(dead.seen("processed")) == 1 })
		dead.kill()
		var r runs
		stop := b.goWorker(b.q, 1, &r)
		until(t, "the job of the dead runs in Go", func() bool { return len(r.all()) == 1 && b.counts()["completed"] == 1 })
		if stc := b.field(j.ID, "stc"); stc != "1" {
			t.Errorf("stc is %q, want 1", stc)
		}
		stop()

		// A consumer in Go is cut off; Node takes over, and Go's late verdict changes nothing.
		q := b.open()
		late := make(chan *adapter.Delivery, 1)
		hold := make(chan struct{})
		letGo := sync.OnceFunc(func() { close(hold) })
		defer letGo()
		b.consume(q, b.name, 1, func(_ context.Context, d *adapter.Delivery) {
			late <- d
			<-hold
		})
		k := b.job(`{}`)
		k.Lease, k.Redeliver = time.Hour, 1
		b.enqueue(k)
		d := <-late
		if err := b.client.Do(t.Context(), b.client.B().Del().Key(b.key(k.ID+":lock")).Build()).Error(); err != nil {
			t.Fatal(err)
		}
		b.n.call("worker", args{"queue": b.name, "opts": args{"stalledInterval": 200}})
		until(t, "Node has run it", func() bool { return b.counts()["completed"] == 2 })
		if err := settle(t.Context(), q, d, adapter.Settlement{Verdict: adapter.Complete, Result: json.RawMessage(`"late"`)}); err == nil {
			t.Error("a verdict after the lock was lost is accepted")
		}
		if got := b.field(k.ID, "returnvalue"); got != `{"by":"node"}` {
			t.Errorf("returnvalue is %s, want Node's", got)
		}
		letGo()
		b.clean()
	})
}
