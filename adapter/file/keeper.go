package file

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// keeper does what nobody calls for: it renews leases, brings what is due, looks after subscriptions, and looks for news
// from other processes.
type keeper struct {
	b      *Backend
	signal chan struct{}
	end    chan struct{}
	done   chan struct{}
	once   sync.Once
	news   atomic.Bool
	next   atomic.Int64 // when it looks again, in microseconds
	mu     sync.Mutex
	last   error
}

func newKeeper(b *Backend) *keeper {
	return &keeper{b: b, signal: make(chan struct{}, 1), end: make(chan struct{}), done: make(chan struct{})}
}

// newsEvery is how often news are looked at, in microseconds: busy processes have some all the time.
const newsEvery = 1000

func (k *keeper) start() { go k.loop() }

func (k *keeper) stop() {
	k.once.Do(func() { close(k.end) })
	<-k.done
}

func (k *keeper) poke() {
	select {
	case k.signal <- struct{}{}:
	default:
	}
}

// woken is called when some process has had news.
func (k *keeper) woken() {
	k.news.Store(true)
	k.poke()
}

// dueAt says that something is due at a time.
func (k *keeper) dueAt(t int64) {
	if t < k.next.Load() {
		k.poke()
	}
}

// renewBy says that a lease ends at a time, if it is not renewed.
func (k *keeper) renewBy(until int64) {
	if until != 0 {
		now := k.now()
		k.dueAt(now + (until-now)/3)
	}
}

func (k *keeper) now() int64 { return sqlite.Micros(k.b.o.Clock.Now()) }

func (k *keeper) loop() {
	defer close(k.done)
	timer := k.b.o.Clock.AfterFunc(time.Hour, k.poke)
	defer timer.Stop()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() { // it must not wait for another process that holds the lock
		<-k.end
		cancel(adapter.ErrClosed)
	}()
	var poll, quiet int64
	for {
		now := k.now()
		polled := now >= poll
		if polled {
			poll = now + k.b.o.Poll.Microseconds()
		}
		k.next.Store(math.MaxInt64) // who comes now pokes
		news := now >= quiet && k.news.Swap(false)
		if news {
			quiet = now + newsEvery
		}
		next, err := k.look(ctx, news || polled, polled)
		k.report(err)
		next = min(next, poll)
		if k.news.Load() {
			next = min(next, quiet)
		}
		k.next.Store(next)
		timer.Reset(time.Duration(max(next-k.now(), 0)) * time.Microsecond)
		select {
		case <-k.end:
			return
		case <-k.signal:
		}
	}
}

// report logs an error of the background, once until it changes.
func (k *keeper) report(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil && !errors.Is(err, adapter.ErrClosed) && k.b.o.Logger != nil && (k.last == nil || k.last.Error() != err.Error()) {
		k.b.o.Logger.Warn("file adapter: looking after the data failed; trying again", "error", fail("keep", err))
	}
	k.last = err
}

// look does what is due, and returns when something is due next.
func (k *keeper) look(ctx context.Context, news, polled bool) (next int64, err error) {
	next = math.MaxInt64
	var errs [4]error // what fails must not keep the rest from being done
	if !k.b.queue.isDead() {
		errs[0] = k.renew(ctx, &next) // first: what is late here is lost
		if news {
			errs[1] = k.b.queue.news(ctx)
		}
		errs[2] = k.queues(ctx, polled, &next)
	}
	errs[3] = k.b.stream.keep(ctx, news, polled, &next)
	return next, errors.Join(errs[:]...)
}

// renew extends the leases of which a third is over.
func (k *keeper) renew(ctx context.Context, next *int64) error {
	in, now := k.b.queue, k.now()
	var list []*delivery
	in.mu.Lock()
	for _, d := range in.held {
		lease := d.options.lease(&k.b.o).Microseconds()
		switch at := d.until - lease*2/3; {
		case d.until <= now && d.late:
			d.cancel(adapter.ErrLeaseLost)
		case d.late:
		case at <= now:
			list = append(list, d)
			*next = min(*next, now+lease/3)
		default:
			*next = min(*next, at)
		}
	}
	in.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	until := make([]int64, len(list)) // 0: lost, -1: cancelled
	err := k.b.db.Write(ctx, true, func(tx *sqlite.Tx) error {
		for i, d := range list {
			until[i] = tx.Now + d.options.lease(&k.b.o).Microseconds()
			changed, err := tx.Exec("UPDATE jobs SET due = ? WHERE n = ? AND receipt = ?", until[i], d.n, d.receipt)
			if err != nil {
				return err
			}
			if changed > 0 {
				continue
			}
			until[i] = 0
			canceled, err := tx.Int("SELECT count(*) FROM canceled WHERE receipt = ?", d.receipt)
			if err != nil {
				return err
			}
			if canceled > 0 {
				until[i] = -1
			}
		}
		return nil
	})
	in.mu.Lock()
	defer in.mu.Unlock()
	for i, d := range list {
		switch {
		case err == nil && until[i] > 0:
			d.until = until[i]
		case err == nil && until[i] < 0:
			d.cancel(adapter.ErrCanceled)
		case err == nil && !d.settled, err != nil && d.until <= now:
			d.cancel(adapter.ErrLeaseLost)
		}
	}
	return err
}

// queues brings what is due in the queues: delayed jobs, lost leases, and finished jobs that were kept for their time.
func (k *keeper) queues(ctx context.Context, polled bool, next *int64) error {
	now := k.now()
	found := false
	err := k.b.db.Read(ctx, func(c *sqlite.Conn) error {
		return c.Query(dueQuery, func(r sqlite.Row) error {
			for n, state := range []int{delayed, active, completed, failed} {
				due := r.Int(n)
				switch {
				case due == 0 || state >= completed && !polled:
				case due <= now:
					found = true
				case state < completed:
					*next = min(*next, due)
				}
			}
			return nil
		})
	})
	if err != nil || !found {
		return err
	}
	more := false
	err = k.b.db.Write(ctx, true, func(tx *sqlite.Tx) (err error) {
		more, err = k.b.queue.bringDue(tx)
		return err
	})
	if more {
		*next = now
	}
	return err
}

const dueQuery = `SELECT
	CASE WHEN q.delayed > 0 THEN (SELECT min(due) FROM jobs WHERE queue = q.id AND state = 1 AND state > 0) END,
	CASE WHEN q.active > 0 THEN (SELECT min(due) FROM jobs WHERE queue = q.id AND state = 2 AND state > 0) END,
	CASE WHEN q.completed > 0 THEN (SELECT min(due) FROM jobs WHERE queue = q.id AND state = 3 AND state > 0) END,
	CASE WHEN q.failed > 0 THEN (SELECT min(due) FROM jobs WHERE queue = q.id AND state = 4 AND state > 0) END
	FROM queues q`
