package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// Settle ends deliveries. See [adapter.Queue].
func (in *Queue) Settle(ctx context.Context, s ...adapter.Settlement) []error {
	if err := in.usable(ctx, "settle"); err != nil {
		errs := make([]error, len(s))
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	errs := noErrors(len(s))
	shared := true
	for from := 0; from < len(s); {
		to := from + 1
		for to < len(s) && s[to].Queue == s[from].Queue {
			to++
		}
		q := in.b.queue(s[from].Queue, false)
		now := in.b.now()
		if q != nil {
			q.lock()
		}
		for i := from; i < to; i++ {
			err := q.settle(&s[i], now)
			if err == nil {
				continue
			}
			if shared {
				errs, shared = make([]error, len(s)), false
			}
			errs[i] = err
		}
		if q != nil {
			q.call()
			q.mu.Unlock()
		}
		from = to
	}
	return errs
}

var none [256]error

// noErrors returns n times nil. Callers only read what a driver returns, so the most frequent answer is made once.
func noErrors(n int) []error {
	if n <= len(none) {
		return none[:n:n]
	}
	return make([]error, n)
}

func (q *jobQueue) settle(s *adapter.Settlement, now time.Time) error {
	j := q.held(s.ID, s.Receipt)
	if j == nil {
		return fail("settle", fmt.Errorf("%w: job %s of queue %q", adapter.ErrLeaseLost, s.ID, s.Queue), "")
	}
	switch s.Verdict {
	case adapter.Complete:
		q.complete(j, s.Result, now)
	case adapter.Retry:
		q.retry(j, s.Err, s.Delay, now)
	case adapter.Fail:
		j.attempt++
		q.fail(j, s.Err, now)
	case adapter.Release:
		q.release(j, s.Delay, now)
	case adapter.Discard:
		q.leave(j)
		q.forget(j)
	default:
		return invalid("settle", fmt.Sprintf("verdict %d", s.Verdict), "use one of the Verdict constants")
	}
	return nil
}

// held returns the job that a receipt is the current one of, or nil.
func (q *jobQueue) held(id, receipt string) *job {
	if q == nil {
		return nil
	}
	if number, err := strconv.ParseUint(receipt, receiptBase, 64); err == nil {
		if d := *q.place(number); d != nil && d.d.Receipt == receipt && d.d.ID == id {
			return d.job
		}
	}
	j := q.jobs[id]
	if j == nil || j.held == nil || j.held.d.Receipt != receipt {
		return nil
	}
	return j
}

// Annotate notes progress and log lines of a running job. See [adapter.Annotator].
func (in *Queue) Annotate(ctx context.Context, queue, id, receipt string, progress json.RawMessage, lines ...string) error {
	if err := in.usable(ctx, "annotate"); err != nil {
		return err
	}
	q := in.b.queue(queue, false)
	if q != nil {
		q.mu.Lock()
		defer q.mu.Unlock()
	}
	j := q.held(id, receipt)
	if j == nil {
		return fail("annotate", fmt.Errorf("%w: job %s of queue %q", adapter.ErrLeaseLost, id, queue), "")
	}
	if j.annotation == nil {
		j.annotation = &annotation{}
	}
	a := j.annotation
	a.lines = append(a.lines, lines...)
	if over := len(a.lines) - in.b.o.JobLogLines; over > 0 {
		a.lines = a.lines[over:]
		a.dropped += over
	}
	if progress != nil {
		a.progress = progress
		q.event(adapter.EventProgress, j, in.b.now(), progress)
	}
	return nil
}

// JobLog returns log lines of a job. Offsets count from the first line ever; lines beyond Options.JobLogLines are gone, and
// reading goes on with the first that is kept. See [adapter.Annotator].
func (in *Queue) JobLog(ctx context.Context, queue, id string, offset, limit int) (lines []string, total int, err error) {
	if err := in.usable(ctx, "read job log"); err != nil {
		return nil, 0, err
	}
	if offset < 0 || limit < 0 {
		return nil, 0, invalid("read job log", fmt.Sprintf("offset %d, limit %d", offset, limit), "both must be 0 or more")
	}
	q := in.b.queue(queue, false)
	if q == nil {
		return nil, 0, nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	j := q.jobs[id]
	if j == nil || q.expired(j, in.b.now()) || j.annotation == nil {
		return nil, 0, nil
	}
	a := j.annotation
	total = a.dropped + len(a.lines)
	from := min(max(offset-a.dropped, 0), len(a.lines))
	return append(lines, a.lines[from:min(from+limit, len(a.lines))]...), total, nil
}
