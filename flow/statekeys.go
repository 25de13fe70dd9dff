package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nvent-go/nvent/internal/decode"
)

// SetOption sets a property of a state document.
type SetOption struct{ ttl time.Duration }

// TTL lets the document expire d after it has been set. Without it the document lives as long as its run.
func TTL(d time.Duration) SetOption { return SetOption{d} }

// Set writes a document of the run's state. Like an emission it waits in the attempt, and takes effect if and only if the
// attempt succeeds; until then only this attempt sees it. v is encoded now. It does not block.
//
// A key is 1 to 256 bytes without control characters. What [Event.Emit] says of errors holds here too.
func Set[T any](ctx context.Context, key string, v T, o ...SetOption) error {
	a, err := attemptOf(ctx)
	if err != nil {
		return fmt.Errorf("set state %q: %w", key, err)
	}
	b, err := encode(v)
	if err != nil {
		return fmt.Errorf("set state %q: encode %T: %w", key, v, err)
	}
	op := StateOp{Op: OpSet, Key: key, Value: b}
	for _, s := range o {
		if s.ttl <= 0 {
			return fmt.Errorf("set state %q: a TTL of %s is no time to live: use more than 0, or leave it out", key, s.ttl)
		}
		op.TTL = Duration(s.ttl)
	}
	return a.change(op)
}

// Delete removes a document of the run's state when the attempt succeeds. Removing one that does not exist is no error.
func Delete(ctx context.Context, key string) error {
	a, err := attemptOf(ctx)
	if err != nil {
		return fmt.Errorf("delete state %q: %w", key, err)
	}
	return a.change(StateOp{Op: OpDelete, Key: key})
}

// Add adds delta to a document that holds a number, when the attempt succeeds. A document that does not exist counts as 0.
// Steps that run at the same time may all add to one document: no addition is lost.
func Add(ctx context.Context, key string, delta int64) error {
	a, err := attemptOf(ctx)
	if err != nil {
		return fmt.Errorf("add to state %q: %w", key, err)
	}
	return a.change(StateOp{Op: OpAdd, Key: key, Value: raw(delta)})
}

// Get reads a document of the run's state, as committed and with this attempt's own changes, and reports whether it exists.
// It may block on the store. A document that is not a T is an error.
func Get[T any](ctx context.Context, key string) (v T, ok bool, err error) {
	a, err := attemptOf(ctx)
	if err != nil {
		return v, false, fmt.Errorf("get state %q: %w", key, err)
	}
	b, err := a.state(ctx, key)
	if err != nil {
		return v, false, fmt.Errorf("get state %q: %w", key, err)
	}
	if b == nil {
		return v, false, nil
	}
	if err := decode.JSON(b, &v); err != nil {
		return v, false, fmt.Errorf("get state %q: decode as %T: %w", key, v, err)
	}
	return v, true, nil
}

// change buffers a state operation.
func (a *Attempt) change(op StateOp) error {
	err := badStateKey(op.Key)
	if err == nil && op.Op != OpDelete {
		err = a.check(op.Value)
	}
	if err == nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		if !a.ended {
			a.ops = append(a.ops, op)
			return nil
		}
		err = ErrStepEnded
	}
	return fmt.Errorf("%s state %q from step %q: %w", op.Op, op.Key, a.Step, err)
}

func badStateKey(key string) error {
	switch {
	case key == "":
		return errors.New("the key is empty: name the document")
	case len(key) > maxEvent:
		return fmt.Errorf("the key has %d bytes: use at most %d", len(key), maxEvent)
	case !utf8.ValidString(key) || strings.ContainsFunc(key, unicode.IsControl):
		return errors.New("the key has control characters or broken UTF-8: use printable characters")
	}
	return nil
}

// state returns a document with the attempt's own operations applied, or nil if it does not exist.
func (a *Attempt) state(ctx context.Context, key string) (json.RawMessage, error) {
	if err := badStateKey(key); err != nil {
		return nil, err
	}
	ops, err := a.opsOf(key)
	if err != nil {
		return nil, err
	}
	var b json.RawMessage
	if (len(ops) == 0 || ops[0].Op == OpAdd) && a.ReadState != nil {
		if b, err = a.ReadState(ctx, key); err != nil {
			return nil, err
		}
	}
	for _, op := range ops {
		switch op.Op {
		case OpSet:
			b = op.Value
		case OpDelete:
			b = nil
		case OpAdd:
			if b, err = AddNumbers(b, op.Value); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// opsOf returns the buffered operations on a document, from the last one on that makes earlier ones meaningless.
func (a *Attempt) opsOf(key string) ([]StateOp, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return nil, ErrStepEnded
	}
	var ops []StateOp
	for _, op := range a.ops {
		if op.Key != key {
			continue
		}
		if op.Op != OpAdd {
			ops = ops[:0]
		}
		ops = append(ops, op)
	}
	return ops, nil
}
