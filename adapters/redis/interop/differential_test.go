package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
)

// sequences is how many random sequences the differential test runs with each version: NVENT_TEST_DIFFERENTIAL, or few enough
// for every run of the tests.
func sequences(t *testing.T) int {
	t.Helper()
	text := os.Getenv("NVENT_TEST_DIFFERENTIAL")
	if text == "" {
		return 250
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDifferential does the same random operations through npm bullmq and through nvent, on two queues, and compares all keys.
func TestDifferential(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		t.Run("bullmq"+v, func(t *testing.T) {
			t.Parallel()
			b := newBoth(t, v, redistest.URL(t))
			for seed := range sequences(t) {
				if !b.sequence(v, uint64(seed)) {
					return // one difference is enough to read
				}
			}
		})
	}
}

// twin is a pair of queues on which the same is done.
type twin struct {
	*both
	version      string
	node, golang string
	rand         *rand.Rand
	active       map[string]*taken
	all          []string
	log          []string
	jobs         map[string]added
}

// added is a job as both were told to add it.
type added struct {
	job   adapter.NewJob
	opts  args
	first bool
}

// taken is a delivery in Go that waits for its verdict.
type taken struct {
	d     *adapter.Delivery
	letGo func()
}

func (b *both) sequence(version string, seed uint64) bool {
	b.t.Helper()
	w := &twin{both: b, version: version, node: fmt.Sprintf("n%d", seed), golang: fmt.Sprintf("g%d", seed), rand: rand.New(rand.NewPCG(seed, 1)),
		active: map[string]*taken{}, jobs: map[string]added{}}
	// A program in Node says its version when it opens a queue; by it we know where version 5 keeps the jobs of a paused one.
	set := b.client.B().Hset().Key(b.prefix+":"+w.golang+":meta").FieldValue().FieldValue("version", "bullmq:"+version+".0.0").Build()
	if err := b.client.Do(b.t.Context(), set).Error(); err != nil {
		b.t.Fatal(err)
	}
	for range 5 + w.rand.IntN(15) {
		w.step()
	}
	same := w.compare(seed)
	for _, id := range slices.Collect(maps.Keys(w.active)) {
		w.active[id].letGo()
	}
	b.n.call("forget", args{"queue": w.node})
	return same
}

func (w *twin) compare(seed uint64) bool {
	w.t.Helper()
	node, golang := w.dump(w.node), w.dump(w.golang)
	keys := map[string]bool{}
	for k := range node {
		keys[k] = true
	}
	for k := range golang {
		keys[k] = true
	}
	same := true
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		want := strings.ReplaceAll(node[k], ":"+w.node+":", ":Q:")
		if got := strings.ReplaceAll(golang[k], ":"+w.golang+":", ":Q:"); got != want {
			same = false
			w.t.Errorf("seed %d, key %s:\n  bullmq %s\n  nvent  %s", seed, k, want, got)
		}
	}
	if !same {
		w.t.Logf("operations:\n  %s", strings.Join(w.log, "\n  "))
	}
	return same
}

func (w *twin) note(format string, a ...any) { w.log = append(w.log, fmt.Sprintf(format, a...)) }

// step does one operation on both.
func (w *twin) step() {
	w.t.Helper()
	switch w.rand.IntN(10) {
	case 0, 1, 2:
		w.add()
	case 3, 4:
		w.take()
	case 5, 6, 7:
		w.finish()
	case 8:
		w.apply()
	case 9:
		paused := w.rand.IntN(3) == 0
		w.note("paused %v", paused)
		op := map[bool]string{true: "pause", false: "resume"}[paused]
		w.n.call(op, args{"queue": w.node})
		if err := w.q.SetPaused(w.t.Context(), w.golang, paused); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *twin) add() {
	w.t.Helper()
	j := adapter.NewJob{ID: uuid(), Queue: w.golang, Name: "n", Data: json.RawMessage(`{"a/b":[1,{"c":"é"}]}`), Attempts: 1 + w.rand.IntN(3)}
	opts := args{"jobId": j.ID, "attempts": j.Attempts}
	first := false
	if len(w.all) > 0 && w.rand.IntN(8) == 0 { // a duplicate, or one that was not kept
		again := w.jobs[w.all[w.rand.IntN(len(w.all))]]
		j, opts, first = again.job, again.opts, again.first
	} else {
		switch w.rand.IntN(6) {
		case 0:
			p := 1 + w.rand.IntN(3)
			j.Priority, opts["priority"] = -p, p
		case 1:
			j.RunAt, opts["delay"] = time.Now().Add(time.Hour), 3_600_000
		case 2:
			first, opts["lifo"] = true, true
		case 3:
			j.Keep, opts["removeOnComplete"], opts["removeOnFail"] = adapter.Keep{Completed: -1, Failed: -1}, true, true
		case 4:
			j.Keep.Count = 1 + w.rand.IntN(3)
			opts["removeOnComplete"], opts["removeOnFail"] = args{"count": j.Keep.Count}, args{"count": j.Keep.Count}
		case 5:
			if w.rand.IntN(2) == 0 {
				j.Backoff = adapter.Backoff{Kind: adapter.BackoffFixed, Base: time.Hour}
				opts["backoff"] = args{"type": "fixed", "delay": 3_600_000}
			}
		}
		w.all = append(w.all, j.ID)
		w.jobs[j.ID] = added{j, opts, first}
	}
	w.note("add %s %v", j.ID, opts)
	w.n.call("add", args{"queue": w.node, "name": j.Name, "data": j.Data, "opts": opts})
	add := w.q.Enqueue
	if first {
		add = w.q.EnqueueFirst
	}
	if _, err := add(w.t.Context(), j); err != nil {
		w.t.Fatal(err)
	}
}

// take takes a job on both, if there is one.
func (w *twin) take() {
	w.t.Helper()
	s, err := w.q.Stats(w.t.Context(), w.golang)
	if err != nil {
		w.t.Fatal(err)
	}
	if s[0].Paused || s[0].Counts[adapter.JobWaiting] == 0 {
		return
	}
	var id string
	if err := json.Unmarshal(w.n.call("take", args{"queue": w.node, "token": "token"}), &id); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	got, hold, done := make(chan *adapter.Delivery, 1), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- w.q.Consume(ctx, w.golang, adapter.ConsumeOptions{Concurrency: func() int { return 1 }},
			func(_ context.Context, d *adapter.Delivery) {
				got <- d
				cancel()
				<-hold
			})
	}()
	select {
	case d := <-got:
		w.note("take %s", d.ID)
		if d.ID != id {
			w.t.Errorf("bullmq takes %s, nvent %s", id, d.ID)
		}
		w.active[d.ID] = &taken{d, func() {
			close(hold)
			if err := <-done; err != nil {
				w.t.Error(err)
			}
		}}
	case <-time.After(patience):
		cancel()
		w.t.Fatalf("nvent takes nothing, bullmq %s; operations:\n  %s", id, strings.Join(w.log, "\n  "))
	}
}

// finish ends a job on both.
func (w *twin) finish() {
	w.t.Helper()
	if len(w.active) == 0 {
		return
	}
	ids := slices.Sorted(maps.Keys(w.active))
	id := ids[w.rand.IntN(len(ids))]
	k := w.active[id]
	delete(w.active, id)
	s := adapter.Settlement{Verdict: adapter.Complete, Result: json.RawMessage(`{"r":[1,"x"]}`)}
	call := args{"job": id, "token": "token", "result": s.Result}
	if w.rand.IntN(3) == 0 {
		s = adapter.Settlement{Verdict: adapter.Fail, Err: "no luck"}
		if k.d.Attempt+1 < k.d.Attempts {
			s.Verdict, s.Delay = adapter.Retry, k.d.Backoff.Base
		}
		call = args{"job": id, "token": "token", "error": s.Err}
	}
	w.note("%s %s", s.Verdict, id)
	w.n.call("finish", call)
	if err := settle(w.t.Context(), w.q, k.d, s); err != nil {
		w.t.Error(err)
	}
	k.letGo()
	<-time.After(2 * time.Millisecond) // bullmq forgets the order of what finishes in the same millisecond
}

// apply does an action to a job that it applies to.
func (w *twin) apply() {
	w.t.Helper()
	if len(w.all) == 0 {
		return
	}
	id := w.all[w.rand.IntN(len(w.all))]
	jobs, err := w.q.Lookup(w.t.Context(), w.golang, id)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(jobs) == 0 {
		return
	}
	var action adapter.JobAction
	var op string
	switch jobs[0].State {
	case adapter.JobFailed:
		if w.version == "5" && jobs[0].Priority != 0 {
			return // bullmq 5 forgets the priority of a job that is retried by hand; 6 and nvent do not
		}
		action, op = adapter.ActionRetry, "retryAnew"
	case adapter.JobDelayed:
		action, op = adapter.ActionPromote, "promote"
	case adapter.JobActive:
		return
	default:
		action, op = adapter.ActionRemove, "remove"
	}
	if action == adapter.ActionRemove {
		delete(w.jobs, id)
		w.all = slices.DeleteFunc(w.all, func(s string) bool { return s == id })
	}
	w.note("%s %s", action, id)
	w.n.call(op, args{"queue": w.node, "job": id})
	n, err := w.q.Apply(w.t.Context(), w.golang, action, adapter.Selection{IDs: []string{id}})
	if err != nil || n != 1 {
		w.t.Errorf("%s: changed %d, %v", action, n, err)
	}
}
