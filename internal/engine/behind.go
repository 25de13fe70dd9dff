package engine

import (
	"context"
	"sync"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// behindDelay is how long step.started and log records of a running handler may lag. A handler that ends sooner records them
// with its outcome, for nothing.
const behindDelay = 5 * time.Millisecond

// slowTick is how often the log lines of long-running handlers are recorded.
const slowTick = 250 * time.Millisecond

// writeBehind records, for handlers that take their time, that they started and what they log.
type writeBehind struct {
	e    *Engine
	mu   sync.Mutex
	news []watched // in the order of their due time
	old  map[*stepRun]struct{}
	wake chan struct{}
}

type watched struct {
	w   *stepRun
	due time.Time
}

func (b *writeBehind) init(e *Engine) {
	b.e = e
	b.old = map[*stepRun]struct{}{}
	b.wake = make(chan struct{}, 1)
}

// watch takes note of a handler that begins.
func (b *writeBehind) watch(w *stepRun) {
	due := b.e.Clock.Now().Add(behindDelay)
	b.mu.Lock()
	b.news = append(b.news, watched{w, due})
	first := len(b.news) == 1
	b.mu.Unlock()
	if first {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
}

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
		if wait > 0 {
			if !b.e.sleep(ctx, wait) {
				return
			}
		}
		b.flush(ctx)
	}
}

// next returns how long until there is something to do.
func (b *writeBehind) next() (wait time.Duration, busy bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case len(b.news) > 0:
		return b.news[0].due.Sub(b.e.Clock.Now()), true
	case len(b.old) > 0:
		return slowTick, true
	}
	return 0, false
}

// flush records what is due.
func (b *writeBehind) flush(ctx context.Context) {
	now := b.e.Clock.Now()
	var due []*stepRun
	b.mu.Lock()
	n := 0
	for n < len(b.news) && !b.news[n].due.After(now) {
		if w := b.news[n].w; !w.claimed.taken.Load() {
			b.old[w] = struct{}{}
		}
		b.news[n] = watched{}
		n++
	}
	if b.news = b.news[n:]; len(b.news) == 0 {
		b.news = nil
	}
	for w := range b.old {
		if w.claimed.taken.Load() {
			delete(b.old, w)
			continue
		}
		due = append(due, w)
	}
	b.mu.Unlock()
	for _, w := range due {
		w.recordBehind(ctx)
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
		in.Start = w.start
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
