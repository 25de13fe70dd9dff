package nvent

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestWrapWrapsOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"plain", context.Canceled, "redis: enqueue: context canceled"},
		{"hinted", hinted(ErrTooLarge, "pass a reference"), "redis: enqueue: too large (pass a reference)"},
		{"about", about("job 2", hinted(ErrTooLarge, "pass a reference")), "redis: enqueue: job 2: too large (pass a reference)"},
		{"about plain", about("job 2", ErrClosed), "redis: enqueue: job 2: adapter is closed"},
		{"of the driver", &Error{Op: "connect", Adapter: "redis", Err: ErrUnavailable, Hint: "is it up?"},
			"redis: enqueue: backend unavailable (is it up?)"},
		{"twice", wrap("postgres", "copy", ErrClosed), "postgres: enqueue: adapter is closed"},
		{"deeper down", fmt.Errorf("second try: %w", wrap("redis", "ping", ErrClosed)),
			"redis: enqueue: second try: redis: ping: adapter is closed"},
	} {
		got := wrap("redis", "enqueue", c.err)
		if got.Error() != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		var e *Error
		if !errors.As(got, &e) || e.Adapter == "" || e.Op == "" {
			t.Errorf("%s: %#v is no *Error of an adapter and an operation", c.name, got)
		}
	}
	if err := wrap("redis", "enqueue", nil); err != nil {
		t.Errorf("wrap of nil: %v", err)
	}
	if err := wrap("redis", "enqueue", about("job", hinted(ErrTooLarge, "smaller"))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v does not match its cause", err)
	}
}
