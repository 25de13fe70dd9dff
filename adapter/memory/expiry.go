package memory

import (
	"container/heap"
	"math"
	"time"
)

// allOf is the limit of a removal that leaves nothing.
const allOf = math.MaxInt

// purgedPerCommit is how many expired things a commit removes on its way, so that memory stays bounded where nobody calls
// Purge.
const purgedPerCommit = 4

// due reports whether a time has come. The zero time never comes.
func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// expiry is when a document, a key or (parts of) a partition vanish. One of the three is set.
type expiry struct {
	at        time.Time
	index     int // in the heap; -1: it is not there
	entry     *entry
	key       *keyEntry
	partition *partition
}

// expiryHeap has what expires first at its front.
type expiryHeap []*expiry

// set changes when something expires; the zero time means never.
func (h *expiryHeap) set(x *expiry, at time.Time) {
	switch {
	case at.IsZero() && x.index >= 0:
		heap.Remove(h, x.index)
	case at.IsZero():
	case x.index < 0:
		x.at = at
		heap.Push(h, x)
	case !at.Equal(x.at):
		x.at = at
		heap.Fix(h, x.index)
	}
}

// nothingDue reports whether everything in the heap is still there.
func (h expiryHeap) nothingDue(now time.Time) bool { return len(h) == 0 || h[0].at.After(now) }

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, k int) bool { return h[i].at.Before(h[k].at) }

func (h expiryHeap) Swap(i, k int) {
	h[i], h[k] = h[k], h[i]
	h[i].index, h[k].index = i, k
}

// Push is called by package heap.
func (h *expiryHeap) Push(x any) {
	e := x.(*expiry)
	e.index = len(*h)
	*h = append(*h, e)
}

// Pop is called by package heap.
func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	e.index = -1
	return e
}

// purge removes up to limit things that have expired, and returns how many.
func (sh *shard) purge(now time.Time, limit int) (removed int) {
	for removed < limit && !sh.expiring.nothingDue(now) {
		x := sh.expiring[0]
		switch {
		case x.entry != nil:
			p := x.entry.partition
			sh.remove(x.entry)
			sh.release(p)
			removed++
		case x.key != nil:
			sh.removeKey(x.key)
			removed++
		case due(x.partition.docsAt, now):
			removed += sh.empty(x.partition, limit-removed)
		default:
			removed += sh.trim(x.partition)
		}
	}
	return removed
}

// empty removes up to limit documents and logs of a partition, and the partition with the last of them. It returns how many
// it removed.
func (sh *shard) empty(p *partition, limit int) (removed int) {
	for ; p.entries != nil && removed < limit; removed++ {
		sh.remove(p.entries)
	}
	for ; p.logs != nil && removed < limit; removed++ {
		delete(sh.logs, p.logs.subject)
		p.logs = p.logs.next
	}
	if p.entries == nil && p.logs == nil {
		sh.expiring.set(&p.expiry, time.Time{})
		delete(sh.partitions, p.name)
	}
	return removed
}

// trim removes the records of the logs of a partition, and returns how many logs there were.
func (sh *shard) trim(p *partition) (trimmed int) {
	for l := p.logs; l != nil; l = l.next {
		l.trim()
		trimmed++
	}
	p.logsAt = time.Time{}
	sh.expiring.set(&p.expiry, p.docsAt)
	sh.release(p)
	return trimmed
}

// expireAt sets when the partition vanishes, and when its logs do.
func (sh *shard) expireAt(p *partition, docs, logs time.Time) {
	p.docsAt, p.logsAt = docs, logs
	first := docs
	if first.IsZero() || !logs.IsZero() && logs.Before(first) {
		first = logs
	}
	sh.expiring.set(&p.expiry, first)
}
