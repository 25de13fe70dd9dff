package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

// Crash is one enumeration: a scenario in a variant, with a fault at each call of the first instance in turn.
type Crash struct {
	Scenario Scenario
	Variant  Variant
}

// skew is how far the clocks of skewed instances are off.
const skew = 5 * time.Minute

// Report is what an enumeration did.
type Report struct {
	Calls  int            // that the first instance made, at the least
	Faults int            // that happened
	Hit    map[string]int // how many of them to which kind of call
}

// Run runs the scenario undisturbed, and then with each fault in turn, until none is left to happen. It returns the first
// thing that went wrong, or nil.
func (c Crash) Run(t *testing.T, h Harness) (Report, error) {
	t.Helper()
	r := Report{Hit: map[string]int{}}
	want, _, err := Crash{Scenario: c.Scenario}.once(t, h, 0, "")
	if err != nil {
		return r, fmt.Errorf("undisturbed: %w", err)
	}
	got, _, err := c.once(t, h, 0, "")
	if err == nil {
		err = c.compare(want, got)
	}
	if err != nil {
		return r, fmt.Errorf("undisturbed, %s: %w", c.Variant.Name, err)
	}
	modes := c.Variant.Modes
	if modes == nil {
		modes = Modes()
	}
	// An instance makes a call more or less from time to time, so the end is where nothing happens twice.
	for at, missed := 1, 0; missed < 2; at++ {
		happened := false
		for _, m := range modes {
			got, hit, err := c.once(t, h, at, m)
			if err == nil {
				err = c.compare(want, got)
			}
			if err != nil {
				return r, fmt.Errorf("%s call %d (%s): %w", m, at, hit, err)
			}
			if hit != "" {
				happened = true
				r.Faults++
				r.Hit[hit]++
			}
		}
		missed++
		if happened {
			r.Calls, missed = at, 0
		}
	}
	return r, nil
}

func (c Crash) compare(want, got []RunLog) error {
	diff := DiffRuns(want, got)
	if diff == "" {
		return nil
	}
	if c.Scenario.Accept == nil {
		return fmt.Errorf("the log is not that of the undisturbed run:\n%s", diff)
	}
	if err := c.Scenario.Accept(got); err != nil {
		return fmt.Errorf("the flow does not allow the log: %w; it differs from the undisturbed one:\n%s", err, diff)
	}
	return nil
}

// once runs the scenario with one fault and returns the logs of all runs, and what the fault happened to.
func (c Crash) once(t *testing.T, h Harness, at int, m Mode) (logs []RunLog, hit string, err error) {
	t.Helper()
	err = bubble(t, h, func(ctx context.Context) error {
		return inWorld(ctx, h, "scenario "+c.Scenario.Name, func(ctx context.Context, w *world) (err error) {
			s := &scene{Crash: c, w: w, first: newFaults(at, m, 4*w.h.Lease)}
			if c.Variant.Skewed {
				s.first.skew = skew
			}
			ctx, s.stop = context.WithCancel(ctx)
			defer s.stop()
			logs, err = s.play(ctx)
			hit = s.first.happened()
			return err
		})
	})
	return logs, hit, err
}

// scene is one play of a scenario.
type scene struct {
	Crash
	w     *world
	stop  context.CancelFunc // ends what goes on beside
	first *faults            // of the first instance
	alive []*instance
	eyes  *instance // looks, and runs nothing
}

func (s *scene) play(ctx context.Context) ([]RunLog, error) {
	var err error
	if s.eyes, err = s.w.open(ctx, setup{queue: s.queue(ctx)}); err != nil {
		return nil, err
	}
	_ = s.launch(ctx, s.first) // a process that dies while it starts is one of the faults
	if s.Variant.Both {
		if err := s.launch(ctx, s.healthy()); err != nil {
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
	if err := s.watch(ctx, ended); err != nil {
		return nil, err
	}
	logs, err := s.logs(ctx)
	if err != nil {
		return nil, err
	}
	return logs, s.drained(ctx)
}

// launch starts an instance. One that cannot start is a process that dies.
func (s *scene) launch(ctx context.Context, f *faults) error {
	i, err := s.w.open(ctx, setup{faults: f, queue: s.queue(ctx), start: true, defs: s.Scenario.Flows()})
	if err != nil {
		if i != nil {
			s.w.bury(i)
		}
		return err
	}
	s.alive = append(s.alive, i)
	return nil
}

// healthy returns the faults of an instance without faults.
func (s *scene) healthy() *faults {
	f := newFaults(0, "", 0)
	if s.Variant.Skewed {
		f.skew = -skew
	}
	return f
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
	return s.launch(ctx, s.healthy())
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
	for range 10 {
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
	return fmt.Errorf("still failing at the tenth time: %w", last)
}

// watch replaces instances that die until ended says that the run has ended, and all others with it.
func (s *scene) watch(ctx context.Context, ended <-chan error) error {
	died := make(chan struct{})
	once := sync.OnceFunc(func() { close(died) })
	defer context.AfterFunc(s.first.dead, once)()
	for dead := (<-chan struct{})(died); ; {
		if err := s.replaced(ctx); err != nil {
			return err
		}
		select {
		case <-dead:
			dead = nil
		case err := <-ended:
			var how *nvent.RunError
			if err != nil && !errors.As(err, &how) {
				return fmt.Errorf("wait for the run: %w", err)
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
	}
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
	return s.w.drained(ctx, func() ([]*instance, error) { return s.alive, s.replaced(ctx) })
}

// TestCrashes crashes each scenario in each of [Variants], as parallel subtests of t.
func TestCrashes(t *testing.T, h Harness, scenarios ...Scenario) {
	for _, s := range scenarios {
		variants := s.Variants
		if variants == nil {
			variants = Variants()
		}
		for _, v := range variants {
			t.Run(s.Name+"/"+v.Name, func(t *testing.T) {
				t.Parallel()
				r, err := Crash{s, v}.Run(t, h)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%d faults at %d calls: %v", r.Faults, r.Calls, r.Hit)
			})
		}
	}
}
