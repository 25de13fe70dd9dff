package queue

import (
	"context"
	"encoding/json"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
)

// delivery is a job that this instance has the lock of. The mutex of its consumer guards it.
type delivery struct {
	c        *consumer
	d        adapter.Delivery
	ctx      *jobContext
	keep     [2]rule // of completed and failed
	schedule string  // the BullMQ scheduler that it is of
	slow     bool    // settling it takes a look at its hash
	settled  bool    // it has a verdict, which is on its way or has arrived
	returned bool    // its handler has
	late     bool    // it has run longer than its timeout: its lease is not renewed any more
	overtime bool    // settled, but its handler stays
	lease    time.Duration
	leaseEnd time.Time // by our clock, from the time before the call that took or renewed it
	renewAt  time.Time
	timeout  time.Time // zero: none
	readyAt  time.Time
}

// deliveryKey finds a delivery.
type deliveryKey struct{ queue, id, receipt string }

func (d *delivery) key() deliveryKey { return deliveryKey{d.d.Queue, d.d.ID, d.d.Receipt} }

// newDelivery translates a reply of work.lua.
func (c *consumer) newDelivery(reply rueidis.RedisMessage, token string, sent time.Time, now int64) (d *delivery, deferred string) {
	values, err := reply.ToArray()
	if err != nil {
		return nil, ""
	}
	h := make(hash, len(values))
	for i := range values {
		if i < len(takenFields) && !values[i].IsNil() {
			h[takenFields[i]] = text(values[i])
		}
	}
	job, o := h.job(c.queue, h["id"])
	job.State, job.RawState, job.StartedAt = adapter.JobActive, "active", time.UnixMilli(now)
	opts := &c.q.o
	d = &delivery{
		c: c, d: adapter.Delivery{Job: job, Receipt: token}, ctx: &jobContext{parent: c.ctx},
		keep: [2]rule{keepRule(o.RemoveOnComplete, opts.KeepCompleted, opts.KeepCompletedCount),
			keepRule(o.RemoveOnFail, opts.KeepFailed, opts.KeepFailedCount)},
		slow: h["parentKey"] != "" || h["deid"] != "", lease: job.Lease, schedule: h["rjk"],
	}
	if d.lease <= 0 {
		d.lease = opts.DefaultLease
	}
	d.renewed(sent)
	if job.Timeout > 0 {
		d.timeout = time.Now().Add(job.Timeout)
	}
	return d, h["defa"]
}

// renewed notes that the lease is whole again, by a call that was sent then.
func (d *delivery) renewed(sent time.Time) {
	d.leaseEnd = sent.Add(d.lease)
	d.renewAt = sent.Add(d.lease * 2 / 5)
}

// due returns when the keeper has to look at the delivery.
func (d *delivery) due() time.Time {
	at := d.leaseEnd
	if !d.late && d.renewAt.Before(at) {
		at = d.renewAt
	}
	if !d.timeout.IsZero() && !d.late && d.timeout.Before(at) {
		at = d.timeout
	}
	return at
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// run calls the handler. The mutex is held.
func (c *consumer) run(d *delivery) {
	c.running[d] = struct{}{}
	c.lookAt(d.due())
	c.work.Go(func() {
		defer c.returned(d) // also when the handler panics, or ends the goroutine
		if d.schedule != "" {
			if err := c.goOn(d.schedule, d.d.ID); err != nil {
				c.q.o.Logger.Error("redis: a job scheduler has stopped: its next job could not be added", "queue", c.queue,
					"scheduler", d.schedule, "error", err)
			}
		}
		c.h(d.ctx, &d.d)
	})
}

// returned notes that a handler has returned, and hands back what it has left unsettled.
func (c *consumer) returned(d *delivery) {
	d.ctx.end(context.Canceled)
	limit := c.askLimit()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.most = limit
	delete(c.running, d)
	d.returned = true
	if d.overtime {
		c.overtime--
	}
	if !d.settled {
		c.giveBack(d)
	}
	c.pump()
}

// giveBack releases a delivery without a verdict. The mutex is held.
func (c *consumer) giveBack(d *delivery) {
	c.settle(&settleRequest{d: d, verdict: adapter.Release})
}

// fail gives a job that was doomed while it waited its end, without a handler. The mutex is held.
func (c *consumer) fail(d *delivery, reason string) {
	c.settle(&settleRequest{d: d, verdict: adapter.Fail, payload: reason})
}

// settle queues a verdict. The mutex is held.
func (c *consumer) settle(r *settleRequest) {
	r.d.settled = true
	c.open--
	c.settling = append(c.settling, r)
}

// result returns what is written as returnvalue: Node parses it, so there is always JSON.
func result(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "null"
	}
	return string(raw)
}
