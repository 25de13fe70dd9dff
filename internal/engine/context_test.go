package engine

import (
	"context"
	"errors"
	"testing"
)

func TestHandlerContextEnds(t *testing.T) {
	t.Parallel()
	errMine := errors.New("mine")
	for name, tt := range map[string]struct {
		end  func(c *handlerContext, cancelParent context.CancelCauseFunc, abort context.CancelFunc)
		want error
	}{
		"by cancel":   {func(c *handlerContext, _ context.CancelCauseFunc, _ context.CancelFunc) { c.end(errMine) }, errMine},
		"by delivery": {func(_ *handlerContext, p context.CancelCauseFunc, _ context.CancelFunc) { p(errMine) }, errMine},
		"by abort":    {func(_ *handlerContext, _ context.CancelCauseFunc, a context.CancelFunc) { a() }, errShutdown},
		"by return":   {func(c *handlerContext, _ context.CancelCauseFunc, _ context.CancelFunc) { c.end(nil) }, context.Canceled},
	} {
		for _, asked := range []string{"before", "after"} {
			t.Run(name+", asked "+asked, func(t *testing.T) {
				t.Parallel()
				parent, cancelParent := context.WithCancelCause(t.Context())
				defer cancelParent(nil)
				abort, stop := context.WithCancel(t.Context())
				defer stop()
				c := newHandlerContext(parent, abort)
				if asked == "before" {
					select {
					case <-c.Done():
						t.Fatal("ended at once")
					default:
					}
				}
				if err := c.Err(); err != nil {
					t.Fatalf("Err %v at first", err)
				}
				derived, cancel := context.WithCancel(c)
				defer cancel()
				if asked == "after" {
					derived = c
				}
				tt.end(c, cancelParent, stop)
				<-derived.Done()
				<-c.Done()
				if err := c.Err(); !errors.Is(err, context.Canceled) {
					t.Errorf("Err is %v, want Canceled", err)
				}
				if cause := context.Cause(derived); !errors.Is(cause, tt.want) {
					t.Errorf("cause %v, want %v", cause, tt.want)
				}
				c.end(errors.New("too late"))
				if cause := context.Cause(c); !errors.Is(cause, tt.want) {
					t.Errorf("cause %v after a second end, want %v", cause, tt.want)
				}
			})
		}
	}
}
