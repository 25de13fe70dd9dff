package file

import (
	"context"
	"errors"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// fail returns the error of an operation.
func fail(op string, err error) error {
	if _, done := errors.AsType[*adapter.Error](err); done {
		return err
	}
	hint, explained := sqlite.Explain(err)
	return &adapter.Error{Op: op, Adapter: name, Err: explained, Hint: hint}
}

func invalid(op, what, hint string) error {
	return &adapter.Error{Op: op, Adapter: name, Err: fmt.Errorf("%w: %s", adapter.ErrInvalid, what), Hint: hint}
}

// usable returns an error once done is closed or the context has ended.
func usable(ctx context.Context, done <-chan struct{}, op string) error {
	select {
	case <-done:
		return fail(op, adapter.ErrClosed)
	default:
	}
	if ctx.Err() != nil {
		return fail(op, context.Cause(ctx))
	}
	return nil
}

// damaged is the error of a row whose checksum does not match.
func damaged(what string, args ...any) error {
	return fmt.Errorf("%w: the checksum of %s does not match", ErrCorrupt, fmt.Sprintf(what, args...))
}
