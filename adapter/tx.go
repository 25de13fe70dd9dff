package adapter

import "context"

// Transactor is implemented by stores that claim [CapTx]: a batch, jobs and settlements in one transaction, where the queue
// keeps its jobs in the same place.
type Transactor interface {
	// Shares reports whether jobs of q can be in transactions of this store.
	Shares(q Queue) bool

	// CommitTx does all of t or, on any error, none of it, and returns once that is as durable as Info says. The errors are
	// those of Commit and Enqueue. A settlement whose lease is lost stops nothing: its error is in the result. The queue must
	// be one that the store shares transactions with, else it returns [ErrUnsupported].
	CommitTx(ctx context.Context, t Tx) (TxResult, error)

	// JoinTx does t within a transaction that the caller has begun and will commit or roll back. What type tx has is for the
	// adapter to say; any other returns [ErrInvalid]. What it returns holds if the caller commits: consumers see the jobs
	// then. After an error the caller must roll back.
	JoinTx(ctx context.Context, tx any, t Tx) (TxResult, error)
}

// Tx is what happens together or not at all. Its parts are done in the order of the fields.
type Tx struct {
	Batch   *Batch // nil: none
	Queue   Queue  // of Enqueue and Settle; nil if there are none
	Enqueue []NewJob
	Settle  []Settlement
}

// TxResult is what a transaction did.
type TxResult struct {
	Committed            // of the batch; Now is set in any case
	Enqueued  []Enqueued // aligned with Enqueue
	Settled   []error    // aligned with Settle: nil, or ErrLeaseLost
}
