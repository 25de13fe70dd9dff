package conn

import (
	"context"
	"time"
)

// Blocking returns a context for a blocking read: it ends with ctx, or after d, but has no deadline. The client library lets
// go of a blocking command at once when its context ends, unless the context has a deadline: then it waits for that, and
// nothing else. After an end the connection must be closed, as the server may still answer.
func Blocking(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
	return ctx, func() {
		timer.Stop()
		cancel(nil)
	}
}
