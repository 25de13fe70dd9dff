package queue

import (
	"context"
	"strconv"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

const (
	// tick is how often a consumer asks for its limit while nothing happens.
	tick = time.Second
	// recoverEvery is how often a consumer looks for jobs of the dead, if no lease ends earlier.
	recoverEvery = 5 * time.Second
	// lingering is how long a job waits for a handler that has settled to return, before it is handed back.
	lingering = 200 * time.Millisecond
)

// keep renews leases, ends the contexts of what is lost or too late, and looks for jobs of the dead.
func (c *consumer) keep() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var recoverAt time.Time
	recovered := make(chan time.Duration, 1)
	recovering := false
	for {
		select {
		case <-c.quiet:
			return
		case <-c.wake:
		case in := <-recovered:
			recovering = false
			recoverAt = time.Now().Add(in)
		case <-timer.C:
		}
		limit := c.askLimit()
		c.mu.Lock()
		c.most = limit
		now := time.Now()
		next := c.review(now)
		if !c.stopping && !c.broken {
			switch {
			case recovering:
			case !now.Before(recoverAt):
				recovering = true
				c.work.Go(func() { recovered <- c.look() })
			case recoverAt.Before(next):
				next = recoverAt
			}
		}
		c.keeperAt = next
		c.pump()
		c.mu.Unlock()
		timer.Reset(max(time.Millisecond, time.Until(next)))
	}
}

// lookAt has the keeper look at the consumer then, or earlier. The mutex is held.
func (c *consumer) lookAt(at time.Time) {
	if at.Before(c.keeperAt) {
		c.keeperAt = at
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// review does what is due now, and returns when to do so again. The mutex is held.
func (c *consumer) review(now time.Time) time.Time {
	next := now.Add(tick)
	if c.until.After(now) && c.until.Before(next) {
		next = c.until
	}
	var renew []*delivery
	look := func(d *delivery) {
		if d.settled {
			return
		}
		if !d.timeout.IsZero() && !d.late && !now.Before(d.timeout) {
			d.late = true
			d.ctx.end(adapter.ErrTimeout)
		}
		if !now.Before(d.leaseEnd) {
			c.lose(d, adapter.ErrLeaseLost)
			return
		}
		if !d.late && !now.Before(d.renewAt) {
			renew = append(renew, d)
			d.renewAt = now.Add(d.lease / 5) // if this renewal does not arrive
		}
		if at := d.due(); at.Before(next) {
			next = at
		}
	}
	for d := range c.running {
		look(d)
	}
	for _, d := range c.ready {
		look(d)
	}
	if at := c.handBackLingering(now); !at.IsZero() && at.Before(next) {
		next = at
	}
	if len(renew) > 0 {
		c.work.Go(func() { c.renew(renew) })
	}
	return next
}

// handBackLingering gives jobs to others whose place is still taken by handlers that have settled, but do not return. It returns
// when that is due for those that wait for their place now; zero if none does.
func (c *consumer) handBackLingering(now time.Time) time.Time {
	if len(c.ready) == 0 {
		return time.Time{}
	}
	if at := c.ready[0].readyAt.Add(lingering); now.Before(at) {
		return at
	}
	for d := range c.running {
		if d.settled && !d.overtime {
			d.overtime = true
			c.overtime++
		}
	}
	for _, d := range c.ready {
		if !d.settled {
			c.giveBack(d)
		}
	}
	c.ready = nil
	return time.Time{}
}

// lose notes that a delivery is not ours any more. The mutex is held.
func (c *consumer) lose(d *delivery, cause error) {
	d.ctx.end(cause)
	d.settled = true
	c.open--
	if _, runs := c.running[d]; runs {
		d.overtime = true
		c.overtime++
	}
	c.q.drop(d)
}

// renew renews leases, many in a call.
func (c *consumer) renew(list []*delivery) {
	for len(list) > 0 {
		n := min(len(list), 500)
		batch := list[:n]
		list = list[n:]
		args := make([]string, 0, 1+3*n)
		args = append(args, c.base)
		for _, d := range batch {
			args = append(args, d.d.ID, d.d.Receipt, strconv.FormatInt(d.lease.Milliseconds(), 10))
		}
		sent := time.Now()
		ctx := context.Background()
		codes, err := renewScript.Exec(ctx, c.q.client, []string{c.base + "meta"}, args).AsIntSlice()
		if err != nil || len(codes) != n {
			continue // it is tried again until the lease has ended, which the keeper sees
		}
		c.mu.Lock()
		for i, d := range batch {
			switch {
			case codes[i] == 1:
				d.renewed(sent)
			case d.settled:
			case codes[i] == -1:
				c.lose(d, adapter.ErrCanceled)
			default:
				c.lose(d, adapter.ErrLeaseLost)
			}
		}
		c.dropLost()
		c.mu.Unlock()
	}
}

// dropLost forgets jobs that were lost before a handler had them. The mutex is held.
func (c *consumer) dropLost() {
	ready := c.ready[:0]
	for _, d := range c.ready {
		if !d.settled {
			ready = append(ready, d)
		}
	}
	c.ready = ready
}

// look recovers jobs of the dead, and returns when to do so again.
func (c *consumer) look() time.Duration {
	soonest, err := c.recover(nil)
	if err != nil || soonest < 0 {
		return recoverEvery
	}
	return min(soonest+10*time.Millisecond, recoverEvery)
}

// recover hands jobs whose lease has ended to others, and those of the takes with these tokens. It returns in how much time
// the next lease ends; a negative time: none is held.
func (c *consumer) recover(lost []string) (time.Duration, error) {
	o := &c.q.o
	completed, failed := keepRule(nil, o.KeepCompleted, o.KeepCompletedCount), keepRule(nil, o.KeepFailed, o.KeepFailedCount)
	args := append([]string{c.base, strconv.Itoa(redeliverDefault), strconv.FormatInt(completed.age, 10),
		strconv.FormatInt(failed.age, 10)}, lost...)
	ctx, cancel := context.WithTimeout(c.halt, 30*time.Second)
	defer cancel()
	ms, err := recoverScript.Exec(ctx, c.q.client, []string{c.base + "meta"}, args).AsInt64()
	if err != nil {
		return 0, conn.Error(ctx, "recover", err)
	}
	return time.Duration(ms) * time.Millisecond, nil
}
