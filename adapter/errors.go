package adapter

import (
	"errors"
	"fmt"
	"strings"
)

// Errors that any method may return.
var (
	// ErrClosed: the adapter has been closed.
	ErrClosed = errors.New("adapter is closed")
	// ErrUnsupported: the adapter does not claim the capability that the call needs.
	ErrUnsupported = errors.New("not supported by this adapter")
	// ErrInvalid: an argument is malformed. Repeating the call will not help.
	ErrInvalid = errors.New("invalid argument")
	// ErrTooLarge: a payload exceeds what the backend takes. Repeating the call will not help.
	ErrTooLarge = errors.New("too large")
	// ErrUnavailable: the backend cannot be reached, or refused for a passing reason. Repeating the call may help.
	ErrUnavailable = errors.New("backend unavailable")
)

// Errors of Store methods.
var (
	// ErrConflict: a document is not at the expected version. The error is a [*Conflict] that carries the current ones.
	ErrConflict = errors.New("version conflict")
	// ErrCrossPartition: a batch names a document or a log outside its partition.
	ErrCrossPartition = errors.New("batch crosses partitions")
	// ErrNotFound: there is no such thing. (Get and Lookup leave missing items out instead.)
	ErrNotFound = errors.New("not found")
	// ErrTrimmed: the records asked for have been removed by retention. The error is a [*Trimmed].
	ErrTrimmed = errors.New("log is trimmed")
)

// Errors of Queue methods, and causes of a handler's context.
var (
	// ErrLeaseLost: the lease of the delivery has ended; another consumer may have the job.
	ErrLeaseLost = errors.New("lease lost")
	// ErrCanceled: the job or the run was cancelled while its handler ran.
	ErrCanceled = errors.New("canceled")
	// ErrTimeout: the delivery ran longer than the job's Timeout.
	ErrTimeout = errors.New("timed out")
)

// Error says what failed, where, and what to do about it. It wraps the cause.
type Error struct {
	Op      string // "enqueue", "commit"
	Adapter string // "redis"
	Err     error
	Hint    string // how to fix it; may be empty
}

// Error returns "redis: commit: <cause> (<hint>)".
func (e *Error) Error() string {
	var b strings.Builder
	if e.Adapter != "" {
		b.WriteString(e.Adapter)
		b.WriteString(": ")
	}
	if e.Op != "" {
		b.WriteString(e.Op)
		b.WriteString(": ")
	}
	if e.Err != nil {
		b.WriteString(e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString(" (")
		b.WriteString(e.Hint)
		b.WriteString(")")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Conflict is the error of a commit that met another version than it expected. It matches [ErrConflict].
type Conflict struct {
	// Current holds each document whose expectation failed, as it is now. Version Absent means that it does not exist.
	Current []Doc
}

// Error names the documents.
func (c *Conflict) Error() string {
	if len(c.Current) == 0 {
		return ErrConflict.Error()
	}
	names := make([]string, len(c.Current))
	for i, d := range c.Current {
		names[i] = fmt.Sprintf("%s/%s is at version %d", d.Collection, d.ID, d.Version)
	}
	return ErrConflict.Error() + ": " + strings.Join(names, ", ")
}

// Is reports whether target is ErrConflict.
func (c *Conflict) Is(target error) bool { return target == ErrConflict }

// Trimmed is the error of a read from before the first kept record. It matches [ErrTrimmed].
type Trimmed struct {
	Subject string
	First   uint64 // the first seq that is still there, or will be written next
}

// Error names the subject and the first kept record.
func (t *Trimmed) Error() string {
	return fmt.Sprintf("%v: %s starts at seq %d", ErrTrimmed, t.Subject, t.First)
}

// Is reports whether target is ErrTrimmed.
func (t *Trimmed) Is(target error) bool { return target == ErrTrimmed }
