package enginetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// Mode is what happens to one call of an adapter.
type Mode string

// The modes. The first four leave the process alive, the last two end it.
const (
	FailBefore Mode = "fail before" // the call fails, and has done nothing
	FailAfter  Mode = "fail after"  // the call fails, and has been applied: its outcome is unknown
	Late       Mode = "late"        // the call is applied long after its caller has lost patience and its lease
	Slow       Mode = "slow"        // the call is applied at once, and answered that late
	CutBefore  Mode = "cut before"  // the process is cut off for good before the call
	CutAfter   Mode = "cut after"   // and after it, before the answer
)

// Modes returns all modes.
func Modes() []Mode { return []Mode{FailBefore, FailAfter, Late, Slow, CutBefore, CutAfter} }

// faults counts the calls of one instance to its adapters, lets something happen to one of them, and can cut the instance off
// from its adapters, which stay. From then on all its calls fail.
type faults struct {
	at    int // the call that mode happens to; 0: none
	mode  Mode
	storm *storm        // nil, or what happens instead
	hold  time.Duration // of Late and Slow
	kill  func()        // of the adapters
	skew  time.Duration // of the instance's clock against the backend's

	dead context.Context // ended by the cut
	die  context.CancelCauseFunc
	late sync.WaitGroup

	mu    sync.Mutex
	calls int
	hit   string // what the fault has happened to
}

// errCut is what every call of an instance returns that has been cut off. Nobody sees it: the process is gone.
var errCut = fmt.Errorf("process has been cut off: %w", adapter.ErrClosed)

func newFaults(at int, m Mode, hold time.Duration) *faults {
	f := &faults{at: at, mode: m, hold: hold}
	f.dead, f.die = context.WithCancelCause(context.Background())
	return f
}

// cut ends the process.
func (f *faults) cut() {
	f.die(errCut)
	f.kill()
}

func (f *faults) isDead() bool { return f.dead.Err() != nil }

// next counts a call and returns what happens to it, if anything.
func (f *faults) next(op string) Mode {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	m := Mode("")
	switch {
	case f.storm != nil:
		m = f.storm.next()
	case f.calls == f.at:
		m = f.mode
	}
	if m != "" {
		f.hit = op
	}
	return m
}

// happened returns what the fault has happened to, or "".
func (f *faults) happened() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hit
}

func injected(op, how string) error {
	return &adapter.Error{Op: op, Adapter: "enginetest", Err: fmt.Errorf("injected fault, %s: %w", how, adapter.ErrUnavailable)}
}

// faulty makes a call of an adapter, or lets happen what is to happen to it.
func faulty[T any](ctx context.Context, f *faults, op string, do func(context.Context) (T, error)) (T, error) {
	var none T
	if f.isDead() {
		return none, errCut
	}
	switch m := f.next(op); m {
	case "":
		v, err := do(ctx)
		if f.isDead() {
			return none, errCut
		}
		return v, err
	case FailBefore:
		return none, injected(op, "not applied")
	case FailAfter:
		if v, err := do(ctx); err != nil {
			return v, err
		}
		return none, injected(op, "applied")
	case Late:
		return late(ctx, f, do)
	case Slow:
		v, err := do(ctx)
		if !f.wait(ctx) {
			return none, context.Cause(ctx)
		}
		return v, err
	case CutAfter:
		_, _ = do(ctx) // nobody learns what came of it
	}
	f.cut()
	return none, errCut
}

// late makes a call after a while, whether or not somebody still waits for it. What a process had under way when it died is
// lost.
func late[T any](ctx context.Context, f *faults, do func(context.Context) (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	done := make(chan answer, 1)
	f.late.Go(func() {
		if !f.wait(f.dead) {
			return
		}
		v, err := do(context.WithoutCancel(ctx))
		done <- answer{v, err}
	})
	select {
	case a := <-done:
		return a.v, a.err
	case <-f.dead.Done():
		var none T
		return none, errCut
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// wait waits for as long as a call of mode Late or Slow takes, and reports false when ctx ends before.
func (f *faults) wait(ctx context.Context) bool {
	t := time.NewTimer(f.hold)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// blocking makes a call that blocks for as long as it is good. A process can be cut off before it, or when it is ready, and it
// can be late. It fails only where fails is set: by contract Consume ends with an error for good only.
func (f *faults) blocking(ctx context.Context, op string, fails bool, ready func(), call func(ctx context.Context, ready func()) error) error {
	if f.isDead() {
		return errCut
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.dead, cancel)()
	mode := f.next(op)
	switch {
	case mode == CutBefore:
		f.cut()
	case mode == FailBefore && fails:
		return injected(op, "not begun")
	case mode == Late && !f.wait(ctx):
		return nil
	}
	err := call(ctx, func() {
		switch {
		case mode == CutAfter:
			f.cut()
		case mode == FailAfter && fails:
			cancel()
		}
		if ready != nil {
			ready()
		}
	})
	switch {
	case f.isDead():
		return errCut
	case mode == FailAfter && fails:
		return injected(op, "ended")
	}
	return err
}

// wrap returns the trio with the faults around it.
func (f *faults) wrap(t Trio) Trio {
	return Trio{Queue: faultyQueue{t.Queue, f}, Stream: faultyStream{t.Stream, f}, Store: faultyStore{t.Store, f}}
}
