package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// settleRequest is a verdict on its way.
type settleRequest struct {
	d       *delivery
	verdict adapter.Verdict
	payload string
	delay   time.Duration
	done    chan error // nil: nobody waits
}

var verdictLetters = map[adapter.Verdict]string{
	adapter.Complete: "c", adapter.Retry: "r", adapter.Fail: "f", adapter.Release: "l", adapter.Discard: "d",
}

// Settle ends deliveries. Verdicts that come at the same time go in one call, which also takes the next jobs. See
// [adapter.Queue].
func (q *Queue) Settle(ctx context.Context, s ...adapter.Settlement) []error {
	errs := make([]error, len(s))
	waits := make([]chan error, len(s))
	for i := range s {
		waits[i], errs[i] = q.settle(ctx, &s[i])
	}
	for i, done := range waits {
		if done == nil {
			continue
		}
		select {
		case errs[i] = <-done:
		case <-ctx.Done():
			errs[i] = conn.Error(ctx, "settle", ctx.Err())
		}
	}
	return errs
}

// settle hands a verdict to the consumer that has the delivery, or sends it at once.
func (q *Queue) settle(ctx context.Context, s *adapter.Settlement) (chan error, error) {
	const op = "settle"
	if q.closed() {
		return nil, conn.Closed(op)
	}
	if ctx.Err() != nil {
		return nil, conn.Error(ctx, op, ctx.Err())
	}
	if verdictLetters[s.Verdict] == "" {
		return nil, conn.Invalid(op, fmt.Sprintf("verdict %d", s.Verdict), "use one of the Verdict constants")
	}
	r := &settleRequest{verdict: s.Verdict, delay: s.Delay, payload: payload(s)}
	q.mu.Lock()
	d := q.held[deliveryKey{s.Queue, s.ID, s.Receipt}]
	q.mu.Unlock()
	if d == nil {
		return nil, q.settleStray(ctx, s, r)
	}
	r.d, r.done = d, make(chan error, 1)
	limit := d.c.askLimit()
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	if d.settled {
		return nil, leaseLost(s.Queue, s.ID)
	}
	d.c.most = limit
	d.c.settle(r)
	d.c.pump()
	return r.done, nil
}

func payload(s *adapter.Settlement) string {
	switch s.Verdict {
	case adapter.Complete:
		return result(s.Result)
	case adapter.Retry, adapter.Fail:
		return s.Err
	}
	return ""
}

func leaseLost(queue, id string) error {
	return &adapter.Error{Op: "settle", Adapter: conn.Name, Err: fmt.Errorf("%w: job %s of queue %q", adapter.ErrLeaseLost, id, queue)}
}

// settleStray settles a delivery that no consumer of this instance has: most likely its lease is lost.
func (q *Queue) settleStray(ctx context.Context, s *adapter.Settlement, r *settleRequest) error {
	base, err := q.base("settle", s.Queue)
	if err != nil {
		return err
	}
	found, err := q.client.Do(ctx, q.client.B().Hmget().Key(base+s.ID).Field("opts", "atm", "attemptsMade").Build()).ToArray()
	if err != nil {
		return conn.Error(ctx, "settle", err)
	}
	h := hash{"opts": text(found[0]), "atm": text(found[1]), "attemptsMade": text(found[2])}
	job, o := h.job(s.Queue, s.ID)
	r.d = &delivery{d: adapter.Delivery{Job: job, Receipt: s.Receipt}, slow: true, keep: [2]rule{
		keepRule(o.RemoveOnComplete, q.o.KeepCompleted, q.o.KeepCompletedCount),
		keepRule(o.RemoveOnFail, q.o.KeepFailed, q.o.KeepFailedCount)}}
	args := append([]string{"", "", "0", "0", "1"}, r.args()...)
	reply, err := q.run(ctx, "settle", workScript, base, args...)
	if err != nil {
		return err
	}
	parts, err := reply.ToArray()
	if err != nil || len(parts) == 0 {
		return conn.Error(ctx, "settle", errors.Join(errors.New("malformed reply"), err))
	}
	codes, err := parts[0].AsIntSlice()
	if err != nil || len(codes) != 1 {
		return conn.Error(ctx, "settle", errors.Join(errors.New("malformed reply"), err))
	}
	return codeError(codes[0], s.Queue, s.ID)
}

// args are the arguments of work.lua for a verdict.
func (r *settleRequest) args() []string {
	d := &r.d.d
	k := r.d.keep[0]
	if r.verdict == adapter.Fail {
		k = r.d.keep[1]
	}
	slow := "0"
	if r.d.slow {
		slow = "1"
	}
	delay := max(0, r.delay.Milliseconds())
	if r.delay > 0 && delay == 0 {
		delay = 1
	}
	return []string{d.ID, d.Receipt, verdictLetters[r.verdict], r.payload, strconv.FormatInt(delay, 10),
		strconv.FormatInt(k.age, 10), strconv.FormatInt(k.count, 10), strconv.Itoa(d.Attempt), slow}
}

// codeError translates a code of work.lua.
func codeError(code int64, queue, id string) error {
	switch code {
	case 0:
		return nil
	case -4:
		return &adapter.Error{Op: "settle", Adapter: conn.Name, Err: fmt.Errorf("%w: job %s has children that are not done", adapter.ErrInvalid, id)}
	case -9:
		return &adapter.Error{Op: "settle", Adapter: conn.Name, Err: fmt.Errorf("%w: job %s has children that have failed", adapter.ErrInvalid, id)}
	}
	return leaseLost(queue, id)
}
