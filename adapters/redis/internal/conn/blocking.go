package conn

import (
	"context"
	"time"
)

// Blocking returns a context for a blocking read: it ends with ctx, or after d, but has no deadline. The client library lets
// go of a blocking command at once when its context ends, unless the context has a deadline: then it waits for that, and
// nothing else. After an end the connection must be closed, as the server may still answer.
func Blocking(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	free, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	timer := time.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	return free, func() {
		timer.Stop()
		stop()
		cancel(nil)
	}
}
