package nvent_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
)

// crashTick lets a tick come due on two instances, one of which fails, or is cut off, at one of its calls. It returns what the
// runs and the jobs of two ticks got, and how many calls the instance made around the first.
func crashTick(t *testing.T, at int, mode faultMode, alone bool) (runs, jobs []string, calls int) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		in := func(tick time.Time) report { return report{tick.UTC().Format(time.TimeOnly)} }
		defs := []any{
			nvent.StartsFlow("runs", nvent.Cron("* * * * *", ""), f.flow, in),
			nvent.Enqueues("jobs", nvent.Cron("* * * * *", ""), mail, in),
		}
		queue := f.backend.Queue()
		faulty := &faults{kill: queue.Kill}
		first := f.appOn(faultyQueue{queue, faulty}, nvent.Config{Store: nvent.StoreConfig{Driver: faultyStore{f.backend.Store(), faulty}}}, defs...)
		var second *nvent.App
		if !alone {
			second = f.app(nvent.Config{}, defs...)
		}
		time.Sleep(time.Minute - time.Nanosecond)
		synctest.Wait()
		faulty.mu.Lock()
		faulty.calls, faulty.at, faulty.mode = 0, at, mode
		faulty.mu.Unlock()
		time.Sleep(5 * time.Second)
		faulty.mu.Lock()
		calls = faulty.calls
		faulty.mu.Unlock()
		if alone {
			second = f.app(nvent.Config{}, defs...)
		}
		time.Sleep(80 * time.Second)
		for _, name := range []string{"runs", "jobs"} { // no third tick
			if err := second.Triggers().Pause(t.Context(), name); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(5 * time.Minute)                        // for what has to be delivered again
		runs, jobs = slices.Compact(f.noted()), f.mailed() // a handler may run again
		for _, name := range []string{"runs", "jobs"} {
			if info, err := second.Triggers().Get(t.Context(), name); err != nil || info.Fired != 2 || info.Pending != 0 || info.Failure != nil {
				t.Errorf("%s call %d: trigger %s: %+v, %v", mode, at, name, info, err)
			}
		}
		page, err := second.Runs(t.Context(), nvent.RunQuery{Flow: "report"})
		if err != nil || len(page.Items) != 2 {
			t.Errorf("%s call %d: %d runs, %v; want 2", mode, at, len(page.Items), err)
		}
		closeApp(t, first)
		closeApp(t, second)
	})
	return runs, jobs, calls
}

// appOn starts an instance on a queue.
func (f *fleet) appOn(q adapter.Queue, c nvent.Config, defs ...any) *nvent.App {
	f.t.Helper()
	c.Queue.Driver = q
	return f.app(c, defs...)
}

// TestACrashAtAnyCallOfATickStartsExactlyOne cuts an instance off, fails it, or leaves it in doubt at every call of a tick in turn,
// with another instance beside it, and with one that comes later.
func TestACrashAtAnyCallOfATickStartsExactlyOne(t *testing.T) {
	t.Parallel()
	_, _, calls := crashTick(t, 0, "", true)
	if calls < 10 {
		t.Fatalf("the undisturbed tick made %d calls only", calls)
	}
	want := []string{"00:01:00", "00:02:00"}
	points := 0
	for at := 1; at <= calls; at++ {
		for _, mode := range []faultMode{failBefore, failAfter, cutBefore, cutAfter} {
			for _, alone := range []bool{false, true} {
				runs, jobs, _ := crashTick(t, at, mode, alone)
				points++
				if !slices.Equal(runs, want) || !slices.Equal(jobs, want) {
					t.Fatalf("%s call %d (alone %v): runs of %q, jobs of %q; want %q each", mode, at, alone, runs, jobs, want)
				}
			}
		}
	}
	t.Logf("%d faults at %d calls", points, calls)
}

// TestAClaimThatWasLeftIsTakenOver: an instance decides on a tick and dies before it starts the run.
func TestAClaimThatWasLeftIsTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		queue := f.backend.Queue()
		store := &dieAfterClaim{faultyStore{f.backend.Store(), &faults{kill: queue.Kill}}}
		first := f.appOn(queue, nvent.Config{Store: nvent.StoreConfig{Driver: store}}, f.beats())
		time.Sleep(beat + time.Minute)
		second := f.app(nvent.Config{})
		time.Sleep(5 * time.Minute)
		if got := f.noted(); !slices.Equal(got, ticks(1)) {
			t.Errorf("runs got %q, want %q, though this instance has not the function", got, ticks(1))
		}
		closeApp(t, first)
		closeApp(t, second)
	})
}

// dieAfterClaim cuts an instance off once it has decided on a tick.
type dieAfterClaim struct{ faultyStore }

func (s *dieAfterClaim) Commit(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
	done, err := s.faultyStore.Commit(ctx, b)
	for _, p := range b.Puts {
		if p.Collection == "flow-triggers" && bytes.Contains(p.Body, []byte(`"pending"`)) {
			s.f.mu.Lock()
			s.f.die()
			s.f.mu.Unlock()
		}
	}
	return done, err
}
