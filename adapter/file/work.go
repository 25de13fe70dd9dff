package file

import (
	"fmt"
	"sync"

	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// The states of jobs as they are stored.
const (
	waiting = iota
	delayed
	active
	completed
	failed
	states
)

// work is what the operations of a write transaction leave to its end.
type work struct {
	counts map[int64]*[states]int64 // what changes in the counts of each queue
	full   map[fullKey]int          // finished jobs of which only so many are to be kept
	hot    map[int64]bool           // queues that have got waiting jobs
	topics map[int64]bool           // topics that have something to give out
}

type fullKey struct {
	queue int64
	state int
}

func workOf(tx *sqlite.Tx) *work { return tx.Data.(*work) }

func (b *Backend) begin(tx *sqlite.Tx) error {
	tx.Data = &work{counts: map[int64]*[states]int64{}, full: map[fullKey]int{}, hot: map[int64]bool{}, topics: map[int64]bool{}}
	return nil
}

// count notes that there is one job more, or less, in a state.
func (w *work) count(queue int64, state int, by int64) {
	c := w.counts[queue]
	if c == nil {
		c = &[states]int64{}
		w.counts[queue] = c
	}
	c[state] += by
}

// end does at the end of each write transaction what several operations share: it gives waiting jobs and messages to the
// consumers of this process, removes finished jobs beyond their number, and keeps the counts.
func (b *Backend) end(tx *sqlite.Tx) error {
	if err := b.queue.handOut(tx); err != nil {
		return fmt.Errorf("hand out jobs: %w", err)
	}
	if err := b.stream.handOut(tx); err != nil {
		return fmt.Errorf("hand out messages: %w", err)
	}
	return b.joined(tx)
}

// joined does at the end of what has joined a transaction of the caller's what it has to: nothing may be handed out there.
func (b *Backend) joined(tx *sqlite.Tx) error {
	w := workOf(tx)
	for key, keep := range w.full {
		if err := removeBeyond(tx, key, keep); err != nil {
			return fmt.Errorf("remove finished jobs: %w", err)
		}
	}
	for queue, c := range w.counts {
		_, err := tx.Exec(`UPDATE queues SET waiting = waiting + ?, delayed = delayed + ?, active = active + ?,
			completed = completed + ?, failed = failed + ? WHERE id = ?`,
			c[waiting], c[delayed], c[active], c[completed], c[failed], queue)
		if err != nil {
			return err
		}
	}
	return nil
}

// idCache knows the ids of names. What it knows is committed, and never changes.
type idCache struct {
	mu  sync.RWMutex
	ids map[string]int64
}

func (c *idCache) get(name string) int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.ids[name]
}

func (c *idCache) set(name string, id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ids == nil {
		c.ids = map[string]int64{}
	}
	c.ids[name] = id
}

// queueID returns the id of a queue, which it makes if need be.
func (b *Backend) queueID(tx *sqlite.Tx, name string) (int64, error) {
	if id := b.ids.get(name); id != 0 {
		return id, nil
	}
	id, err := tx.Int("SELECT id FROM queues WHERE name = ?", name)
	if err == nil && id == 0 {
		tx.Tick()
		_, err = tx.Exec("INSERT INTO queues (name) VALUES (?)", name)
		if err == nil {
			id, err = tx.Int("SELECT id FROM queues WHERE name = ?", name)
		}
	}
	if err != nil {
		return 0, err
	}
	tx.After(func() { b.ids.set(name, id) })
	return id, nil
}

// knownQueue returns the id of a queue; 0 if there is none.
func (b *Backend) knownQueue(c *sqlite.Conn, name string) (int64, error) {
	if id := b.ids.get(name); id != 0 {
		return id, nil
	}
	return c.Int("SELECT id FROM queues WHERE name = ?", name)
}
