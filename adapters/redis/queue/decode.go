package queue

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
)

// The fields of a job's hash, in the order in which work.lua replies them.
var takenFields = []string{"name", "data", "opts", "timestamp", "delay", "priority", "atm", "attemptsMade", "ats", "stc", "defa",
	"rjk", "parentKey", "deid", "failedReason", "nx", "progress", "id"}

// hash is the hash of a job.
type hash map[string]string

func (h hash) int(field string) int64 {
	n, _ := strconv.ParseInt(h[field], 10, 64) // what is no number counts as 0, as in BullMQ
	return n
}

func (h hash) time(field string) time.Time {
	if n := h.int(field); n > 0 {
		return time.UnixMilli(n)
	}
	return time.Time{}
}

// redeliverDefault is how often a job that does not say so may be delivered again: BullMQ's maxStalledCount.
const redeliverDefault = 1

// job translates a hash. What a foreign producer has left out has the value that BullMQ would give it.
func (h hash) job(queue, id string) (adapter.Job, jobOptions) {
	var o jobOptions
	_ = json.Unmarshal([]byte(h["opts"]), &o) // of a foreign job that is malformed, what can be read is taken
	j := adapter.Job{NewJob: adapter.NewJob{
		ID: id, Queue: queue, Name: h["name"], Data: value(h["data"]), Attempts: o.Attempts, Priority: -int(h.int("priority")),
		Backoff: decodeBackoff(o.Backoff), Redeliver: redeliverDefault, Lease: time.Duration(o.Lease) * time.Millisecond,
		Keep: decodeKeep(o.RemoveOnComplete, o.RemoveOnFail),
	}}
	if o.Redeliver != nil {
		j.Redeliver = *o.Redeliver
	}
	decodeExtra(h["nx"], &j.NewJob)
	j.Attempt = int(h.int("atm"))
	if made, ok := h["attemptsMade"]; ok && made != "" {
		j.Attempt = int(h.int("attemptsMade"))
	}
	j.Delivery = int(h.int("ats"))
	j.Error = h["failedReason"]
	j.Result = value(h["returnvalue"])
	j.Progress = value(h["progress"])
	j.CreatedAt, j.StartedAt, j.FinishedAt = h.time("timestamp"), h.time("processedOn"), h.time("finishedOn")
	return j, o
}

// value returns JSON, or nil where there is none.
func value(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}

func decodeBackoff(raw json.RawMessage) adapter.Backoff {
	if len(raw) == 0 {
		return adapter.Backoff{}
	}
	var ms float64
	if json.Unmarshal(raw, &ms) == nil {
		if ms <= 0 {
			return adapter.Backoff{}
		}
		return adapter.Backoff{Kind: adapter.BackoffFixed, Base: time.Duration(ms * float64(time.Millisecond))}
	}
	var b backoffOption
	if json.Unmarshal(raw, &b) != nil {
		return adapter.Backoff{}
	}
	return adapter.Backoff{Kind: b.Type, Base: time.Duration(b.Delay) * time.Millisecond, Max: time.Duration(b.Max) * time.Millisecond,
		Jitter: b.Jitter}
}

// states translates BullMQ's states.
var states = map[string]adapter.JobState{
	"waiting": adapter.JobWaiting, "prioritized": adapter.JobWaiting, "waiting-children": adapter.JobWaiting,
	"delayed": adapter.JobDelayed, "active": adapter.JobActive, "completed": adapter.JobCompleted, "failed": adapter.JobFailed,
}

// strings of a reply; a nil is an empty text.
func text(m rueidis.RedisMessage) string {
	s, _ := m.ToString() // nil is not an error here
	return s
}

// number of a reply.
func number(m rueidis.RedisMessage) int64 {
	if n, err := m.AsInt64(); err == nil {
		return n
	}
	return 0
}
