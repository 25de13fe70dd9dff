package queue

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// outcome is the reply of work.lua.
type outcome struct {
	codes   []int64
	jobs    []rueidis.RedisMessage
	limited time.Duration
	next    time.Time
	now     int64
}

// call ends deliveries and takes jobs, in one call of the script.
func (c *consumer) call(settle []*settleRequest, take int) {
	token := c.q.newToken()
	sent := time.Now()
	out, err := c.send(settle, take, token)
	limit := c.askLimit()
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.arrived.Broadcast()
	c.most = limit
	c.calls--
	c.reserved -= take
	if err != nil {
		c.failed(settle, take, token, err)
		return
	}
	for i, r := range settle {
		c.resolve(r, codeError(out.codes[i], c.queue, r.d.d.ID))
	}
	c.next = out.next
	switch {
	case take == 0:
	case len(out.jobs) >= take:
		c.take = min(2*take, workBatch)
		c.hungry = true
	default:
		c.hungry = false
		if len(out.jobs) == 0 {
			c.take = firstTake
		}
	}
	if out.limited > 0 {
		c.until = sent.Add(out.limited)
		c.hungry = true
		c.lookAt(c.until)
	}
	for _, reply := range out.jobs {
		d, deferred := c.newDelivery(reply, token, sent, out.now)
		if d == nil {
			continue
		}
		c.q.hold(d)
		c.open++
		d.readyAt = sent
		switch {
		case deferred != "":
			c.fail(d, deferred)
		case c.stopping:
			c.giveBack(d)
		default:
			c.ready = append(c.ready, d)
			c.lookAt(minTime(d.due(), sent.Add(lingering)))
		}
	}
	c.pump()
}

func (c *consumer) send(settle []*settleRequest, take int, token string) (out outcome, err error) {
	args := make([]string, 0, 6+9*len(settle))
	args = append(args, token, c.o.Consumer, strconv.Itoa(take), strconv.FormatInt(c.q.o.DefaultLease.Milliseconds(), 10),
		strconv.Itoa(len(settle)))
	for _, r := range settle {
		args = append(args, r.args()...)
	}
	// Deliveries are handed back on Close too, so this does not ask whether the queue is closed.
	ctx := context.Background()
	parts, err := workScript.Exec(ctx, c.q.client, []string{c.base + "meta"}, append([]string{c.base}, args...)).ToArray()
	if err != nil {
		return out, conn.Error(ctx, "work", err)
	}
	if len(parts) != 5 {
		return out, conn.Error(ctx, "work", errors.New("malformed reply"))
	}
	if len(settle) > 0 {
		out.codes, err = parts[0].AsIntSlice()
	}
	if err == nil {
		out.jobs, err = parts[1].ToArray()
	}
	if err == nil && len(out.codes) != len(settle) {
		err = errors.New("malformed reply")
	}
	out.limited = time.Duration(number(parts[2])) * time.Millisecond
	if at := number(parts[3]); at > 0 {
		out.next = time.UnixMilli(at)
	}
	out.now = number(parts[4])
	return out, conn.Error(ctx, "work", err)
}

// resolve gives a verdict's answer to who waits for it. The mutex is held.
func (c *consumer) resolve(r *settleRequest, err error) {
	d := r.d
	if _, runs := c.running[d]; runs && err != nil && !errors.Is(err, adapter.ErrLeaseLost) {
		d.settled = false // it is still ours, as far as we know, and its handler may try again
		c.open++
	} else {
		c.q.drop(d)
	}
	if r.done != nil {
		r.done <- err
	}
}

// failed notes that a call has failed: verdicts and jobs may or may not have arrived. The mutex is held.
func (c *consumer) failed(settle []*settleRequest, take int, token string, err error) {
	for _, r := range settle {
		c.resolve(r, err)
	}
	if take > 0 {
		c.lost = append(c.lost, token)
		c.hungry = true
	}
	if !c.broken && !c.stopping {
		c.broken = true
		c.q.o.Logger.Warn("redis: a consumer has lost the server, and tries again", "queue", c.queue, "error", err)
		c.work.Go(c.repair)
	}
	c.pump()
}

// repair waits until the server answers again, and has it take back the jobs of lost replies.
func (c *consumer) repair() {
	from := time.Now()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		if !pause(c.halt, wait) {
			return
		}
		c.mu.Lock()
		lost := c.lost
		c.mu.Unlock()
		if _, err := c.recover(lost); err != nil {
			continue
		}
		c.mu.Lock()
		c.lost = c.lost[len(lost):]
		c.broken = false
		c.hungry = true
		c.mu.Unlock()
		c.q.o.Logger.Info("redis: a consumer has found the server again", "queue", c.queue, "after", time.Since(from))
		c.kick()
		return
	}
}

// pause waits, and reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
