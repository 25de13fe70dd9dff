package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// behindDelay is how long step.started and log records of a running handler may lag. A handler that ends sooner records them
// with its outcome, for nothing.
const behindDelay = 5 * time.Millisecond

// slowTick is how often the log lines of long-running handlers are recorded.
const slowTick = 250 * time.Millisecond

// writeBehind looks after handlers that take their time: it records that they started and what they log, and arms the timers
// of their timeouts. Most handlers are done before.
type writeBehind struct {
	e    *Engine
	mu   sync.Mutex
	news []*stepRun // in the order of their beginning
	slow map[*stepRun]struct{}
	wake chan struct{} // there are news
	due  chan struct{} // there is something to record
}

func (b *writeBehind) init(e *Engine) {
	b.e = e
	b.slow = map[*stepRun]struct{}{}
	b.wake = make(chan struct{}, 1)
	b.due = make(chan struct{}, 1)
}

// watch takes note of a handler that begins.
func (b *writeBehind) watch(w *stepRun) {
	b.mu.Lock()
	b.news = append(b.news, w)
	first := len(b.news) == 1
	b.mu.Unlock()
	if first {
		signal(b.wake)
	}
}

func signal(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// run finds out which handlers take their time. It never waits for the store: timeouts depend on it.
func (b *writeBehind) run(ctx context.Context) {
	for {
		wait, busy := b.next()
		if !busy {
			select {
			case <-b.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		if wait > 0 && !b.e.sleep(ctx, wait) {
			return
		}
		b.sort()
	}
}

// next returns how long until there is something to find out.
func (b *writeBehind) next() (wait time.Duration, busy bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.news) == 0 {
		return 0, false
	}
	return b.news[0].began.Add(behindDelay).Sub(b.e.Clock.Now()), true
}

// sort takes those that are not new any more and still run to the slow ones.
func (b *writeBehind) sort() {
	until := b.e.Clock.Now().Add(-behindDelay)
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for ; n < len(b.news) && !b.news[n].began.After(until); n++ {
		if w := b.news[n]; !w.claimed.taken.Load() {
			w.arm()
			b.slow[w] = struct{}{}
		}
	}
	b.news = slices.Delete(b.news, 0, n)
	if len(b.slow) > 0 {
		signal(b.due)
	}
}

// record records what the slow ones have to record, as soon as they are slow, and then now and then.
func (b *writeBehind) record(ctx context.Context) {
	tick := b.e.Clock.AfterFunc(slowTick, func() { signal(b.due) })
	defer tick.Stop()
	for {
		select {
		case <-b.due:
		case <-ctx.Done():
			return
		}
		var due []*stepRun
		b.mu.Lock()
		for w := range b.slow {
			if w.claimed.taken.Load() {
				delete(b.slow, w)
			} else {
				due = append(due, w)
			}
		}
		b.mu.Unlock()
		for _, w := range due {
			w.recordBehind(ctx)
		}
		if len(due) > 0 {
			tick.Reset(slowTick)
		}
	}
}

// recordBehind records that the handler started, unless that is recorded, and what it has logged since.
func (w *stepRun) recordBehind(ctx context.Context) {
	lines := w.attempt.TakeLines()
	if w.recorded && len(lines) == 0 {
		return
	}
	in := flow.Logged{Token: w.token, Lines: lines}
	if !w.recorded {
		in.Start = &w.start
	}
	verdict, err := w.e.submitTo(ctx, w.b, in)
	if err != nil {
		w.attempt.PutBackLines(lines)
		w.e.alarm("behind", "log of a running step lags", "run", w.token.Run, "step", w.step.Name, "error", err)
		return
	}
	w.recorded = true // or fenced: then nothing of this attempt is recorded any more
	if verdict == flow.Stale {
		w.e.held.cancelToken(w.token)
	}
}
