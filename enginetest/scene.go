package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
	"github.com/nvent-go/nvent/internal/engine"
)

// skew is how far the clocks of skewed instances are off.
const skew = 5 * time.Minute

// scene is one play of a scenario.
type scene struct {
	Crash
	w        *world
	trouble  trouble
	first    *faults // of the first instance
	launched int
	alive    []*instance
	died     chan struct{} // somebody has
	eyes     *instance     // looks, and runs nothing
}

func (s *scene) play(ctx context.Context) ([]RunLog, error) {
	var err error
	if s.eyes, err = s.w.open(ctx, setup{queue: s.queue(ctx)}); err != nil {
		return nil, err
	}
	if err := s.launch(ctx); err != nil {
		return nil, err
	}
	if s.Variant.Both {
		if err := s.launch(ctx); err != nil {
			return nil, err
		}
	}
	var run string
	err = s.client(ctx, func(ctx context.Context, app *nvent.App) (err error) {
		run, err = s.Scenario.Start(ctx, app)
		return err
	})
	if err == nil && s.Scenario.Act != nil {
		err = s.client(ctx, func(ctx context.Context, app *nvent.App) error { return s.Scenario.Act(ctx, app, run) })
	}
	if err != nil {
		return nil, err
	}
	ended := s.w.task(func() error {
		_, err := nvent.RunOf[json.RawMessage](s.eyes.App, run).Wait(ctx)
		return err
	})
	if err := s.watch(ctx, run, ended); err != nil {
		return nil, err
	}
	logs, err := s.logs(ctx)
	if err != nil {
		return nil, err
	}
	return logs, s.drained(ctx)
}

// launch starts an instance: the first one with the fault, the others without. One that cannot start because of its fault is
// a process that has died.
func (s *scene) launch(ctx context.Context) error {
	s.launched++
	f := s.trouble.of(s.launched, s.Variant, 4*s.w.h.Lease)
	if s.launched == 1 {
		s.first = f
	}
	if s.Variant.Skewed {
		f.skew = skew
		if s.launched%2 == 0 {
			f.skew = -skew
		}
	}
	context.AfterFunc(f.dead, func() {
		select {
		case s.died <- struct{}{}:
		default:
		}
	})
	i, err := s.w.open(ctx, setup{faults: f, queue: s.queue(ctx), start: true, defs: s.Scenario.Flows()})
	switch {
	case err == nil:
		s.alive = append(s.alive, i)
	case i != nil:
		s.w.bury(i)
		if f.happened() != "" {
			return nil
		}
	}
	return err
}

// queue returns how instances get their queues.
func (s *scene) queue(ctx context.Context) func(Trio) Trio {
	return func(t Trio) Trio {
		if s.Variant.Local {
			t.Queue = memory.New(nil).Queue()
			t.Store = sharedStore{t.Store}
		}
		if s.Scenario.Foreign != nil {
			s.w.task(func() error { return s.Scenario.Foreign(ctx, t.Queue) })
		}
		return t
	}
}

// sharedStore is a store in memory that claims to be shared: by instances that stand for processes it is.
type sharedStore struct{ adapter.Store }

func (s sharedStore) Info() adapter.Info {
	i := s.Store.Info()
	i.Scope = adapter.ScopeShared
	return i
}

// replaced buries the dead and starts a new instance if nobody is left.
func (s *scene) replaced(ctx context.Context) error {
	var alive []*instance
	for _, i := range s.alive {
		if i.faults.isDead() {
			s.w.bury(i)
		} else {
			alive = append(alive, i)
		}
	}
	s.alive = alive
	if len(alive) > 0 {
		return nil
	}
	if s.Variant.Forgets {
		if err := s.forget(ctx); err != nil {
			return err
		}
	}
	for len(s.alive) == 0 {
		if err := s.launch(ctx); err != nil {
			return err
		}
	}
	return nil
}

// forget takes all jobs out of the queue.
func (s *scene) forget(ctx context.Context) error {
	q := s.eyes.trio.Queue
	stats, err := q.Stats(ctx)
	if err != nil {
		return err
	}
	for _, st := range stats {
		for _, a := range []adapter.JobAction{adapter.ActionCancel, adapter.ActionRemove} {
			for n := 1; n > 0 && err == nil; {
				n, err = q.Apply(ctx, st.Queue, a, adapter.Selection{Query: &adapter.JobQuery{}})
			}
			if err != nil {
				return fmt.Errorf("let the queue forget: %w", err)
			}
		}
	}
	return nil
}

// client does something on an instance that lives, until it has succeeded.
func (s *scene) client(ctx context.Context, do func(context.Context, *nvent.App) error) error {
	var last error
	for try := range 100 {
		if try > 0 {
			if err := pause(ctx, s.w.h.Quiet); err != nil {
				return err
			}
		}
		if err := s.replaced(ctx); err != nil {
			return err
		}
		i := s.alive[0]
		// The process of a caller ends with the caller.
		call, cancel := context.WithCancel(ctx)
		stop := context.AfterFunc(i.faults.dead, cancel)
		last = do(call, i.App)
		stop()
		cancel()
		if last == nil || ctx.Err() != nil {
			return last
		}
	}
	return fmt.Errorf("still failing at the hundredth time: %w", last)
}

// patience is how long the scene waits for what must happen.
func (s *scene) patience() time.Duration { return s.w.h.Patience + s.Scenario.Takes }

// watch replaces instances that die until ended says that the run has ended, and all others with it.
func (s *scene) watch(ctx context.Context, run string, ended <-chan error) error {
	limit := s.patience()
	late := time.NewTimer(limit)
	defer late.Stop()
	for running := true; running; {
		if err := s.replaced(ctx); err != nil {
			return err
		}
		select {
		case <-s.died:
		case err := <-ended:
			var how *nvent.RunError
			if err != nil && !errors.As(err, &how) {
				return fmt.Errorf("wait for the run: %w", err)
			}
			running = false
		case <-late.C:
			return fmt.Errorf("the run has not ended after %v; now is %d, and its state is\n%s", limit, time.Now().UnixMilli(), s.state(ctx, run))
		}
	}
	return s.w.until(ctx, "all runs have ended", func() (bool, error) {
		if err := s.replaced(ctx); err != nil {
			return false, err
		}
		runs, err := s.eyes.Runs(ctx, nvent.RunQuery{})
		for _, r := range runs.Items {
			if !r.Status.Ended() {
				return false, err
			}
		}
		return true, err
	})
}

// state returns what the store holds of a run that has not ended, for people.
func (s *scene) state(ctx context.Context, run string) string {
	docs, err := s.eyes.trio.Store.Get(ctx, engine.CollectionState, run)
	if err != nil || len(docs) == 0 {
		return fmt.Sprintf("not there (%v)", err)
	}
	return string(docs[0].Body)
}

// logs returns the logs of all runs.
func (s *scene) logs(ctx context.Context) ([]RunLog, error) {
	runs, err := s.eyes.Runs(ctx, nvent.RunQuery{})
	if err != nil {
		return nil, err
	}
	var logs []RunLog
	for _, r := range runs.Items {
		l := RunLog{Flow: r.Flow}
		for rec, err := range s.eyes.RunEvents(ctx, r.RunID, 0) {
			if err != nil {
				return nil, err
			}
			l.Records = append(l.Records, rec)
		}
		if err := CheckLog(l.Records); err != nil {
			return nil, fmt.Errorf("log of flow %q: %w\n%s", r.Flow, err, Diff(nil, l.Records))
		}
		logs = append(logs, l)
	}
	return logs, nil
}

// drained waits until no job of an ended run is left in the queues of the living.
func (s *scene) drained(ctx context.Context) error {
	return s.w.drained(ctx, s.patience(), func() ([]*instance, error) {
		err := s.replaced(ctx)
		return s.alive, err
	})
}
