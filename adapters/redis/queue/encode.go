package queue

import (
	"encoding/json"
	"maps"
	"strconv"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// jobOptions is the part of BullMQ's opts that nvent writes, and reads of foreign jobs.
type jobOptions struct {
	Attempts         int             `json:"attempts"`
	Backoff          json.RawMessage `json:"backoff,omitempty"` // a number of ms, or an object
	Priority         int             `json:"priority,omitempty"`
	Delay            int64           `json:"delay,omitempty"`
	LIFO             bool            `json:"lifo,omitempty"`
	RemoveOnComplete json.RawMessage `json:"removeOnComplete,omitempty"` // bool, number, or object
	RemoveOnFail     json.RawMessage `json:"removeOnFail,omitempty"`
	// nvent's own, which BullMQ carries along. Within opts they cost a few bytes; as fields of the hash, some fifty each.
	Redeliver *int  `json:"nr,omitempty"`
	Lease     int64 `json:"nl,omitempty"` // ms
}

type backoffOption struct {
	Type   string  `json:"type"`
	Delay  int64   `json:"delay"`
	Jitter float64 `json:"jitter,omitempty"`
	Max    int64   `json:"max,omitempty"` // nvent's own; BullMQ passes it over
}

type keepOption struct {
	Age   *float64 `json:"age,omitempty"` // seconds
	Count *int     `json:"count,omitempty"`
}

// extra is what BullMQ has no place for. It is a hash field of its own, which Node ignores.
type extra struct {
	Timeout int64             `json:"t,omitempty"` // ms
	Headers map[string]string `json:"h,omitempty"`
	Labels  map[string]string `json:"l,omitempty"`
}

// argsPerJob is how many arguments of add.lua a job has.
const argsPerJob = 8

// appendJob appends the arguments of add.lua for a job.
func appendJob(args []string, j *adapter.NewJob, now time.Time, lifo bool) ([]string, error) {
	data := string(j.Data)
	if data == "" {
		data = "null"
	}
	o := jobOptions{Attempts: j.Attempts, Priority: -j.Priority, LIFO: lifo}
	if j.Redeliver != redeliverDefault {
		o.Redeliver = &j.Redeliver
	}
	if j.Lease > 0 {
		o.Lease = max(1, j.Lease.Milliseconds())
	}
	due := "0"
	if !j.RunAt.IsZero() {
		due = strconv.FormatInt(j.RunAt.UnixMilli(), 10)
		o.Delay = max(0, j.RunAt.Sub(now).Milliseconds())
	}
	var err error
	if b := j.Backoff; b.Kind != "" {
		if o.Backoff, err = json.Marshal(backoffOption{b.Kind, b.Base.Milliseconds(), b.Jitter, b.Max.Milliseconds()}); err != nil {
			return nil, err
		}
	}
	if o.RemoveOnComplete, err = encodeKeep(j.Keep.Completed, j.Keep.Count); err != nil {
		return nil, err
	}
	if o.RemoveOnFail, err = encodeKeep(j.Keep.Failed, j.Keep.Count); err != nil {
		return nil, err
	}
	opts, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	more := ""
	if x := (extra{j.Timeout.Milliseconds(), j.Headers, j.Labels}); x.Timeout != 0 || len(x.Headers) > 0 || len(x.Labels) > 0 {
		raw, err := json.Marshal(x)
		if err != nil {
			return nil, err
		}
		more = string(raw)
	}
	front := "0"
	if lifo {
		front = "1"
	}
	return append(args, j.ID, j.Name, data, string(opts), due, strconv.Itoa(-j.Priority), front, more), nil
}

func encodeKeep(age time.Duration, count int) (json.RawMessage, error) {
	if age < 0 || count < 0 {
		return json.RawMessage("true"), nil
	}
	if age == 0 && count == 0 {
		return nil, nil
	}
	var k keepOption
	if age > 0 {
		seconds := age.Seconds()
		k.Age = &seconds
	}
	if count > 0 {
		k.Count = &count
	}
	return json.Marshal(k)
}

// rule is how long, and how many, finished jobs are kept. -1 is without a bound, a count of 0 is none.
type rule struct{ age, count int64 } // age in ms

// keepRule reads removeOnComplete or removeOnFail. What it does not say is as the queue's options say.
func keepRule(raw json.RawMessage, age time.Duration, count int) rule {
	def := rule{age.Milliseconds(), int64(count)}
	if age < 0 || count < 0 {
		def = rule{-1, 0}
	}
	var k keepOption
	var n float64
	switch string(raw) {
	case "", "null":
		return def
	case "true":
		return rule{-1, 0}
	case "false":
		return rule{-1, -1}
	}
	if json.Unmarshal(raw, &n) == nil {
		return rule{-1, max(-1, int64(n))}
	}
	if json.Unmarshal(raw, &k) != nil {
		return def
	}
	if k.Age != nil {
		def = rule{int64(*k.Age * 1000), -1}
	}
	if k.Count != nil {
		if k.Age == nil && def.count == 0 {
			def.age = -1
		}
		def.count = int64(*k.Count)
	}
	return def
}

// decodeKeep is the reverse of encodeKeep.
func decodeKeep(complete, fail json.RawMessage) adapter.Keep {
	var k adapter.Keep
	k.Completed, k.Count = keepOf(complete)
	var count int
	k.Failed, count = keepOf(fail)
	k.Count = max(k.Count, count)
	return k
}

func keepOf(raw json.RawMessage) (age time.Duration, count int) {
	switch string(raw) {
	case "":
		return 0, 0
	case "true":
		return -1, 0
	}
	var k keepOption
	if json.Unmarshal(raw, &k) != nil {
		return 0, 0
	}
	if k.Age != nil {
		age = time.Duration(*k.Age * float64(time.Second))
	}
	if k.Count != nil {
		count = *k.Count
	}
	return age, count
}

// decodeExtra fills in what the extra field of a job's hash holds.
func decodeExtra(raw string, j *adapter.NewJob) {
	if raw == "" {
		return
	}
	var x extra
	if json.Unmarshal([]byte(raw), &x) != nil {
		return // written by somebody else; the job runs without it
	}
	j.Timeout = time.Duration(x.Timeout) * time.Millisecond
	j.Headers, j.Labels = maps.Clone(x.Headers), maps.Clone(x.Labels)
}
