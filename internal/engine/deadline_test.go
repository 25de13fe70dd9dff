package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/nvent-go/nvent/flow"
)

func TestWithinEnds(t *testing.T) {
	t.Parallel()
	errMine := errors.New("mine")
	for name, tt := range map[string]struct {
		end   func(cancelParent context.CancelCauseFunc, end func())
		err   error
		cause error
	}{
		"by time":   {func(context.CancelCauseFunc, func()) { <-time.After(time.Second) }, context.DeadlineExceeded, context.DeadlineExceeded},
		"by parent": {func(p context.CancelCauseFunc, _ func()) { p(errMine) }, context.Canceled, errMine},
		"by end":    {func(_ context.CancelCauseFunc, end func()) { end() }, context.Canceled, context.Canceled},
	} {
		for _, asked := range []bool{true, false} {
			if name == "by end" && !asked {
				continue // nobody uses it any more
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					parent, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					c := within(parent, time.Second)
					defer c.end()
					if at, ok := c.Deadline(); !ok || at != time.Now().Add(time.Second) {
						t.Errorf("deadline %v, %v", at, ok)
					}
					derived := context.Context(c)
					if asked {
						var stop context.CancelFunc
						derived, stop = context.WithCancel(c)
						defer stop()
					}
					if err := c.Err(); err != nil {
						t.Errorf("Err %v at first", err)
					}
					tt.end(cancel, c.end)
					if asked {
						<-derived.Done()
					}
					if err := derived.Err(); !errors.Is(err, tt.err) {
						t.Errorf("Err %v, want %v", err, tt.err)
					}
					if err := c.Err(); !errors.Is(err, tt.err) {
						t.Errorf("Err %v, want %v", err, tt.err)
					}
					if cause := context.Cause(derived); !errors.Is(cause, tt.cause) {
						t.Errorf("cause %v, want %v", cause, tt.cause)
					}
				})
			})
		}
	}
}

func TestWithinKeepsAnEarlierDeadline(t *testing.T) {
	t.Parallel()
	parent, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want, _ := parent.Deadline()
	c := within(parent, time.Hour)
	defer c.end()
	if at, ok := c.Deadline(); !ok || at != want {
		t.Errorf("deadline %v, %v; want %v", at, ok, want)
	}
}

func TestJobIDIsAUUIDv5OfTheToken(t *testing.T) {
	t.Parallel()
	for _, token := range []flow.Token{{}, {Run: "0197c7a2-0000-7000-8000-000000000001", Epoch: 1, Step: "charge", Scope: "/", Dispatch: 3}} {
		if got, want := JobID(token), uuid.NewSHA1(jobSpace, []byte(token.String())).String(); got != want {
			t.Errorf("%+v: %s, want %s", token, got, want)
		}
	}
}
