package nvent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
	"github.com/nvent-go/nvent/flow"
)

// limited is a flow with limits, whose runs take a minute, over one memory backend.
type limited struct {
	t       *testing.T
	backend *memory.Backend
	flow    *flow.Flow[order, string]

	mu     sync.Mutex
	inside map[string]bool // by run
	seen   sight
}

// sight is what a limited flow has seen of its runs.
type sight struct {
	most    int             // at once
	began   []string        // IDs of orders
	beganAt []time.Duration // since the start of the bubble
}

func (w *limited) saw() sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	return sight{w.seen.most, slices.Clone(w.seen.began), slices.Clone(w.seen.beganAt)}
}

func newLimited(t *testing.T, l flow.Limits) *limited {
	begin := time.Now()
	w := &limited{t: t, backend: memory.New(nil), flow: flow.New[order, string]("limited", flow.Limit(l)), inside: map[string]bool{}}
	flow.Returns(w.flow, flow.Start(w.flow, "work", func(ctx context.Context, o order) (string, error) {
		info, _ := flow.Info(ctx)
		w.mu.Lock()
		w.inside[info.RunID] = true
		w.seen.most = max(w.seen.most, len(w.inside))
		w.seen.began = append(w.seen.began, o.ID)
		w.seen.beganAt = append(w.seen.beganAt, time.Since(begin))
		w.mu.Unlock()
		defer func() {
			w.mu.Lock()
			delete(w.inside, info.RunID)
			w.mu.Unlock()
		}()
		select {
		case <-time.After(time.Minute):
			return o.ID, nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}))
	return w
}

func (w *limited) app(c nvent.Config) *nvent.App {
	w.t.Helper()
	if c.Store.Driver == nil {
		c.Store.Driver, c.Queue.Driver = w.backend.Store(), w.backend.Queue()
	}
	c.Stream.Driver = w.backend.Stream()
	c.Logger = slog.New(slog.DiscardHandler)
	app, err := nvent.New(w.t.Context(), c)
	if err == nil {
		err = errors.Join(app.Add(w.flow), app.Start(w.t.Context()))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return app
}

func (w *limited) start(app *nvent.App, id string, cents int, o ...nvent.StartOption) *nvent.Run[string] {
	w.t.Helper()
	run, err := nvent.Start(w.t.Context(), app, w.flow, order{id, cents}, o...)
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

func TestNoMoreRunsThanTheFlowAllowsAreInProgressOnAllInstances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newLimited(t, flow.Limits{MaxRuns: 2})
		apps := []*nvent.App{w.app(nvent.Config{}), w.app(nvent.Config{}), w.app(nvent.Config{})}
		var runs []*nvent.Run[string]
		for i := range 10 {
			runs = append(runs, w.start(apps[i%3], fmt.Sprint(i), 0))
		}
		time.Sleep(time.Second)
		if st, err := runs[9].Status(t.Context()); err != nil || !st.Waiting || st.Paused || st.Status != flow.StatusRunning {
			t.Errorf("the last run is %+v, %v; want it waiting", st, err)
		}
		if err := apps[0].ResumeRun(t.Context(), runs[9].ID()); err != nil {
			t.Error(err)
		}
		if st, err := runs[9].Status(t.Context()); err != nil || !st.Waiting {
			t.Errorf("resuming a run that waits lets it begin: %+v, %v", st, err)
		}
		for i, r := range runs {
			if got, err := r.Wait(t.Context()); got != fmt.Sprint(i) || err != nil {
				t.Errorf("run %d returned %q, %v", i, got, err)
			}
		}
		for r, err := range runs[9].Events(t.Context(), 0) {
			if err != nil || r.Type == flow.RecordFlowResumed {
				t.Errorf("the log of a run that waited has %s, %v", r.Type, err)
			}
		}
		if w.saw().most != 2 || time.Duration(len(runs))*time.Minute/2 > w.saw().beganAt[9]+time.Minute {
			t.Errorf("%d runs at once, the last began after %v; want 2 at once", w.saw().most, w.saw().beganAt[9])
		}
		if last := w.saw().beganAt[9]; last > 4*time.Minute+time.Second {
			t.Errorf("the last run began after %v, want it right after those before", last)
		}
		for _, app := range apps {
			closeApp(t, app)
		}
	})
}

func TestLimitsPerKeyAndOfTheFlowHoldTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newLimited(t, flow.Limits{MaxRuns: 3, Key: "input.cents % 2", MaxRunsPerKey: 2})
		app := w.app(nvent.Config{})
		var runs []*nvent.Run[string]
		for i := range 12 {
			runs = append(runs, w.start(app, fmt.Sprint(i), i/6)) // six of a key, then six of another
		}
		for _, r := range runs {
			if _, err := r.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if w.saw().most != 3 || w.saw().beganAt[11] > 5*time.Minute {
			t.Errorf("%d runs at once, the last began after %v; want 3, and 4 minutes", w.saw().most, w.saw().beganAt[11])
		}
		got := slices.Sorted(slices.Values(w.saw().began[:3])) // they begin at the same time
		if want := []string{"0", "1", "6"}; !slices.Equal(got, want) {
			t.Errorf("the first runs are %q, want %q", got, want)
		}
		closeApp(t, app)
	})
}

func TestASingletonSkipsStartsWhileItIsBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newLimited(t, flow.Limits{MaxRuns: 1, WhenBusy: flow.BusySkip})
		a, b := w.app(nvent.Config{}), w.app(nvent.Config{})
		ids := make([]string, 8)
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() { ids[i] = w.start([]*nvent.App{a, b}[i%2], fmt.Sprint(i), 0).ID() })
		}
		all.Wait()
		if later := w.start(a, "later", 0); !later.Existing() || later.ID() != ids[0] {
			t.Errorf("a later start got run %s (existing %v), want %s", later.ID(), later.Existing(), ids[0])
		}
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("starts got the runs %q, want one", ids)
				break
			}
		}
		time.Sleep(2 * time.Minute)
		if len(w.saw().began) != 1 {
			t.Errorf("%d runs began, want 1", len(w.saw().began))
		}
		if again := w.start(b, "again", 0); again.Existing() {
			t.Error("a start after the end is skipped")
		}
		time.Sleep(2 * time.Minute)
		closeApp(t, a)
		closeApp(t, b)
	})
}

func TestASingletonIsReplacedByALaterStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newLimited(t, flow.Limits{Key: "input.id", MaxRunsPerKey: 1, WhenBusy: flow.BusyReplace})
		app := w.app(nvent.Config{})
		old := w.start(app, "a", 1)
		other := w.start(app, "b", 1)
		time.Sleep(time.Second)
		latest := w.start(app, "a", 2)
		if _, err := old.Wait(t.Context()); !errors.Is(err, nvent.ErrRunCanceled) {
			t.Errorf("the replaced run ended with %v, want ErrRunCanceled", err)
		}
		for _, r := range []*nvent.Run[string]{latest, other} {
			if _, err := r.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if w.saw().beganAt[2] > 2*time.Second {
			t.Errorf("the new run began after %v", w.saw().beganAt[2])
		}
		closeApp(t, app)
	})
}

func TestStartsAreSpreadByTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newLimited(t, flow.Limits{Rate: &flow.Rate{Starts: 3, Per: flow.Duration(time.Hour)}})
		app := w.app(nvent.Config{})
		for i := range 7 {
			w.start(app, fmt.Sprint(i), 0)
		}
		time.Sleep(3 * time.Hour)
		var got []time.Duration
		for _, at := range w.saw().beganAt {
			got = append(got, at.Truncate(time.Minute))
		}
		want := []time.Duration{0, 0, 0, 20 * time.Minute, 40 * time.Minute, 60 * time.Minute, 80 * time.Minute}
		if !slices.Equal(got, want) {
			t.Errorf("runs began at %v, want %v", got, want)
		}
		closeApp(t, app)
	})
}

func TestDebounceStartsTheLastOfABurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newLimited(t, flow.Limits{Key: "input.id", Debounce: flow.Duration(10 * time.Second)})
		app := w.app(nvent.Config{})
		var runs []*nvent.Run[string]
		for i := range 5 {
			runs = append(runs, w.start(app, "a", i))
			time.Sleep(6 * time.Second)
		}
		if _, err := runs[4].Wait(t.Context()); err != nil {
			t.Error(err)
		}
		for _, r := range runs[:4] {
			if _, err := r.Wait(t.Context()); !errors.Is(err, nvent.ErrRunCanceled) {
				t.Errorf("a start that was followed by another ended with %v, want ErrRunCanceled", err)
			}
		}
		if len(w.saw().began) != 1 || w.saw().beganAt[0].Truncate(time.Second) != 34*time.Second {
			t.Errorf("%d runs began, at %v; want 1 after 34 s", len(w.saw().began), w.saw().beganAt)
		}
		closeApp(t, app)
	})
}

func TestARunThatIsCanceledWhileItWaitsLeavesItsPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newLimited(t, flow.Limits{MaxRuns: 1})
		app := w.app(nvent.Config{})
		first, second, third := w.start(app, "1", 0), w.start(app, "2", 0), w.start(app, "3", 0)
		if err := second.Cancel(t.Context(), "no need"); err != nil {
			t.Fatal(err)
		}
		for _, r := range []*nvent.Run[string]{first, third} {
			if _, err := r.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if !slices.Equal(w.saw().began, []string{"1", "3"}) || w.saw().beganAt[1] > 61*time.Second {
			t.Errorf("runs %q began at %v", w.saw().began, w.saw().beganAt)
		}
		time.Sleep(time.Minute)
		for _, c := range []string{"flow-gates", "flow-gate-members"} {
			page, err := w.backend.Store().List(t.Context(), c, adapter.Query{})
			if err != nil || len(page.Items) != 0 {
				t.Errorf("%d documents are left in %s, %v", len(page.Items), c, err)
			}
		}
		closeApp(t, app)
	})
}

// TestACrashAtAnyCallNeitherLosesNorAddsAPlace fails an instance, or cuts it off, at every call of two starts of which one waits.
func TestACrashAtAnyCallNeitherLosesNorAddsAPlace(t *testing.T) {
	t.Parallel()
	calls := crashLimits(t, 0, "")
	if calls < 20 {
		t.Fatalf("the undisturbed starts made %d calls only", calls)
	}
	for at := 1; at <= calls; at++ {
		for _, mode := range []faultMode{failBefore, failAfter, cutBefore, cutAfter} {
			crashLimits(t, at, mode)
		}
	}
	t.Logf("%d calls", calls)
}

func crashLimits(t *testing.T, at int, mode faultMode) (calls int) {
	synctest.Test(t, func(t *testing.T) {
		w := newLimited(t, flow.Limits{Key: "'k'", MaxRunsPerKey: 1, MaxRuns: 1})
		queue := w.backend.Queue()
		f := &faults{kill: queue.Kill}
		first := w.app(nvent.Config{
			Queue: nvent.QueueConfig{Driver: faultyQueue{queue, f}}, Store: nvent.StoreConfig{Driver: faultyStore{w.backend.Store(), f}},
		})
		synctest.Wait()
		f.mu.Lock()
		f.calls, f.at, f.mode = 0, at, mode
		f.mu.Unlock()
		ids := []string{"1", "2"}
		for _, id := range ids {
			patience, giveUp := context.WithTimeout(t.Context(), 5*time.Second)
			_, err := nvent.Start(patience, first, w.flow, order{ID: id}, nvent.WithKey(id))
			giveUp()
			if err != nil && !errors.Is(err, adapter.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Second)
		second := w.app(nvent.Config{})
		var runs []*nvent.Run[string]
		for _, id := range ids {
			runs = append(runs, w.start(second, id, 0, nvent.WithKey(id)))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		for i, r := range runs {
			if got, err := r.Wait(ctx); got != ids[i] || err != nil {
				t.Fatalf("%s call %d: run %d returned %q, %v", mode, at, i, got, err)
			}
		}
		if w.saw().most > 1 {
			t.Errorf("%s call %d: %d runs at once", mode, at, w.saw().most)
		}
		f.mu.Lock()
		calls = f.calls
		f.mu.Unlock()
		time.Sleep(time.Hour)
		page, err := w.backend.Store().List(t.Context(), "flow-gate-members", adapter.Query{})
		if err != nil || len(page.Items) != 0 {
			t.Errorf("%s call %d: %d places are never given back, %v", mode, at, len(page.Items), err)
		}
		closeApp(t, first)
		closeApp(t, second)
	})
	return calls
}
