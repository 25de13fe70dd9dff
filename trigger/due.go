package trigger

import (
	"slices"
	"time"
)

// Grace is how late a tick may be under [CatchUpNone].
const Grace = time.Minute

// MaxBatch is how many ticks are due at a time. The others follow at once.
const MaxBatch = 16

// DefaultLimit is how many missed ticks fire under [CatchUpAll] without a limit.
const DefaultLimit = 100

// maxCounted bounds the count of ticks that are left out.
const maxCounted = 1000

// Due is what a schedule comes to at some time.
type Due struct {
	Fire    []time.Time // the ticks to fire, the oldest first, at most MaxBatch
	Skipped int         // how many were left out; 1000 stands for that many or more
	// Last is the tick that has been dealt with, and all before it: the last argument of the next call.
	Last time.Time
	// Next is when there is something to do again: the next tick, or now if not all ticks fitted into Fire. Zero: never.
	Next time.Time
}

// Due decides which ticks after last fire at now. made is when the trigger was made, or its schedule last changed: intervals
// and delays count from it. It is a pure function; a now before last changes nothing.
func (t *Trigger) Due(last, made, now time.Time) Due {
	d := Due{Last: last}
	if t.paused || t.next == nil {
		return d
	}
	latest, missed := t.latest(last, made, now)
	if !missed {
		d.Next = t.next(last, made)
		return d
	}
	d.Last = latest
	first := latest
	switch {
	case t.catchUp == CatchUpAll:
		d.Fire = t.upTo(latest, last, made, t.limit)
		first = d.Fire[0]
	case t.catchUp == CatchUpLast || now.Sub(latest) <= Grace:
		d.Fire = []time.Time{latest}
	}
	d.Skipped = t.count(last, made, first)
	if len(d.Fire) > 0 {
		d.Skipped--
	}
	if len(d.Fire) > MaxBatch {
		d.Fire = d.Fire[:MaxBatch]
		d.Last, d.Next = d.Fire[MaxBatch-1], now
		return d
	}
	d.Next = t.next(d.Last, made)
	return d
}

// Next returns the first tick after last, or the zero time.
func (t *Trigger) Next(last, made time.Time) time.Time {
	if t.paused || t.next == nil {
		return time.Time{}
	}
	return t.next(last, made)
}

// latest returns the last tick in (after, now]. It looks for it by halves, as there may be years of ticks.
func (t *Trigger) latest(after, made, now time.Time) (time.Time, bool) {
	tick := t.next(after, made)
	if tick.IsZero() || tick.After(now) {
		return time.Time{}, false
	}
	// tick is one; behind high there is none.
	for high := now; ; {
		next := t.next(tick, made)
		if next.IsZero() || next.After(high) {
			return tick, true
		}
		tick = next
		for high.Sub(tick) > time.Second {
			middle := tick.Add(high.Sub(tick) / 2)
			if next := t.next(middle, made); next.IsZero() || next.After(high) {
				high = middle
			} else {
				tick = next
			}
		}
	}
}

// upTo returns the last n ticks in (after, latest], in their order.
func (t *Trigger) upTo(latest, after, made time.Time, n int) []time.Time {
	ticks := []time.Time{latest}
	for len(ticks) < n {
		tick, ok := t.latest(after, made, ticks[len(ticks)-1].Add(-time.Millisecond))
		if !ok {
			break
		}
		ticks = append(ticks, tick)
	}
	slices.Reverse(ticks)
	return ticks
}

// count returns how many ticks there are in (after, latest], up to a bound.
func (t *Trigger) count(after, made, latest time.Time) int {
	n := 0
	for tick := t.next(after, made); !tick.IsZero() && !tick.After(latest) && n < maxCounted; tick = t.next(tick, made) {
		n++
	}
	return n
}
