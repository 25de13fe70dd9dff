package queue

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// Limits bound a queue as a whole, over all consumers in Go and in Node. The zero value is without bounds.
type Limits struct {
	// Concurrency is how many jobs may be active at once.
	Concurrency int
	// Rate is how many jobs may start in each window of Per. BullMQ counts in fixed windows, which begin with a start.
	Rate int
	Per  time.Duration
}

// SetLimits sets the limits of a queue, those that are zero as well. It is what BullMQ's setGlobalConcurrency and
// setGlobalRateLimit do.
func (q *Queue) SetLimits(ctx context.Context, queue string, l Limits) error {
	const op = "set limits"
	base, err := q.base(op, queue)
	if err != nil {
		return err
	}
	if l.Concurrency < 0 || l.Rate < 0 || (l.Rate > 0) != (l.Per >= time.Millisecond) {
		return conn.Invalid(op, fmt.Sprintf("%+v", l), "Rate and Per go together, Per is a millisecond or more, and nothing is negative")
	}
	if _, err := q.run(ctx, op, limitScript, base, strconv.Itoa(l.Concurrency), strconv.Itoa(l.Rate),
		strconv.FormatInt(l.Per.Milliseconds(), 10)); err != nil {
		return err
	}
	return q.remember(ctx, queue)
}
