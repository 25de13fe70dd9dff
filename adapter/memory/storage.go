package memory

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// shardCount is how many commits can run at the same time at most.
const shardCount = 16

// storage is what the stores of a backend share. A partition lives in one shard with all that it holds, and so does a key.
type storage struct {
	b      *Backend
	seed   maphash.Seed
	shards [shardCount]shard
}

// shard is a part of the storage, guarded by its mutex. Whoever needs several locks them in their order.
type shard struct {
	mu          sync.Mutex
	version     adapter.Version // the last one given to a document of this shard: so none is ever used again
	partitions  map[string]*partition
	collections map[string]*collection
	logs        map[string]*log
	keys        map[string]*keyEntry
	sortedKeys  sorted
	expiring    expiryHeap
	scratch     scratch
	_           [64]byte // keeps the locks of two shards out of one cache line
}

// partition is what one batch may touch.
type partition struct {
	name    string
	entries *entry // linked through inPartition
	logs    *log   // likewise
	docsAt  time.Time
	logsAt  time.Time
	expiry  expiry
}

// entry is a document with its places in the lists that it is found by.
type entry struct {
	doc        adapter.Doc
	collection *collection
	partition  *partition
	prev, next *entry // of the partition
	byID       posting
	indexed    [][]indexed // for each index of the collection
	expiry     expiry
}

func newStorage(b *Backend) *storage {
	s := &storage{b: b, seed: maphash.MakeSeed()}
	for i := range s.shards {
		s.shards[i].partitions = map[string]*partition{}
		s.shards[i].collections = map[string]*collection{}
		s.shards[i].logs = map[string]*log{}
		s.shards[i].keys = map[string]*keyEntry{}
	}
	return s
}

// shard returns the shard of a partition, or of a key.
func (s *storage) shard(name string) *shard {
	return &s.shards[maphash.String(s.seed, name)%shardCount]
}

func (s *storage) lockAll() {
	for i := range s.shards {
		s.shards[i].mu.Lock()
	}
}

func (s *storage) unlockAll() {
	for i := range s.shards {
		s.shards[i].mu.Unlock()
	}
}

// visible reports whether the document is there at a time.
func (e *entry) visible(now time.Time) bool {
	return !due(e.doc.ExpireAt, now) && !due(e.partition.docsAt, now)
}

// find returns the document that is there now, or nil.
func (c *collection) find(id string, now time.Time) *entry {
	if e := c.docs[id]; e != nil && e.visible(now) {
		return e
	}
	return nil
}

// partition returns the partition as it is now, or nil. What of it has expired is removed.
func (sh *shard) partition(name string, now time.Time) *partition {
	p := sh.partitions[name]
	if p == nil {
		return nil
	}
	if due(p.docsAt, now) {
		sh.empty(p, allOf)
		return nil
	}
	if due(p.logsAt, now) {
		sh.trim(p)
		return sh.partitions[name] // trimming may have forgotten it
	}
	return p
}

func (sh *shard) makePartition(name string) *partition {
	p := &partition{name: name}
	p.expiry.partition = p
	p.expiry.index = -1
	sh.partitions[name] = p
	return p
}

// put writes a document and returns its new version.
func (sh *shard) put(p *partition, put *put, d *adapter.Doc) adapter.Version {
	sh.version++
	c, e := put.collection, put.entry
	if e == nil {
		e = c.docs[d.ID] // the batch may have put it before
	}
	if e == nil {
		e = &entry{collection: c, partition: p, next: p.entries, indexed: make([][]indexed, len(c.indexes))}
		e.byID = posting{id: d.ID, entry: e}
		e.expiry = expiry{entry: e, index: -1}
		if e.next != nil {
			e.next.prev = e
		}
		p.entries = e
		c.docs[d.ID] = e
		c.byID.insert(&e.byID)
	}
	e.doc = *d
	e.doc.Version = sh.version
	sh.expiring.set(&e.expiry, d.ExpireAt)
	for i, index := range c.indexes {
		index.update(e, i, put.keys[i])
	}
	return sh.version
}

// remove removes a document.
func (sh *shard) remove(e *entry) {
	c := e.collection
	for i, index := range c.indexes {
		index.update(e, i, nil)
	}
	c.byID.remove(&e.byID)
	delete(c.docs, e.doc.ID)
	sh.expiring.set(&e.expiry, time.Time{})
	if e.prev == nil {
		e.partition.entries = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
}

// release forgets a partition that holds nothing, and that nothing is known about.
func (sh *shard) release(p *partition) {
	if p.entries == nil && p.logs == nil && p.docsAt.IsZero() && p.logsAt.IsZero() {
		delete(sh.partitions, p.name)
	}
}
