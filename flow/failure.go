package flow

import (
	"errors"
	"time"
)

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

type retryError struct {
	err   error
	delay time.Duration
}

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

// Permanent marks an error that no further attempt can cure: the step fails at once, whatever attempts remain.
// Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// IsPermanent reports whether err, or an error that it wraps, is marked by [Permanent].
func IsPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}

// RetryAfter marks an error with how long to wait before the next attempt, in place of the step's back-off. It gives no
// further attempts. A negative delay counts as none. RetryAfter(nil, d) is nil.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryError{err, max(d, 0)}
}

// RetryDelay returns the delay that [RetryAfter] gave to err, or to an error that it wraps, and whether it did.
func RetryDelay(err error) (d time.Duration, ok bool) {
	var r *retryError
	if !errors.As(err, &r) {
		return 0, false
	}
	return r.delay, true
}
