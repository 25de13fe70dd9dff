package file

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// consumer is a call of Consume. The mutex of the Queue guards its fields.
type consumer struct {
	in    *Queue
	q     *localQueue
	name  string
	ctx   context.Context // the parent of the handlers' contexts
	limit func() int
	ahead int // how many jobs beyond the limit may be taken
	h     func(context.Context, *adapter.Delivery)

	most      int         // what limit has answered last
	running   int         // handlers
	unsettled int         // deliveries, those in backlog included
	backlog   []*delivery // taken, and not begun
	stopped   bool
	wg        sync.WaitGroup
}

// delivery is a job as a handler has it.
type delivery struct {
	d       adapter.Delivery
	n       int64
	receipt int64
	options *jobOptions
	extras  int64
	ctx     context.Context
	cancel  context.CancelCauseFunc
	c       *consumer

	// The mutex of the Queue guards these.
	settled bool
	late    bool          // beyond its Timeout: not renewed any more
	until   int64         // when the lease ends, if it is not renewed
	timer   adapter.Timer // of its Timeout
}

// Consume takes jobs until ctx ends. A Concurrency below 1 counts as 1. Jobs are taken in the transaction in which they come
// or a place becomes free, so that none are taken in advance unless Prefetch asks for it. See [adapter.Queue].
func (in *Queue) Consume(ctx context.Context, queue string, o adapter.ConsumeOptions, h func(context.Context, *adapter.Delivery)) error {
	if queue == "" || h == nil {
		return invalid("consume", "no queue or no handler", "")
	}
	c := &consumer{in: in, name: o.Consumer, ctx: context.WithoutCancel(ctx), limit: o.Concurrency, ahead: max(o.Prefetch, 0), h: h}
	most := c.askLimit()
	in.mu.Lock()
	if in.dead {
		in.mu.Unlock()
		return fail("consume", adapter.ErrClosed)
	}
	c.most = most
	c.q = in.local(queue)
	c.q.consumers = append(c.q.consumers, c)
	c.q.hot = true
	in.mu.Unlock()
	if o.Ready != nil {
		o.Ready()
	}
	in.b.db.Kick()

	select {
	case <-ctx.Done():
		c.stop()
	case <-in.done:
	}
	c.wg.Wait()
	select {
	case <-in.done:
		return fail("consume", adapter.ErrClosed)
	default:
		return nil
	}
}

func (c *consumer) askLimit() int {
	if c.limit == nil {
		return 1
	}
	return max(c.limit(), 1)
}

// stop makes the consumer take nothing more, and hands back what it has not begun.
func (c *consumer) stop() {
	c.in.mu.Lock()
	c.stopped = true
	if i := slices.Index(c.q.consumers, c); i >= 0 {
		c.q.consumers = slices.Delete(c.q.consumers, i, i+1)
	}
	backlog := c.backlog
	c.backlog = nil
	c.in.mu.Unlock()
	c.in.release(backlog)
}

// release hands back deliveries that no handler has seen. What cannot be handed back comes back when its lease ends.
func (in *Queue) release(list []*delivery) {
	if len(list) == 0 {
		return
	}
	settlements := make([]adapter.Settlement, len(list))
	for i, d := range list {
		settlements[i] = adapter.Settlement{Queue: d.d.Queue, ID: d.d.ID, Receipt: d.d.Receipt, Verdict: adapter.Release}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_ = in.settle(ctx, settlements, true)
	for _, d := range list {
		d.cancel(context.Canceled)
	}
}

// demand returns how many jobs the consumer can take. A handler that has settled is about to return, so its place counts as
// free.
func (c *consumer) demand() int {
	if c.stopped {
		return 0
	}
	return max(c.most+c.ahead-c.unsettled, 0)
}

// give hands deliveries to the consumer.
func (c *consumer) give(list []*delivery) (refused []*delivery) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if c.in.dead || c.stopped {
		return list
	}
	for _, d := range list {
		c.unsettled++
		c.in.held[d.receipt] = d
		if c.running < c.most {
			c.running++
			c.wg.Add(1)
			go c.work(d)
		} else {
			c.backlog = append(c.backlog, d)
		}
	}
	return nil
}

// work runs the handler for a delivery, and for what has come meanwhile.
func (c *consumer) work(d *delivery) {
	defer c.wg.Done()
	for d != nil {
		d = c.run(d)
	}
}

// run runs the handler, and returns the next delivery for this goroutine.
func (c *consumer) run(d *delivery) (next *delivery) {
	defer func() { next = c.done(d) }() // also when the handler panics, or ends the goroutine
	c.begin(d)
	c.h(d.ctx, &d.d)
	return nil
}

func (c *consumer) begin(d *delivery) {
	if d.d.Timeout <= 0 {
		return
	}
	timer := c.in.b.o.Clock.AfterFunc(d.d.Timeout, func() {
		c.in.mu.Lock()
		d.late = true // it has this one lease left to settle what it has
		c.in.mu.Unlock()
		d.cancel(adapter.ErrTimeout)
	})
	c.in.mu.Lock()
	d.timer = timer
	c.in.mu.Unlock()
}

// done ends a delivery whose handler has returned.
func (c *consumer) done(d *delivery) (next *delivery) {
	d.cancel(context.Canceled)
	if d.timer != nil {
		d.timer.Stop()
	}
	c.in.mu.Lock()
	left := !d.settled && !c.in.dead
	c.in.mu.Unlock()
	if left {
		c.in.release([]*delivery{d})
	}
	most := c.askLimit()
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.forget(d)
	c.most = most
	if len(c.backlog) > 0 && c.running <= c.most {
		next = c.backlog[0]
		c.backlog = c.backlog[1:]
		return next
	}
	c.running--
	if c.q.hot && c.demand() > 0 {
		c.in.b.db.Kick()
	}
	return nil
}

// forget ends the hold on a delivery, with the mutex held.
func (in *Queue) forget(d *delivery) {
	if !d.settled {
		d.settled = true
		d.c.unsettled--
	}
	if in.held[d.receipt] == d {
		delete(in.held, d.receipt)
	}
}

// maxTaken is how many jobs of a queue a transaction hands out at most.
const maxTaken = 256

// handOut gives waiting jobs to the consumers of this process that have places, within a transaction.
func (in *Queue) handOut(tx *sqlite.Tx) error {
	w := workOf(tx)
	type order struct {
		q    *localQueue
		want int
	}
	var orders []order
	in.mu.Lock()
	for _, q := range in.queues {
		if !q.hot && !w.hot[q.id] || in.dead {
			continue
		}
		q.hot = true
		want := 0
		for _, c := range q.consumers {
			want += c.demand()
		}
		if want > 0 {
			orders = append(orders, order{q, min(want, maxTaken)})
			delete(w.hot, q.id)
		}
	}
	in.mu.Unlock()
	for _, o := range orders {
		if err := in.take(tx, o.q, o.want); err != nil {
			return err
		}
	}
	for _, hot := range w.hot { // that nobody here takes
		if hot {
			tx.News()
		}
	}
	return nil
}

// take takes up to want jobs of a queue.
func (in *Queue) take(tx *sqlite.Tx, q *localQueue, want int) error {
	id, err := in.b.queueID(tx, q.name)
	if err != nil {
		return err
	}
	var waits int64
	paused := false
	_, err = tx.One("SELECT paused, waiting FROM queues WHERE id = ?", func(r sqlite.Row) { paused, waits = r.Int(0) != 0, r.Int(1) }, id)
	if err != nil {
		return err
	}
	if c := workOf(tx).counts[id]; c != nil {
		waits += c[waiting]
	}
	var rows []*jobRow
	if !paused && waits > 0 {
		err := tx.Query("SELECT "+jobColumns+" FROM jobs j WHERE j.queue = ? AND j.state = 0 ORDER BY j.priority DESC, j.place LIMIT ? + 0",
			func(r sqlite.Row) error { rows = append(rows, scanJob(r)); return nil }, id, want)
		if err != nil {
			return err
		}
	}
	more := int64(len(rows)) < waits && !paused
	in.mu.Lock()
	q.id, q.hot = id, more
	consumers := slices.Clone(q.consumers)
	in.mu.Unlock()
	if more {
		tx.News() // they may have places
	}
	var list []*delivery
	for _, row := range rows {
		d, err := in.lease(tx, q, row, consumers)
		if err != nil {
			return err
		}
		if d != nil {
			list = append(list, d)
		}
	}
	if len(list) > 0 {
		tx.After(func() { in.deliver(q, consumers, list) })
	}
	return nil
}

// lease makes a waiting job active.
func (in *Queue) lease(tx *sqlite.Tx, q *localQueue, row *jobRow, consumers []*consumer) (*delivery, error) {
	w := workOf(tx)
	j, err := row.job(q.name, &in.b.options)
	if err != nil {
		return nil, in.failJob(tx, q.name, row, err.Error()) // else it would hold up all others for ever
	}
	o, err := in.b.options.decode(row.options)
	if err != nil {
		return nil, err
	}
	by := ""
	if len(consumers) > 0 {
		by = consumers[0].name
	}
	lease := o.lease(&in.b.o)
	d := &delivery{n: row.n, receipt: tx.Tick(), options: o, extras: row.extras, until: tx.Now + lease.Microseconds()}
	d.d.Job = j
	d.d.State, d.d.Delivery, d.d.StartedAt = adapter.JobActive, int(row.delivery+1), timeOf(tx.Now)
	d.d.Receipt = formatReceipt(row.n, d.receipt)
	w.count(row.queue, waiting, -1)
	w.count(row.queue, active, 1)
	_, err = tx.Exec("UPDATE jobs SET state = 2, due = ?, receipt = ?, delivery = delivery + 1, started = ?, consumer = ? WHERE n = ?",
		d.until, d.receipt, tx.Now, by, row.n)
	in.event(tx, adapter.EventActive, q.name, row.id, nil)
	return d, err
}

// lose ends the context of a delivery whose lease has ended, if this process has it.
func (in *Queue) lose(receipt int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if d := in.held[receipt]; d != nil {
		d.cancel(adapter.ErrLeaseLost)
	}
}

// deliver spreads deliveries over the consumers. What nobody takes any more is handed back.
func (in *Queue) deliver(q *localQueue, consumers []*consumer, list []*delivery) {
	var soonest int64
	for len(list) > 0 {
		var best *consumer
		most := 0
		in.mu.Lock()
		for i := range consumers {
			c := consumers[(q.turn+i)%len(consumers)]
			if n := c.demand(); n > most {
				best, most = c, n
			}
		}
		q.turn++
		in.mu.Unlock()
		if best == nil {
			break
		}
		n := min(max(most/2, 1), len(list))
		for _, d := range list[:n] {
			d.c = best
			d.ctx, d.cancel = context.WithCancelCause(best.ctx)
			if soonest == 0 || d.until < soonest {
				soonest = d.until
			}
		}
		if refused := best.give(list[:n]); refused != nil {
			continue
		}
		list = list[n:]
	}
	in.b.keeper.renewBy(soonest)
	if len(list) > 0 {
		for _, d := range list {
			d.ctx, d.cancel = context.WithCancelCause(context.Background())
		}
		go in.release(list) // a transaction cannot wait for the next one
	}
}
