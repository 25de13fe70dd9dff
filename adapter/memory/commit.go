package memory

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// Commit applies a batch. See [adapter.Store].
func (s *Store) Commit(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
	if err := s.usable(ctx, "commit"); err != nil {
		return adapter.Committed{}, err
	}
	if err := checkBatch(&b); err != nil {
		return adapter.Committed{}, fail("commit", err, "")
	}
	sh := s.storage.shard(b.Partition)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := s.storage.b.now()
	done, err := sh.commit(&b, now)
	if err != nil {
		return adapter.Committed{}, fail("commit", err, "")
	}
	sh.purge(now, purgedPerCommit)
	return done, nil
}

// checkBatch returns an error if something in the batch lies outside of its partition.
func checkBatch(b *adapter.Batch) error {
	if b.Partition == "" || strings.Contains(b.Partition, "/") {
		return fmt.Errorf("%w: partition %q must be an ID up to its first slash", adapter.ErrInvalid, b.Partition)
	}
	for _, docs := range [...][]adapter.Doc{b.Checks, b.Puts, b.Deletes} {
		for i := range docs {
			if !within(b.Partition, docs[i].ID) {
				return fmt.Errorf("%w: document %s/%s is not in partition %q",
					adapter.ErrCrossPartition, docs[i].Collection, docs[i].ID, b.Partition)
			}
		}
	}
	for i := range b.Appends {
		if !within(b.Partition, b.Appends[i].Subject) {
			return fmt.Errorf("%w: log %s is not in partition %q", adapter.ErrCrossPartition, b.Appends[i].Subject, b.Partition)
		}
	}
	for _, subject := range b.Drops {
		if !within(b.Partition, subject) {
			return fmt.Errorf("%w: log %s is not in partition %q", adapter.ErrCrossPartition, subject, b.Partition)
		}
	}
	return nil
}

// within reports whether adapter.Partition(id) is the partition.
func within(partition, id string) bool {
	n := len(partition)
	return len(id) >= n && id[:n] == partition && (len(id) == n || id[n] == '/')
}

// commit checks everything first: nothing fails once the first change is made.
func (sh *shard) commit(b *adapter.Batch, now time.Time) (done adapter.Committed, err error) {
	p := sh.partition(b.Partition, now)
	if err := sh.expect(b, now); err != nil {
		return done, err
	}
	puts := sh.scratch.puts
	for i := range b.Puts {
		if puts[i].keys, err = sh.indexKeys(puts[i].collection, &b.Puts[i]); err != nil {
			return done, err
		}
	}

	done.Now = now
	if p == nil {
		p = sh.makePartition(b.Partition)
	}
	if len(b.Puts) > 0 {
		done.Versions = make([]adapter.Version, len(b.Puts))
	}
	for i := range b.Puts {
		done.Versions[i] = sh.put(p, &puts[i], &b.Puts[i])
	}
	clear(puts) // keep nothing alive
	for i := range b.Deletes {
		if e := sh.collections[b.Deletes[i].Collection].docs[b.Deletes[i].ID]; e != nil {
			sh.remove(e)
		}
	}
	if len(b.Appends) > 0 {
		done.FirstSeq = make([]uint64, len(b.Appends))
	}
	for i := range b.Appends {
		done.FirstSeq[i] = sh.log(p, b.Appends[i].Subject).append(b.Appends[i].Records, now)
	}
	for _, subject := range b.Drops {
		if l := sh.logs[subject]; l != nil {
			l.trim()
			l.dropped = true
		}
	}
	if b.Expire != nil {
		sh.expireAt(p, b.Expire.Docs, b.Expire.Logs)
	}
	sh.release(p)
	return done, nil
}

// expect returns an error unless all expectations of the batch hold. It leaves in the scratch space what the documents of Puts
// are now.
func (sh *shard) expect(b *adapter.Batch, now time.Time) error {
	sh.scratch.reset()
	var conflict *adapter.Conflict
	check := func(d *adapter.Doc) (p put, err error) {
		if p.collection = sh.collections[d.Collection]; p.collection == nil {
			return p, undeclared(d.Collection)
		}
		p.entry = p.collection.docs[d.ID]
		if d.Version == adapter.AnyVersion {
			return p, nil
		}
		current := adapter.Doc{Collection: d.Collection, ID: d.ID, Version: adapter.Absent}
		if p.entry != nil && p.entry.visible(now) {
			current = p.entry.doc
		}
		if current.Version != d.Version {
			if conflict == nil {
				conflict = &adapter.Conflict{}
			}
			conflict.Current = append(conflict.Current, current)
		}
		return p, nil
	}
	for i := range b.Checks {
		if _, err := check(&b.Checks[i]); err != nil {
			return err
		}
	}
	for i := range b.Puts {
		p, err := check(&b.Puts[i])
		if err != nil {
			return err
		}
		sh.scratch.puts = append(sh.scratch.puts, p)
	}
	for i := range b.Deletes {
		if _, err := check(&b.Deletes[i]); err != nil {
			return err
		}
	}
	if conflict != nil {
		return conflict
	}
	return nil
}

func undeclared(collection string) error {
	return fmt.Errorf("%w: collection %q is not declared: call Declare with it first", adapter.ErrInvalid, collection)
}
