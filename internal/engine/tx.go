package engine

import (
	"context"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// commit commits a batch. Where the queue keeps its jobs in the store, the jobs that follow are enqueued and the deliveries
// behind the inputs are settled in the same transaction; else that is done afterwards, as it is when the transaction does not
// go through for another reason than the batch.
func (e *Engine) commit(ctx context.Context, c *change, batch adapter.Batch) (adapter.Committed, error) {
	if e.tx == nil {
		return e.Store.Commit(ctx, batch)
	}
	t := adapter.Tx{Batch: &batch, Queue: e.Queue}
	for _, token := range c.out.Dispatch {
		it := c.work.Scheduled(token)
		if it == nil { // a later input of the same commit has closed it again
			continue
		}
		j, err := e.jobFor(c.box, c.work, c.box.def, token, it, c.out)
		if err != nil {
			return e.Store.Commit(ctx, batch) // issuing tries again, and says what is wrong
		}
		t.Enqueue = append(t.Enqueue, j)
	}
	var settling []*request
	for _, r := range c.inputs {
		if r.settle != nil && r.verdict == flow.Accepted {
			t.Settle = append(t.Settle, *r.settle)
			settling = append(settling, r)
		}
	}
	if len(t.Enqueue)+len(t.Settle) == 0 {
		return e.Store.Commit(ctx, batch)
	}
	done, err := e.tx.CommitTx(ctx, t)
	if err != nil {
		return adapter.Committed{}, err
	}
	c.issued = true
	for _, r := range settling {
		r.settled = true // or its lease was lost: then whoever has the job settles it
	}
	return done.Committed, nil
}
