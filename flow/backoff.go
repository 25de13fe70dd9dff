package flow

import "time"

// Delay returns how long to wait after attempt n (from 1) has failed. random, 0..1, decides within the jitter.
func (b Backoff) Delay(n int, random float64) time.Duration {
	d := time.Duration(b.Base)
	limit := time.Duration(b.Max)
	if b.Kind == BackoffExponential {
		const longest = time.Duration(1<<63 - 1)
		for i := 1; i < n && (limit == 0 || d < limit); i++ {
			if d > longest/2 {
				d = longest
				break
			}
			d *= 2
		}
	}
	if limit > 0 {
		d = min(d, limit)
	}
	fixed := float64(d) * (1 - b.Jitter)
	return min(d, time.Duration(fixed+float64(d)*b.Jitter*random))
}
