package enginetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

// world is what a check works with: a backend, the instances that it starts over it, and ways to wait.
type world struct {
	h       Harness
	backend filled
	logs    logBuffer
	// over is closed when the check is over, so that no handler outlives it.
	over chan struct{}

	mu        sync.Mutex
	instances []*instance
	tasks     sync.WaitGroup
}

// instance is an App over adapters of its own: what a process is.
type instance struct {
	*nvent.App
	name   string
	trio   Trio // without faults
	faults *faults
	gone   bool
}

func newWorld(ctx context.Context, h Harness) (*world, error) {
	b, err := h.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("open backend: %w", err)
	}
	return &world{h: h, backend: filled{b, memory.New(nil)}, over: make(chan struct{})}, nil
}

// setup says how an instance is to be.
type setup struct {
	faults *faults                // nil: none
	queue  func(shared Trio) Trio // nil: the backend's own
	config func(*nvent.Config)    // nil: as it is
	start  bool                   // let it run, and not only look
	defs   []any
}

// start starts an instance that runs defs.
func (w *world) start(ctx context.Context, defs ...any) (*instance, error) {
	return w.open(ctx, setup{start: true, defs: defs})
}

// open opens an instance. An instance that could not be opened whole is returned together with the error: its process has
// died then.
func (w *world) open(ctx context.Context, s setup) (*instance, error) {
	i := &instance{faults: s.faults}
	if i.faults == nil {
		i.faults = newFaults(0, "", 0)
	}
	t, kill, err := w.backend.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open adapters: %w", err)
	}
	i.trio, i.faults.kill = t, kill
	if s.queue != nil {
		i.trio = s.queue(t)
	}
	w.mu.Lock()
	i.name = fmt.Sprintf("instance %d", len(w.instances)+1)
	w.instances = append(w.instances, i)
	w.mu.Unlock()
	used := i.faults.wrap(i.trio)
	c := nvent.Config{
		Queue: nvent.QueueConfig{Driver: used.Queue}, Stream: nvent.StreamConfig{Driver: used.Stream},
		Store:  nvent.StoreConfig{Driver: used.Store},
		Logger: slog.New(slog.NewTextHandler(&w.logs, &slog.HandlerOptions{Level: slog.LevelInfo})).With("in", i.name),
	}
	if i.faults.skew != 0 {
		c.Clock = skewed{i.faults.skew}
	}
	if s.config != nil {
		s.config(&c)
	}
	if i.App, err = nvent.New(ctx, c); err != nil {
		return i, fmt.Errorf("%s: new: %w", i.name, err)
	}
	if err := i.Add(s.defs...); err != nil {
		return i, fmt.Errorf("%s: add: %w", i.name, err)
	}
	if !s.start {
		return i, nil
	}
	if err := i.Start(ctx); err != nil {
		return i, fmt.Errorf("%s: start: %w", i.name, err)
	}
	return i, nil
}

// stop closes an instance gracefully.
func (w *world) stop(i *instance) error {
	if i.gone {
		return nil
	}
	i.gone = true
	if i.App == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.h.Patience)
	defer cancel()
	if err := i.Close(ctx); err != nil {
		return fmt.Errorf("close %s: %w", i.name, err)
	}
	return nil
}

// kill ends an instance as kill -9 would, and waits until nothing of it runs.
func (w *world) kill(i *instance) {
	i.faults.cut()
	w.bury(i)
}

// bury frees what a dead process has left in this one.
func (w *world) bury(i *instance) {
	if i.gone {
		return
	}
	i.gone = true
	if !i.faults.isDead() {
		i.faults.cut()
	}
	if i.App != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = i.Close(ctx) // whether a dead process closes well nobody asks
	}
}

// close ends what the check left running. Instances that live have to close well.
func (w *world) close() error {
	close(w.over)
	var errs []error
	w.mu.Lock()
	instances := w.instances
	w.mu.Unlock()
	for _, i := range instances {
		errs = append(errs, w.stop(i))
	}
	w.tasks.Wait()
	for _, i := range instances {
		i.faults.late.Wait()
		i.faults.die(errCut)
		_ = i.trio.close() // closing adapters has checks in adaptertest
	}
	if w.backend.Close != nil {
		errs = append(errs, w.backend.Close())
	}
	return errors.Join(errs...)
}

// task runs f in a goroutine that the check waits for at its end.
func (w *world) task(f func() error) <-chan error {
	done := make(chan error, 1)
	w.tasks.Go(func() { done <- guarded(f) })
	return done
}

// until polls cond until it holds. An error of cond ends the wait.
func (w *world) until(ctx context.Context, what string, cond func() (bool, error)) error {
	return w.within(ctx, w.h.Patience, what, cond)
}

// within polls cond until it holds, at most for d.
func (w *world) within(ctx context.Context, d time.Duration, what string, cond func() (bool, error)) error {
	longest := 50 * time.Millisecond
	if w.h.Bubble {
		longest = time.Second
	}
	wait := time.Millisecond
	for deadline := time.Now().Add(d); ; wait = min(2*wait, longest) {
		ok, err := cond()
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		if ok {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not so after %v", what, d)
		}
		if err := pause(ctx, wait); err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
	}
}

// drained waits until the queues of instances hold no unfinished job, at most for d.
func (w *world) drained(ctx context.Context, d time.Duration, instances func() ([]*instance, error)) error {
	var left adapter.QueueStats
	err := w.within(ctx, d, "the queues are empty", func() (bool, error) {
		list, err := instances()
		if err != nil {
			return false, err
		}
		for _, i := range list {
			stats, err := i.trio.Queue.Stats(ctx)
			if err != nil && i.faults.isDead() {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			for _, q := range stats {
				if q.Counts[adapter.JobWaiting]+q.Counts[adapter.JobActive]+q.Counts[adapter.JobDelayed] > 0 {
					left = q
					return false, nil
				}
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("%w (queue %q: %v)", err, left.Queue, left.Counts)
	}
	return nil
}

// signal waits until c is closed or sends.
func (w *world) signal(ctx context.Context, what string, c <-chan struct{}) error {
	t := time.NewTimer(w.h.Patience)
	defer t.Stop()
	select {
	case <-c:
		return nil
	case <-t.C:
		return fmt.Errorf("%s: not so after %v", what, w.h.Patience)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// skewed is a clock that is ahead of package time.
type skewed struct{ ahead time.Duration }

func (s skewed) Now() time.Time { return time.Now().Add(s.ahead) }

func (s skewed) AfterFunc(d time.Duration, f func()) adapter.Timer { return time.AfterFunc(d, f) }

// logBuffer keeps what instances log, the last of it, for the message of a failure.
type logBuffer struct {
	mu    sync.Mutex
	lines []string
}

const keptLines = 40

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lines) >= 2*keptLines {
		b.lines = append(b.lines[:0], b.lines[keptLines:]...)
	}
	b.lines = append(b.lines, string(p))
	return len(p), nil
}

// explain adds the last of the log to an error.
func (b *logBuffer) explain(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil || len(b.lines) == 0 {
		return err
	}
	last := b.lines[max(0, len(b.lines)-keptLines):]
	return fmt.Errorf("%w\nthe instances logged:\n%s", err, strings.Join(last, ""))
}
