package interop_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
	"github.com/nvent-go/nvent/adapters/redis/queue"
)

// both is a queue that Go and a version of bullmq share.
type both struct {
	t      *testing.T
	url    string
	prefix string
	name   string
	client rueidis.Client
	q      *queue.Queue
	n      *node
}

// each runs a test with every version of bullmq.
func each(t *testing.T, test func(t *testing.T, b *both)) {
	t.Helper()
	t.Parallel()
	for _, v := range versions {
		t.Run("bullmq"+v, func(t *testing.T) {
			t.Parallel()
			test(t, newBoth(t, v, redistest.URL(t)))
		})
	}
}

func newBoth(t *testing.T, version, url string) *both {
	t.Helper()
	b := &both{t: t, url: url, prefix: "it" + strings.ToLower(rand.Text()[:10]), name: "work"}
	b.n = startNode(t, version, b.url, b.prefix)
	b.client = redistest.Client(t, b.url)
	b.q = b.open()
	return b
}

// open opens one more queue in Go.
func (b *both) open() *queue.Queue {
	b.t.Helper()
	q, err := queue.Open(b.t.Context(), redistest.Client(b.t, b.url), queue.Options{Prefix: b.prefix, KeepCompletedCount: 1_000_000,
		KeepFailedCount: 1_000_000})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { q.Close() })
	return q
}

func (b *both) key(suffix string) string { return b.prefix + ":" + b.name + ":" + suffix }

// job returns a plain job.
func (b *both) job(data string) adapter.NewJob {
	return adapter.NewJob{ID: uuid(), Queue: b.name, Name: "go", Data: json.RawMessage(data), Attempts: 1}
}

func (b *both) jobs(n int) []adapter.NewJob {
	jobs := make([]adapter.NewJob, n)
	for i := range jobs {
		jobs[i] = b.job(fmt.Sprintf(`{"i":%d}`, i))
	}
	return jobs
}

func (b *both) enqueue(jobs ...adapter.NewJob) {
	b.t.Helper()
	if _, err := b.q.Enqueue(b.t.Context(), jobs...); err != nil {
		b.t.Fatal(err)
	}
}

func uuid() string {
	var r [16]byte
	rand.Read(r[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", r[:4], r[4:6], r[6:8], r[8:10], r[10:])
}

// runs are the deliveries that a consumer in Go has had.
type runs struct {
	mu   sync.Mutex
	list []adapter.Job
}

func (r *runs) add(j adapter.Job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, j)
}

func (r *runs) all() []adapter.Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]adapter.Job(nil), r.list...)
}

// settle ends a delivery; a lost lease is left to who has it now.
func settle(ctx context.Context, q *queue.Queue, d *adapter.Delivery, s adapter.Settlement) error {
	s.Queue, s.ID, s.Receipt = d.Queue, d.ID, d.Receipt
	return q.Settle(ctx, s)[0]
}

// goWorker runs a consumer in Go that does what the data says, as the driver's does. Its stop function waits for it.
func (b *both) goWorker(q *queue.Queue, concurrency int, r *runs) (stop func()) {
	b.t.Helper()
	return b.consume(q, b.name, concurrency, func(ctx context.Context, d *adapter.Delivery) {
		r.add(d.Job)
		var data struct {
			Fail          int             `json:"fail"`
			Unrecoverable bool            `json:"unrecoverable"`
			MS            int             `json:"ms"`
			Result        json.RawMessage `json:"result"`
		}
		_ = json.Unmarshal(d.Data, &data) // no data is fine
		if data.MS > 0 {
			select {
			case <-time.After(time.Duration(data.MS) * time.Millisecond):
			case <-ctx.Done():
			}
		}
		s := adapter.Settlement{Verdict: adapter.Complete, Result: data.Result}
		switch attempt := d.Attempt + 1; {
		case data.Unrecoverable:
			s = adapter.Settlement{Verdict: adapter.Fail, Err: "for good"}
		case data.Fail >= attempt && attempt < d.Attempts:
			s = adapter.Settlement{Verdict: adapter.Retry, Err: fmt.Sprint("failure ", attempt), Delay: backoff(d.Backoff, attempt)}
		case data.Fail >= attempt:
			s = adapter.Settlement{Verdict: adapter.Fail, Err: fmt.Sprint("failure ", attempt)}
		case data.Result == nil:
			s.Result = json.RawMessage(`{"by":"go"}`)
		}
		_ = settle(ctx, q, d, s) // the test sees what became of the job
	})
}

func backoff(b adapter.Backoff, attempt int) time.Duration {
	if b.Kind == adapter.BackoffExponential {
		return b.Base << (attempt - 1)
	}
	return b.Base
}

func (b *both) consume(q *queue.Queue, name string, concurrency int, h func(context.Context, *adapter.Delivery)) (stop func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.t.Context()))
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- q.Consume(ctx, name, adapter.ConsumeOptions{Consumer: "gopher", Concurrency: func() int { return concurrency },
			Ready: func() { close(ready) }}, h)
	}()
	select {
	case <-ready:
	case err := <-done:
		b.t.Fatalf("consume: %v", err)
	}
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, adapter.ErrClosed) {
			b.t.Error(err)
		}
	})
	b.t.Cleanup(stop)
	return stop
}

// counts are bullmq's counts.
func (b *both) counts() map[string]int {
	b.t.Helper()
	var c map[string]int
	if err := json.Unmarshal(b.n.call("counts", args{"queue": b.name}), &c); err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *both) field(job, field string) string {
	b.t.Helper()
	s, err := b.client.Do(b.t.Context(), b.client.B().Hget().Key(b.key(job)).Field(field).Build()).ToString()
	if err != nil && !rueidis.IsRedisNil(err) {
		b.t.Fatal(err)
	}
	return s
}

// clean fails unless nothing is left in between: no job in process, no lock.
func (b *both) clean() {
	b.t.Helper()
	for _, suffix := range []string{"active", "wait", "stalled", "prioritized", "delayed", "paused"} {
		n, err := b.client.Do(b.t.Context(), b.client.B().Exists().Key(b.key(suffix)).Build()).AsInt64()
		if err != nil || n != 0 {
			b.t.Errorf("%s is not empty at the end (%v)", suffix, err)
		}
	}
	locks, err := b.client.Do(b.t.Context(), b.client.B().Keys().Pattern(b.key("*:lock")).Build()).AsStrSlice()
	if err != nil || len(locks) > 0 {
		b.t.Errorf("locks are left: %v %v", locks, err)
	}
}
