package file

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// jobOptions is what a job was enqueued with and is not found by. Most jobs of a program share a few of them.
type jobOptions struct {
	Attempts  int              `json:"attempts,omitempty"`
	Backoff   *adapter.Backoff `json:"backoff,omitempty"`
	Redeliver int              `json:"redeliver,omitempty"`
	Lease     time.Duration    `json:"lease,omitempty"` // nanoseconds, as all durations here
	Timeout   time.Duration    `json:"timeout,omitempty"`
	Keep      *adapter.Keep    `json:"keep,omitempty"`
	RunAt     int64            `json:"runAt,omitempty"` // microseconds, and what is below them
	RunAtNano int64            `json:"runAtNano,omitempty"`
}

func optionsOf(j *adapter.NewJob) jobOptions {
	o := jobOptions{Attempts: j.Attempts, Redeliver: j.Redeliver, Lease: j.Lease, Timeout: j.Timeout}
	if j.Backoff != (adapter.Backoff{}) {
		o.Backoff = &j.Backoff
	}
	if j.Keep != (adapter.Keep{}) {
		o.Keep = &j.Keep
	}
	if !j.RunAt.IsZero() {
		o.RunAt, o.RunAtNano = j.RunAt.UnixMicro(), int64(j.RunAt.Nanosecond()%1000)
	}
	return o
}

func (o *jobOptions) fill(j *adapter.NewJob) {
	j.Attempts, j.Redeliver, j.Lease, j.Timeout = o.Attempts, o.Redeliver, o.Lease, o.Timeout
	if o.Backoff != nil {
		j.Backoff = *o.Backoff
	}
	if o.Keep != nil {
		j.Keep = *o.Keep
	}
	if o.RunAt != 0 {
		j.RunAt = time.UnixMicro(o.RunAt).Add(time.Duration(o.RunAtNano))
	}
}

// lease is how long a silent consumer keeps the job.
func (o *jobOptions) lease(of *Options) time.Duration {
	if o.Lease > 0 {
		return o.Lease
	}
	return of.DefaultLease
}

// keep returns how long the finished job is kept, and how many of its state are. Either may be negative: not at all.
func (o *jobOptions) keep(state int, of *Options) (time.Duration, int) {
	var k adapter.Keep
	if o.Keep != nil {
		k = *o.Keep
	}
	age, count, fallback := k.Completed, of.KeepCompletedCount, of.KeepCompleted
	if state == failed {
		age, count, fallback = k.Failed, of.KeepFailedCount, of.KeepFailed
	}
	if age == 0 {
		age = fallback
	}
	if k.Count != 0 {
		count = k.Count
	}
	return age, count
}

// optionCache keeps the options that were decoded or encoded last: there are few different ones.
type optionCache struct {
	mu      sync.RWMutex
	decoded map[string]*jobOptions
}

const maxCachedOptions = 256

func (c *optionCache) decode(text string) (*jobOptions, error) {
	c.mu.RLock()
	o := c.decoded[text]
	c.mu.RUnlock()
	if o != nil {
		return o, nil
	}
	o = &jobOptions{}
	if text != "" {
		if err := json.Unmarshal([]byte(text), o); err != nil {
			return nil, fmt.Errorf("%w: options of a job: %w", ErrCorrupt, err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.decoded) >= maxCachedOptions || c.decoded == nil {
		c.decoded = map[string]*jobOptions{}
	}
	c.decoded[text] = o
	return o, nil
}

// encodeMap returns a map as JSON; nil for an empty one.
func encodeMap(m map[string]string) (json.RawMessage, error) {
	if len(m) == 0 {
		return nil, nil
	}
	return json.Marshal(m)
}

func decodeMap(raw json.RawMessage) (m map[string]string, err error) {
	if raw == nil {
		return nil, nil
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return m, nil
}
