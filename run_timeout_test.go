package nvent_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

func TestStepTimeout(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		timeout time.Duration
		ignore  bool // the handler does not look at its context
		after   time.Duration
		message string
	}{
		"short":              {timeout: 3 * time.Millisecond, after: 3 * time.Millisecond, message: "ran longer than 3ms"},
		"long":               {timeout: time.Minute, after: time.Minute, message: "ran longer than 1m0s"},
		"short and ignored":  {timeout: 3 * time.Millisecond, ignore: true, after: 5003 * time.Millisecond, message: "still running 5s after"},
		"long and ignored":   {timeout: time.Minute, ignore: true, after: 65 * time.Second, message: "still running 5s after"},
		"not reached at all": {timeout: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				f := flow.New[int, int]("slow")
				var o []flow.Option
				if tt.timeout > 0 {
					o = append(o, flow.Timeout(tt.timeout))
				}
				release := make(chan struct{})
				flow.Returns(f, flow.Start(f, "wait", func(ctx context.Context, n int) (int, error) {
					if tt.timeout == 0 {
						time.Sleep(time.Minute) // in the bubble
						return n, ctx.Err()
					}
					if tt.ignore {
						<-release
						return n, nil
					}
					<-ctx.Done()
					return n, context.Cause(ctx)
				}, o...))
				app, err := nvent.New(ctx, nvent.Config{Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				defer func() {
					close(release)
					if err := app.Close(context.WithoutCancel(ctx)); err != nil {
						t.Error(err)
					}
				}()
				if err := errors.Join(app.Add(f), app.Start(ctx)); err != nil {
					t.Fatal(err)
				}
				from := time.Now()
				run, err := nvent.Start(ctx, app, f, 7)
				if err != nil {
					t.Fatal(err)
				}
				got, err := run.Wait(ctx)
				took := time.Since(from)
				if tt.timeout == 0 {
					if err != nil || got != 7 {
						t.Errorf("result %d, %v", got, err)
					}
					return
				}
				if took != tt.after || err == nil || !strings.Contains(err.Error(), tt.message) {
					t.Errorf("after %v: %v; want after %v and %q", took, err, tt.after, tt.message)
				}
			})
		})
	}
}
