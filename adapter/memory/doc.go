// Package memory keeps queues, streams and a store in the memory of the process.
//
// A [Backend] holds the data. Any number of instances, each like a process of its own with its own consumers, open it with
// [Backend.Queue], [Backend.Stream] and [Backend.Store]; what one writes the others see. That makes it the adapter for
// programs that need no durability, and the test double for those that do: Kill drops an instance as a crash would, and all
// waiting happens on an injected clock.
//
// # Guarantees
//
//	scope, durability   this process; nothing survives it
//	delivery            at least once, under leases; an instance that lives never loses one
//	order               priority, then enqueueing; a job whose lease was lost or that was released keeps its place, one that
//	                    is retried goes to the end
//	idempotent IDs      for as long as a job is kept; nothing is promised after it has finished (Info.IDRetained is 0)
//	memory              finished jobs, messages and job logs are bounded by count and age (see [Options]); what has expired
//	                    in the store is removed by the commits that follow, and by Purge
//	claims              global events, annotations, replay
//
// Nothing polls: goroutines wait for each other, or for timers of the clock.
package memory
