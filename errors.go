package nvent

import (
	"fmt"

	"github.com/nvent-go/nvent/adapter"
)

// Error says what failed, on which adapter, and what to do about it. It wraps the cause, so errors.Is finds the sentinels
// below in it. What [Queue], [Stream] and [Store] return is an *Error.
type Error = adapter.Error

// Conflict carries the documents that were not at the expected version. It matches [ErrConflict].
type Conflict = adapter.Conflict

// Trimmed carries the first record of a log that is still there. It matches [ErrTrimmed].
type Trimmed = adapter.Trimmed

// Errors that any method may return.
var (
	// ErrClosed: the App, or what was called, has been closed.
	ErrClosed = adapter.ErrClosed
	// ErrUnsupported: the adapter in use cannot do it.
	ErrUnsupported = adapter.ErrUnsupported
	// ErrInvalid: an argument is malformed. Repeating the call will not help.
	ErrInvalid = adapter.ErrInvalid
	// ErrTooLarge: a payload exceeds the limit. Repeating the call will not help.
	ErrTooLarge = adapter.ErrTooLarge
	// ErrUnavailable: the backend cannot be reached, or refused for a passing reason. Repeating the call may help.
	ErrUnavailable = adapter.ErrUnavailable
	// ErrNotFound: there is no such thing.
	ErrNotFound = adapter.ErrNotFound
	// ErrConflict: a document is not at the expected version. The error is a [*Conflict] that carries the current ones.
	ErrConflict = adapter.ErrConflict
	// ErrTrimmed: the records asked for have been removed by retention. The error is a [*Trimmed].
	ErrTrimmed = adapter.ErrTrimmed
)

// Causes of the end of a handler's context.
var (
	// ErrLeaseLost: the lease of the job has ended; another worker may have it.
	ErrLeaseLost = adapter.ErrLeaseLost
	// ErrCanceled: the job or the run was cancelled while its handler ran.
	ErrCanceled = adapter.ErrCanceled
	// ErrTimeout: the handler ran longer than its timeout.
	ErrTimeout = adapter.ErrTimeout
)

// Page is a part of a list. Next is empty at the end, else the Cursor of the next page.
type Page[T any] = adapter.Page[T]

// wrap returns err as an [*Error] of what the user called. It wraps once: what a driver, or a method that another one calls,
// has said about its own operation is replaced; its cause and its advice stay.
func wrap(name, op string, err error) error {
	if err == nil {
		return nil
	}
	e := Error{Op: op, Adapter: name, Err: err}
	if inner, ok := outermost(err); ok {
		e.Err, e.Hint = inner.Err, inner.Hint
		if inner.Adapter != "" {
			e.Adapter = inner.Adapter
		}
	}
	return &e
}

// hinted returns err with advice, for wrap to put into an [*Error].
func hinted(err error, hint string) error { return &Error{Err: err, Hint: hint} }

// about returns err with what it is about in front. The advice of an [*Error] stays at its end.
func about(what string, err error) error {
	if e, ok := outermost(err); ok {
		more := *e
		more.Err = fmt.Errorf("%s: %w", what, e.Err)
		return &more
	}
	return fmt.Errorf("%s: %w", what, err)
}

// outermost returns err if it is itself an [*Error]. One that it wraps is a cause like any other.
func outermost(err error) (*Error, bool) {
	e, ok := err.(*Error) //nolint:errorlint // see above
	return e, ok
}
