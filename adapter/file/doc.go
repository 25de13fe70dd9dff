// Package file keeps queues, streams and a store in one directory, in a SQLite database that the processes of a machine may
// share.
//
// A [Backend] is an open directory; its [Backend.Queue], [Backend.Stream] and [Backend.Store] are the adapters. [Check] finds
// damage, [Backup] copies a directory that is in use.
//
// # Guarantees
//
//	scope, durability   this machine; what was acknowledged survives kill -9 and a power cut (but see Options.Relaxed)
//	delivery            at least once, under leases that survive their process
//	order               priority, then enqueueing; a job whose lease was lost or that was released keeps its place, one that
//	                    is retried goes to the end
//	idempotent IDs      for as long as a job is kept; nothing is promised after it has finished (Info.IDRetained is 0)
//	retention           finished jobs, messages and job logs are bounded by count and age (see [Options]); what has expired in
//	                    the store is removed by Purge, and by commits to its partition
//	claims              annotations, replay, transactions (see [Store.CommitTx] and [Store.JoinTx])
//
// Damage is noticed: see [ErrCorrupt] and [ErrLostTail]. After a failed sync all writes return [adapter.ErrUnavailable] until
// the directory is opened again.
//
// The directory must be on a local disk. Clocks are that of the machine.
package file
