package file

import (
	"context"
	"slices"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

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
