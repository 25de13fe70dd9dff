package file

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// Queue is the queues of an open directory, with the consumers of this process. It is an [adapter.Queue] and an
// [adapter.Annotator].
type Queue struct {
	b    *Backend
	done chan struct{} // closed by Close and Kill

	mu       sync.Mutex
	closed   bool // for good: by Close
	dead     bool // by Close or Kill
	queues   map[string]*localQueue
	held     map[int64]*delivery // by receipt
	watchers map[string][]*watcher
}

// localQueue is what this process knows of a queue. The mutex of the Queue guards it.
type localQueue struct {
	name      string
	id        int64 // 0: not known yet
	hot       bool  // there may be waiting jobs
	consumers []*consumer
	turn      int // of the consumers: who is served first
}

func newQueue(b *Backend) *Queue {
	return &Queue{b: b, done: make(chan struct{}), queues: map[string]*localQueue{}, held: map[int64]*delivery{},
		watchers: map[string][]*watcher{}}
}

// Info returns what the queue claims.
func (in *Queue) Info() adapter.Info { return in.b.info(adapter.CapAnnotate) }

func (in *Queue) usable(ctx context.Context, op string) error { return usable(ctx, in.done, op) }

// local returns what is known of a queue, with the mutex held.
func (in *Queue) local(name string) *localQueue {
	q := in.queues[name]
	if q == nil {
		q = &localQueue{name: name}
		in.queues[name] = q
	}
	return q
}

// preparedJob is a job on its way into the database.
type preparedJob struct {
	*adapter.NewJob
	headers, labels json.RawMessage
	options         string
}

func prepareJobs(jobs []adapter.NewJob) ([]preparedJob, error) {
	list := make([]preparedJob, len(jobs))
	var last jobOptions
	var lastText string
	for i := range jobs {
		j := &jobs[i]
		if j.ID == "" || j.Queue == "" {
			return nil, invalid("enqueue", fmt.Sprintf("job %d of %d has no ID or no queue", i+1, len(jobs)), "set NewJob.ID and NewJob.Queue")
		}
		p := preparedJob{NewJob: j}
		var err error
		if p.headers, err = encodeMap(j.Headers); err != nil {
			return nil, fail("enqueue", err)
		}
		if p.labels, err = encodeMap(j.Labels); err != nil {
			return nil, fail("enqueue", err)
		}
		if o := optionsOf(j); o != (jobOptions{}) {
			if lastText == "" || o.Backoff != nil || o.Keep != nil || o != last {
				text, err := json.Marshal(&o)
				if err != nil {
					return nil, fail("enqueue", err)
				}
				last, lastText = o, string(text)
			}
			p.options = lastText
		}
		list[i] = p
	}
	return list, nil
}

// Enqueue adds jobs in one transaction: all of them or, on an error, none. See [adapter.Queue].
func (in *Queue) Enqueue(ctx context.Context, jobs ...adapter.NewJob) ([]adapter.Enqueued, error) {
	if err := in.usable(ctx, "enqueue"); err != nil {
		return nil, err
	}
	list, err := prepareJobs(jobs)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	var results []adapter.Enqueued
	err = in.b.db.Write(ctx, false, func(tx *sqlite.Tx) (err error) {
		results, err = in.enqueue(tx, list)
		return err
	})
	if err != nil {
		return nil, fail("enqueue", err)
	}
	return results, nil
}

func (in *Queue) enqueue(tx *sqlite.Tx, jobs []preparedJob) ([]adapter.Enqueued, error) {
	results := make([]adapter.Enqueued, len(jobs))
	for i := range jobs {
		queue, err := in.b.queueID(tx, jobs[i].Queue)
		if err != nil {
			return nil, err
		}
		results[i].ID = jobs[i].ID
		if results[i].Existing, err = in.add(tx, queue, &jobs[i]); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// add adds a job, or returns the state of the one that has its ID.
func (in *Queue) add(tx *sqlite.Tx, queue int64, p *preparedJob) (existing adapter.JobState, err error) {
	added, err := in.insert(tx, queue, p)
	if err != nil || added {
		return "", err
	}
	var old jobRow
	_, err = tx.One("SELECT n, state, due, extras FROM jobs WHERE queue = ? AND id = ?", func(r sqlite.Row) {
		old.n, old.state, old.due, old.extras = r.Int(0), r.Int(1), r.Int(2), r.Int(3)
	}, queue, p.ID)
	if err != nil {
		return "", err
	}
	if old.state < completed || old.due > tx.Now {
		return stateNames[old.state], nil
	}
	// It has been kept for its time.
	if err := removeJob(tx, old.n, old.extras); err != nil {
		return "", err
	}
	workOf(tx).count(queue, int(old.state), -1)
	_, err = in.insert(tx, queue, p)
	return "", err
}

// insert adds a job unless there is one of its ID.
func (in *Queue) insert(tx *sqlite.Tx, queue int64, p *preparedJob) (bool, error) {
	j := &jobRow{n: tx.Tick(), queue: queue, id: p.ID, name: p.Name, data: p.Data, headers: p.headers, labels: p.labels, options: p.options,
		priority: int64(p.Priority), created: tx.Now}
	if runAt := sqlite.Micros(p.RunAt); runAt > tx.Now {
		j.state, j.due = delayed, runAt
	}
	data := p.Data
	if len(data) > bigData {
		data = nil
		j.extras |= extraData
	}
	if p.labels != nil {
		j.extras |= extraLabels
	}
	var options any
	if p.options != "" {
		options = p.options
	}
	changed, err := tx.Exec(`INSERT INTO jobs (n, queue, id, name, data, headers, labels, options, priority, created, sum, state, place, due, extras)
		VALUES (?1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?1, ?, ?) ON CONFLICT (queue, id) DO NOTHING`,
		j.n, queue, j.id, j.name, data, p.headers, p.labels, options, j.priority, j.created, j.checksum(), j.state, j.due, j.extras)
	if err != nil || changed == 0 {
		return false, err
	}
	if j.extras&extraData != 0 {
		if _, err := tx.Exec("INSERT INTO job_data VALUES (?, ?)", j.n, p.Data); err != nil {
			return false, err
		}
	}
	for label, value := range p.Labels {
		if _, err := tx.Exec("INSERT INTO job_labels VALUES (?, ?, ?, ?)", j.n, label, queue, value); err != nil {
			return false, err
		}
	}
	in.event(tx, adapter.EventAdded, p.Queue, j.id, nil)
	in.arrived(tx, p.Queue, queue, j.id, int(j.state), j.due)
	return true, nil
}

// arrived notes that a job has come to wait, or to be delayed.
func (in *Queue) arrived(tx *sqlite.Tx, name string, queue int64, id string, state int, due int64) {
	w := workOf(tx)
	w.count(queue, state, 1)
	if state == delayed {
		tx.News()
		tx.After(func() { in.b.keeper.dueAt(due) })
		return
	}
	w.hot[queue] = true
	in.event(tx, adapter.EventWaiting, name, id, nil)
}

// SetPaused pauses or resumes a queue. See [adapter.Queue].
func (in *Queue) SetPaused(ctx context.Context, queue string, paused bool) error {
	if err := in.usable(ctx, "set paused"); err != nil {
		return err
	}
	flag, event := 0, adapter.EventResumed
	if paused {
		flag, event = 1, adapter.EventPaused
	}
	err := in.b.db.Write(ctx, false, func(tx *sqlite.Tx) error {
		id, err := in.b.queueID(tx, queue)
		if err != nil {
			return err
		}
		changed, err := tx.Exec("UPDATE queues SET paused = ?2 WHERE id = ?1 AND paused <> ?2", id, flag)
		if err != nil || changed == 0 {
			return err
		}
		workOf(tx).hot[id] = !paused
		in.event(tx, event, queue, "", nil)
		tx.News()
		return nil
	})
	if err != nil {
		return fail("set paused", err)
	}
	return nil
}

// Close hands back the deliveries of this process that still run, ends their contexts with [adapter.ErrClosed], and ends
// Consume and Watch. It does not wait for handlers: Consume does.
func (in *Queue) Close() error {
	in.mu.Lock()
	first, alive := !in.closed, !in.dead
	in.closed = true
	in.mu.Unlock()
	if !first {
		return nil
	}
	if alive {
		in.end(adapter.ErrClosed)
		in.handBack()
	}
	return in.b.release(in)
}

// Kill drops the queue as the crash of its process would: its methods return [adapter.ErrClosed], its leases are not renewed,
// and run out. It is for tests.
func (in *Queue) Kill() { in.end(adapter.ErrLeaseLost) }

func (in *Queue) end(cause error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.dead {
		return
	}
	in.dead = true
	for _, q := range in.queues {
		for _, c := range q.consumers {
			c.stopped = true
		}
		q.consumers = nil
	}
	for _, d := range in.held {
		d.cancel(cause)
	}
	close(in.done)
}

// handBack releases what is held when the queue is closed.
func (in *Queue) handBack() {
	in.mu.Lock()
	var list []adapter.Settlement
	for _, d := range in.held {
		if !d.settled {
			list = append(list, adapter.Settlement{Queue: d.d.Queue, ID: d.d.ID, Receipt: d.d.Receipt, Verdict: adapter.Release})
		}
	}
	in.mu.Unlock()
	if len(list) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = in.settle(ctx, list, true) // what is not handed back comes back when its lease ends
}
