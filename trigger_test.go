package nvent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/trigger"
)

// report is what a nightly run gets.
type report struct {
	Day string `json:"day"`
}

// fleet is Apps over one memory backend, with a flow "report" that notes the inputs of its runs.
type fleet struct {
	t       *testing.T
	backend *memory.Backend
	flow    *flow.Flow[report, string]

	mu     sync.Mutex
	inputs []string
	jobs   map[string]string // data by ID: a job may be delivered again
	logs   logBuffer
}

func newFleet(t *testing.T) *fleet {
	f := &fleet{t: t, backend: memory.New(nil), flow: flow.New[report, string]("report"), jobs: map[string]string{}}
	flow.Returns(f.flow, flow.Start(f.flow, "write", func(_ context.Context, in report) (string, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.inputs = append(f.inputs, in.Day)
		return in.Day, nil
	}))
	return f
}

// noted returns what the runs got, sorted.
func (f *fleet) noted() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(slices.Values(f.inputs))
}

// mailed returns what the jobs got, sorted.
func (f *fleet) mailed() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Values(f.jobs))
}

var mail = nvent.Job[report]("mail", "send", flow.Attempts(2, flow.Fixed(time.Second)))

// app starts an instance.
func (f *fleet) app(c nvent.Config, defs ...any) *nvent.App {
	f.t.Helper()
	if c.Store.Driver == nil {
		c.Store.Driver = f.backend.Store()
	}
	if c.Queue.Driver == nil {
		c.Queue.Driver = f.backend.Queue()
	}
	c.Stream.Driver = f.backend.Stream()
	c.Logger = slog.New(slog.NewTextHandler(&f.logs, nil))
	app, err := nvent.New(f.t.Context(), c)
	if err != nil {
		f.t.Fatal(err)
	}
	defs = append([]any{f.flow, mail.Handle(func(ctx context.Context, r report) error {
		job, _ := nvent.JobInfo(ctx)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.jobs[job.ID] = r.Day
		return nil
	})}, defs...)
	if err := app.Add(defs...); err != nil {
		f.t.Fatal(err)
	}
	if err := app.Start(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	return app
}

// message is a message as another program would publish it.
func message(topic, data string) adapter.Message {
	return adapter.Message{Topic: topic, Data: json.RawMessage(data)}
}

// logBuffer collects what is logged.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// beats fires every ten minutes.
func (f *fleet) beats(o ...nvent.TriggerOption) nvent.Trigger {
	return nvent.StartsFlow("beats", nvent.Cron("*/10 * * * *", "Europe/Oslo"), f.flow, func(tick time.Time) report {
		return report{tick.UTC().Format(time.RFC3339)}
	}, o...)
}

const beat = 10 * time.Minute

// ticks returns the first n ticks of beats. The bubble's clock begins at midnight UTC of 2000-01-01.
func ticks(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = time.Date(2000, 1, 1, 0, 10*(i+1), 0, 0, time.UTC).Format(time.RFC3339)
	}
	return list
}

func TestATickStartsOneRunOnHoweverManyInstances(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				var apps []*nvent.App
				for range n {
					apps = append(apps, f.app(nvent.Config{}, f.beats(),
						nvent.Enqueues("mails", nvent.Every(3*beat), mail, func(tick time.Time) report {
							return report{tick.UTC().Format(time.TimeOnly)}
						})))
				}
				time.Sleep(4*beat + time.Second)
				if got, want := f.noted(), ticks(4); !slices.Equal(got, want) {
					t.Errorf("runs got %q, want %q", got, want)
				}
				if want := []string{"00:30:00"}; !slices.Equal(f.mailed(), want) {
					t.Errorf("jobs got %q, want %q", f.mailed(), want)
				}
				page, err := apps[0].Runs(t.Context(), nvent.RunQuery{Label: "trigger=beats"})
				if err != nil || len(page.Items) != 4 {
					t.Errorf("%d runs have the trigger's label, %v; want 4", len(page.Items), err)
				}
				info, err := apps[0].Triggers().Get(t.Context(), "beats")
				if err != nil || info.Fired != 4 || info.Pending != 0 || info.Started == nil || info.Started.ID != page.Items[0].RunID ||
					info.Next.UTC().Format(time.RFC3339) != "2000-01-01T00:50:00Z" {
					t.Errorf("info %+v, %v", info, err)
				}
				for _, app := range apps {
					closeApp(t, app)
				}
			})
		})
	}
}

func TestMissedTicksAreCaughtUpByRule(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options []nvent.TriggerOption
		want    []string
		skipped int64
	}{
		"last":      {nil, []string{ticks(5)[0], ticks(5)[4]}, 3},
		"none":      {[]nvent.TriggerOption{nvent.CatchUpNone()}, ticks(1), 4},
		"all":       {[]nvent.TriggerOption{nvent.CatchUpAll(0)}, ticks(5), 0},
		"all, of 2": {[]nvent.TriggerOption{nvent.CatchUpAll(2)}, []string{ticks(5)[0], ticks(5)[3], ticks(5)[4]}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				closed := f.app(nvent.Config{}, f.beats(c.options...))
				time.Sleep(15 * time.Minute)
				closeApp(t, closed)
				time.Sleep(4 * beat)
				a, b := f.app(nvent.Config{}, f.beats(c.options...)), f.app(nvent.Config{}, f.beats(c.options...))
				time.Sleep(time.Minute)
				if got := f.noted(); !slices.Equal(got, c.want) {
					t.Errorf("runs got %q, want %q", got, c.want)
				}
				if info, err := a.Triggers().Get(t.Context(), "beats"); err != nil || info.Skipped != c.skipped {
					t.Errorf("skipped %d, %v; want %d", info.Skipped, err, c.skipped)
				}
				closeApp(t, a)
				closeApp(t, b)
			})
		})
	}
}

func TestAnInstanceThatWasStoppedFiresNothingTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		a := f.app(nvent.Config{}, f.beats(nvent.CatchUpAll(0)))
		b := f.app(nvent.Config{}, f.beats(nvent.CatchUpAll(0)))
		time.Sleep(15 * time.Minute)
		closeApp(t, b)
		time.Sleep(beat)
		b = f.app(nvent.Config{}, f.beats(nvent.CatchUpAll(0)))
		time.Sleep(beat)
		if got := f.noted(); !slices.Equal(got, ticks(3)) {
			t.Errorf("runs got %q, want %q", got, ticks(3))
		}
		closeApp(t, a)
		closeApp(t, b)
	})
}

func TestClocksThatAreMinutesApartFireOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		var apps []*nvent.App
		for _, skew := range []time.Duration{-5 * time.Minute, 0, 5 * time.Minute} {
			apps = append(apps, f.app(nvent.Config{Clock: skewed(skew)}, f.beats()))
		}
		time.Sleep(beat - time.Millisecond)
		if got := f.noted(); len(got) != 0 {
			t.Errorf("runs got %q too early by the store's clock", got)
		}
		time.Sleep(time.Second)
		if got := f.noted(); !slices.Equal(got, ticks(1)) {
			t.Errorf("runs got %q, want %q on time by the store's clock", got, ticks(1))
		}
		time.Sleep(2 * beat)
		if got := f.noted(); !slices.Equal(got, ticks(3)) {
			t.Errorf("runs got %q, want %q", got, ticks(3))
		}
		for _, app := range apps {
			closeApp(t, app)
		}
	})
}

// skewed is a clock that is wrong.
type skewed time.Duration

func (s skewed) Now() time.Time { return time.Now().Add(time.Duration(s)) }

func (skewed) AfterFunc(d time.Duration, f func()) adapter.Timer { return time.AfterFunc(d, f) }

func TestAnEditOnOneInstanceReachesTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		a, b := f.app(nvent.Config{}, f.beats()), f.app(nvent.Config{})
		time.Sleep(5 * time.Minute)
		info, err := b.Triggers().Get(t.Context(), "beats")
		if err != nil {
			t.Fatal(err)
		}
		def := info.TriggerDefinition
		def.Config.Cron = "*/15 * * * *"
		saved, err := b.Triggers().Save(t.Context(), def)
		if err != nil || saved.Version <= def.Version || !saved.Edited {
			t.Fatalf("saved %+v, %v", saved, err)
		}
		if _, err := b.Triggers().Save(t.Context(), def); !errors.Is(err, nvent.ErrConflict) {
			t.Errorf("save of an old version: %v, want ErrConflict", err)
		}
		time.Sleep(7 * time.Minute) // 00:12
		if got := f.noted(); len(got) != 0 {
			t.Errorf("runs got %q by the old schedule", got)
		}
		time.Sleep(4 * time.Minute) // 00:16
		want := []string{"2000-01-01T00:15:00Z"}
		if got := f.noted(); !slices.Equal(got, want) {
			t.Errorf("runs got %q, want %q", got, want)
		}
		if err := b.Triggers().Pause(t.Context(), "beats"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute) // 00:46
		if err := b.Triggers().Resume(t.Context(), "beats"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Minute) // 01:01
		want = append(want, "2000-01-01T01:00:00Z")
		if got := f.noted(); !slices.Equal(got, want) {
			t.Errorf("runs got %q, want %q: what was missed while it was paused is not caught up", got, want)
		}
		if err := b.Triggers().Delete(t.Context(), "beats"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		if got := f.noted(); !slices.Equal(got, want) {
			t.Errorf("runs got %q of a deleted trigger", got)
		}
		if _, err := a.Triggers().Get(t.Context(), "beats"); !errors.Is(err, nvent.ErrNotFound) {
			t.Errorf("get of a deleted trigger: %v, want ErrNotFound", err)
		}
		closeApp(t, a)
		closeApp(t, b)
	})
}

func TestADocumentTriggerFiresOnEveryInstanceAndSurvivesRestarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		a, b := f.app(nvent.Config{}), f.app(nvent.Config{})
		_, err := a.Triggers().Save(t.Context(), nvent.TriggerDefinition{
			Name: "hourly", Type: "schedule", Flow: "report", Input: json.RawMessage(`{"day":"today"}`), Config: trigger.Config{Cron: "0 * * * *"},
		})
		if err != nil {
			t.Fatal(err)
		}
		closeApp(t, a)
		time.Sleep(150 * time.Minute)
		if got := f.noted(); len(got) != 2 {
			t.Errorf("%d runs, want 2", len(got))
		}
		closeApp(t, b)
		c := f.app(nvent.Config{})
		time.Sleep(time.Hour)
		if got := f.noted(); len(got) != 3 {
			t.Errorf("%d runs after a restart, want 3", len(got))
		}
		page, err := c.Runs(t.Context(), nvent.RunQuery{Flow: "report"})
		if err != nil || len(page.Items) != 3 {
			t.Fatalf("%d runs, %v", len(page.Items), err)
		}
		for r, err := range c.RunEvents(t.Context(), page.Items[0].RunID, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Type == flow.RecordFlowStarted {
				const want = `{"day":"today","trigger":{"name":"hourly","type":"schedule","at":"2000-01-01T03:00:00Z"}}`
				if string(r.Data) != want {
					t.Errorf("run began with %s, want %s", r.Data, want)
				}
			}
		}
		list, err := c.Triggers().List(t.Context(), nvent.TriggerQuery{})
		if err != nil || len(list.Items) != 1 || list.Items[0].Name != "hourly" || list.Items[0].Fired != 3 {
			t.Errorf("list %+v, %v", list, err)
		}
		closeApp(t, c)
	})
}

func TestWhatAProgramDeclaresYieldsToEditsUntilItDeclaresSomethingElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		at := func(hour int) nvent.Trigger {
			return nvent.StartsFlow("beats", nvent.Cron(fmt.Sprintf("0 %d * * *", hour), ""), f.flow, func(time.Time) report { return report{} })
		}
		cronOf := func(app *nvent.App) string {
			info, err := app.Triggers().Get(t.Context(), "beats")
			if err != nil {
				return err.Error()
			}
			return fmt.Sprintf("%s paused %v", info.Config.Cron, info.Paused)
		}
		expect := func(app *nvent.App, when, want string) {
			t.Helper()
			if got := cronOf(app); !strings.Contains(got, want) {
				t.Errorf("%s: %s, want %s", when, got, want)
			}
		}
		a := f.app(nvent.Config{}, at(1))
		expect(a, "declared", "0 1 * * * paused false")
		info, err := a.Triggers().Get(t.Context(), "beats")
		if err != nil {
			t.Fatal(err)
		}
		info.Config.Cron, info.Paused = "0 2 * * *", true
		if _, err := a.Triggers().Save(t.Context(), info.TriggerDefinition); err != nil {
			t.Fatal(err)
		}
		b := f.app(nvent.Config{}, at(1))
		expect(b, "declared again", "0 2 * * * paused true")
		c := f.app(nvent.Config{}, at(3))
		expect(c, "declared otherwise", "0 3 * * * paused true")
		if err := c.Triggers().Delete(t.Context(), "beats"); err != nil {
			t.Fatal(err)
		}
		d := f.app(nvent.Config{}, at(3))
		expect(d, "declared after it was deleted", "not found")
		e := f.app(nvent.Config{}, at(4))
		expect(e, "declared otherwise after it was deleted", "0 4 * * * paused false")
		for _, app := range []*nvent.App{a, b, c, d, e} {
			closeApp(t, app)
		}
	})
}

func TestFiringByHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		app := f.app(nvent.Config{}, f.beats(nvent.StartPaused()), nvent.TriggerDefinition{Name: "report", Type: "manual", Payload: true})
		id, err := app.Triggers().Fire(t.Context(), "beats", nil, nvent.WithKey("once"))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := app.Triggers().Fire(t.Context(), "beats", nil, nvent.WithKey("once")); again != id || err != nil {
			t.Errorf("fired %s, %v with the same key; want %s", again, err, id)
		}
		id, err = app.Triggers().Fire(t.Context(), "report", report{"by hand"})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := nvent.RunOf[string](app, id).Wait(t.Context()); got != "by hand" || err != nil {
			t.Errorf("run returned %q, %v", got, err)
		}
		if got, want := f.noted(), []string{"2000-01-01T00:00:00Z", "by hand"}; !slices.Equal(got, want) {
			t.Errorf("runs got %q, want %q", got, want)
		}
		if _, err := app.Triggers().Fire(t.Context(), "nobody", nil); !errors.Is(err, nvent.ErrNotFound) {
			t.Errorf("fire of an unknown trigger: %v, want ErrNotFound", err)
		}
		closeApp(t, app)
	})
}

func TestATickWhoseStartFailsIsLoud(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		app := f.app(nvent.Config{}, nvent.StartsFlow("broken", nvent.Cron("0 * * * *", ""), f.flow, func(tick time.Time) report {
			if tick.Hour() == 1 {
				panic("no report at one")
			}
			return report{tick.Format(time.TimeOnly)}
		}))
		_, err := app.Triggers().Save(t.Context(), nvent.TriggerDefinition{Name: "unknown", Type: "schedule", Config: trigger.Config{Cron: "0 * * * *"}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(150 * time.Minute)
		if got, want := f.noted(), []string{"02:00:00"}; !slices.Equal(got, want) {
			t.Errorf("runs got %q, want %q: a tick that fails must not stop the next", got, want)
		}
		for name, want := range map[string]string{"broken": "no report at one", "unknown": "not found"} {
			info, err := app.Triggers().Get(t.Context(), name)
			if err != nil || info.Failure == nil || !strings.Contains(info.Failure.Error, want) {
				t.Errorf("failure of %s: %+v, %v; want %q", name, info.Failure, err, want)
			}
			if !strings.Contains(f.logs.String(), want) {
				t.Errorf("%q is not in the log", want)
			}
		}
		closeApp(t, app)
	})
}

func TestOnceFiresOnceAndIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		in := func(tick time.Time) report { return report{tick.UTC().Format(time.RFC3339)} }
		defs := []any{
			nvent.StartsFlow("soon", nvent.Once(time.Now().Add(beat)), f.flow, in),
			nvent.StartsFlow("over", nvent.Once(time.Now().Add(-beat)), f.flow, in),
		}
		app := f.app(nvent.Config{}, defs...)
		time.Sleep(beat + time.Minute)
		closeApp(t, app)
		app = f.app(nvent.Config{}, defs...)
		time.Sleep(beat + time.Minute)
		if got, want := f.noted(), ticks(1); !slices.Equal(got, want) {
			t.Errorf("runs got %q, want %q", got, want)
		}
		_, err := app.Triggers().Save(t.Context(), nvent.TriggerDefinition{Name: "late", Type: "schedule", Flow: "report",
			Config: trigger.Config{At: "2000-01-01T00:00:00Z"}})
		if !errors.Is(err, nvent.ErrInvalid) || !strings.Contains(err.Error(), "it would never fire") {
			t.Errorf("save of a trigger in the past: %v", err)
		}
		closeApp(t, app)
	})
}

// TestAMemoryAppWithoutTriggersDoesNotPoll: the triggers of an idle process cost no call of the store.
func TestAMemoryAppWithoutTriggersDoesNotPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		store := &countingStore{Store: f.backend.Store(), reads: map[string]int{}}
		app := f.app(nvent.Config{Store: nvent.StoreConfig{Driver: store}}, f.beats(nvent.StartPaused()))
		time.Sleep(time.Minute)
		before := store.count()
		time.Sleep(time.Hour)
		if after := store.count(); !maps.Equal(before, after) {
			t.Errorf("reads of triggers in an hour: %v, before it %v", after, before)
		}
		closeApp(t, app)
	})
}

// countingStore counts the reads of triggers, by collection.
type countingStore struct {
	adapter.Store
	mu    sync.Mutex
	reads map[string]int
}

func (s *countingStore) note(collection string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Contains(collection, "triggers") {
		s.reads[collection]++
	}
}

func (s *countingStore) count() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.reads)
}

func (s *countingStore) Get(ctx context.Context, c string, ids ...string) ([]adapter.Doc, error) {
	s.note(c)
	return s.Store.Get(ctx, c, ids...)
}

func (s *countingStore) List(ctx context.Context, c string, q adapter.Query) (adapter.Page[adapter.Doc], error) {
	s.note(c)
	return s.Store.List(ctx, c, q)
}

// TestAncestor_ATickIsNotFiredAgainOnceItsHandlerHasEnded: the ancestor kept no record of ticks, only a lock that ended with
// the handler: an instance that came later than the handler took fired once more, and one whose lock was stale fired not at all.
func TestAncestor_ATickIsNotFiredAgainOnceItsHandlerHasEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		early := f.app(nvent.Config{Clock: skewed(5 * time.Minute)}, f.beats())
		time.Sleep(beat + time.Minute) // its run has ended
		late := f.app(nvent.Config{Clock: skewed(-5 * time.Minute)}, f.beats())
		time.Sleep(beat - 2*time.Minute)
		if got := f.noted(); !slices.Equal(got, ticks(1)) {
			t.Errorf("runs got %q, want %q", got, ticks(1))
		}
		closeApp(t, early)
		closeApp(t, late)
	})
}
