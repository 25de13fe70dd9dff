package nventtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

type order struct {
	ID    string `json:"id"`
	Cents int    `json:"cents"`
}

var (
	placed   = flow.NewEvent[order]("order.placed")
	line     = flow.NewEvent[int]("order.line")
	paid     = flow.NewEvent[order]("order.paid")
	refunded = flow.NewEvent[order]("order.refunded")
)

// shop is a flow with a bit of everything. send gets the token of the approval that it waits for.
func shop(send func(token string)) *flow.Flow[order, string] {
	f := flow.New[order, string]("shop")
	start := flow.Start(f, "place", func(ctx context.Context, o order) (order, error) {
		if o.Cents < 0 {
			return o, errors.New("no price")
		}
		return o, errors.Join(placed.Emit(ctx, o), line.EmitAll(ctx, slices.Values([]int{1, 2, 3})),
			flow.Set(ctx, "seen", o.ID), flow.Add(ctx, "orders", 1))
	}, flow.Emits(placed), flow.EmitsAll(line), flow.Attempts(3, flow.Fixed(time.Hour)))
	flow.On(f, "pick", line, func(context.Context, int) (struct{}, error) { return struct{}{}, nil })
	approve := flow.On(f, "approve", placed, func(ctx context.Context, o order) (order, error) {
		token, err := flow.SignalTokenFor(ctx, "", 0)
		if err == nil {
			send(token)
		}
		return o, err
	}, flow.AwaitAfter(flow.ForSignal()))
	flow.On(f, "refund", start.Completed(), func(ctx context.Context, o order) (struct{}, error) {
		return struct{}{}, refunded.Emit(ctx, o)
	}, flow.Emits(refunded), flow.When("payload.cents > 1000"))
	flow.Returns(f, flow.On(f, "close", approve.Completed(), func(ctx context.Context, o order) (string, error) {
		p, _, err := flow.Awaited[order](ctx)
		return fmt.Sprint(o.ID, " paid ", p.Cents), err
	}, flow.AwaitBefore(flow.ForEvent(paid).Matching("id", "input.id")), flow.Delay(30*24*time.Hour)))
	return f
}

func TestRunsAreDrivenAndLookedAt(t *testing.T) {
	t.Parallel()
	var token string
	f := shop(func(t string) { token = t })
	Test(t, func(t *testing.T, app *App) {
		began := time.Now()
		run := Start(app, f, order{ID: "42", Cents: 100})
		app.Settle()
		Signal(app, token, true)
		app.Advance(30 * 24 * time.Hour)
		run.WantStatus(flow.StatusRunning)
		if n := Send(app, paid, order{ID: "41", Cents: 1}); n != 0 {
			t.Errorf("the payment of another order woke %d steps", n)
		}
		if n := Send(app, paid, order{ID: "42", Cents: 100}); n != 1 {
			t.Errorf("the payment woke %d steps", n)
		}
		if got := run.Result(); got != "42 paid 100" {
			t.Errorf("got %q", got)
		}
		if d := time.Since(began); d != 30*24*time.Hour {
			t.Errorf("it took %v", d)
		}
		run.WantStatus(flow.StatusCompleted)
		WantEmitted(run, placed, order{ID: "42", Cents: 100})
		WantEmitted(run, refunded)
		WantEmitted(run, line)
		WantGroup(run, line, 3)
		WantGroup(run, placed)
		if got := Emitted(run, placed); len(got) != 1 || got[0].ID != "42" {
			t.Errorf("emitted %v", got)
		}
		WantState(run, "seen", "42")
		WantState(run, "orders", 1)
		run.WantNoState("other")
		if n, ok := State[int](run, "orders"); n != 1 || !ok {
			t.Errorf("state is %d, %v", n, ok)
		}
		if _, ok := State[int](run, "other"); ok {
			t.Error("there is a state that nobody has set")
		}
		run.WantOrder("place", "approve", "close")
		if got := run.WantRecords(3, flow.RecordStepCompleted, "pick"); got[0].Step != "pick" {
			t.Errorf("got\n%v", got)
		}
		run.WantRecords(0, flow.RecordStepRetry, "")
		if sum := run.Summary(); !slices.Equal(sum.Skipped, []string{"refund"}) {
			t.Errorf("summary is %+v", sum)
		}
	}, f)
}

func TestEachAssertionCanFail(t *testing.T) {
	t.Parallel()
	var token string
	f := shop(func(t string) { token = t })
	Test(t, func(t *testing.T, app *App) {
		run := Start(app, f, order{ID: "42", Cents: 1001})
		bad := Start(app, f, order{ID: "0", Cents: -1})
		app.Settle()
		paused := Start(app, f, order{ID: "7", Cents: 7})
		if err := app.PauseRun(t.Context(), paused.ID(), "test"); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			assert func(app *App)
			want   string
		}{
			"status": {func(a *App) { again(a, run).WantStatus(flow.StatusFailed) }, "the run is running, want failed"},
			"value": {func(a *App) { WantEmitted(again(a, run), placed, order{ID: "41", Cents: 1001}) },
				`"order.placed" was emitted with [{"id":"42","cents":1001}], want [{"id":"41","cents":1001}]`},
			"too many":   {func(a *App) { WantEmitted(again(a, run), placed) }, "want []"},
			"too few":    {func(a *App) { WantEmitted(again(a, run), paid, order{}) }, "was emitted with [], want"},
			"group":      {func(a *App) { WantGroup(again(a, run), line, 4) }, `"order.line" was emitted for [3] items, want [4]`},
			"type":       {func(a *App) { Emitted(again(a, run), flow.NewEvent[int]("order.placed")) }, "decode event \"order.placed\" of record"},
			"state":      {func(a *App) { WantState(again(a, run), "seen", "41") }, `state "seen" is "42", want "41"`},
			"no state":   {func(a *App) { WantState(again(a, run), "other", 1) }, `there is no state "other", want 1`},
			"some state": {func(a *App) { again(a, run).WantNoState("orders") }, `state "orders" is 1, want none`},
			"state type": {func(a *App) { State[int](again(a, run), "seen") }, `decode state "seen" as int`},
			"records": {func(a *App) { again(a, run).WantRecords(2, flow.RecordStepCompleted, "pick") },
				`3 records of type "step.completed" and step "pick", want 2`},
			"no records": {func(a *App) { again(a, run).WantRecords(0, flow.RecordEmit, "") }, `and step "", want 0`},
			"order":      {func(a *App) { again(a, run).WantOrder("approve", "place") }, `step "place" has not completed after those before it`},
			"not there":  {func(a *App) { again(a, run).WantOrder("close") }, `step "close" has not completed;`},
			"waits": {func(a *App) { again(a, run).Result() },
				`nothing is left that happens by itself: step "approve" of flow "shop" has succeeded, and waits`},
			"waits too":   {func(a *App) { again(a, run).Summary() }, "the run cannot end"},
			"is paused":   {func(a *App) { again(a, paused).Result() }, `the run of flow "shop" is paused`},
			"failed":      {func(a *App) { again(a, bad).Result() }, `got no result: run failed`},
			"token":       {func(a *App) { Signal(a, "nonsense", 1) }, "token"},
			"unknown run": {func(a *App) { RunOf[int](a, "nonsense").WantStatus(flow.StatusFailed) }, "not found"},
			"start":       {func(a *App) { Start(a, flow.New[int, int]("nobody"), 1) }, `flow "nobody"`},
			"event":       {func(a *App) { Send(a, flow.NewEvent[func()]("f"), nil) }, "payload"},
		} {
			got := failing(t, app, c.assert)
			if !strings.Contains(got, c.want) {
				t.Errorf("%s reports %q, want %q in it", name, got, c.want)
			}
		}
		got := failing(t, app, func(a *App) { again(a, run).WantOrder("nobody") })
		for _, want := range []string{"seq  after", "flow.started", `{"id":"42","cents":1001}`, `flow "shop": running, epoch 1`} {
			if !strings.Contains(got, want) {
				t.Errorf("the report has no %q:\n%s", want, got)
			}
		}
		if f := bad.Failure(); f.Step != "place" || f.Attempts != 3 || f.Error != "no price" {
			t.Errorf("failure is %+v", f)
		}
		Signal(app, token, true)
		app.Advance(30 * 24 * time.Hour)
		Send(app, paid, order{ID: "42"})
		run.Result()
		if got := failing(t, app, func(a *App) { again(a, run).Failure() }); !strings.Contains(got, "the run has not failed: its result is 42 paid") {
			t.Errorf("a failure that is none reports %q", got)
		}
	}, f)
}

// TestTimeIsTheBubbles measures, outside of the bubble, how long 30 days take.
func TestTimeIsTheBubbles(t *testing.T) {
	t.Parallel()
	f := flow.New[int, time.Time]("later")
	first := flow.Start(f, "first", func(context.Context, int) (struct{}, error) { return struct{}{}, nil })
	flow.Returns(f, flow.On(f, "last", first.Completed(), func(context.Context, struct{}) (time.Time, error) {
		return time.Now(), nil
	}, flow.Delay(30*24*time.Hour)))
	began := time.Now()
	Test(t, func(t *testing.T, app *App) {
		inside := time.Now()
		if got := Start(app, f, 1).Result().Sub(inside); got != 30*24*time.Hour {
			t.Errorf("the step ran after %v", got)
		}
	}, f)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("30 days took %v", took)
	}
}

func TestChildrenAndLaunchesAreRunsToo(t *testing.T) {
	t.Parallel()
	log := flow.New[string, struct{}]("log")
	flow.Start(log, "write", func(context.Context, string) (struct{}, error) { return struct{}{}, nil })
	child := flow.New[int, int]("child")
	flow.Returns(child, flow.Start(child, "wait", func(ctx context.Context, n int) (int, error) {
		return 2 * n, flow.Launch(ctx, log, "waited")
	}, flow.AwaitBefore(flow.ForTime(40*24*time.Hour))))
	stuck := flow.New[int, int]("stuck")
	flow.Returns(stuck, flow.Start(stuck, "sleep", func(_ context.Context, n int) (int, error) { return n, nil },
		flow.AwaitBefore(flow.ForSignal())))
	f := flow.New[int, int]("parent")
	first := flow.Start(f, "first", func(_ context.Context, n int) (int, error) { return n, nil })
	flow.Call(f, "stop", first.Completed(), stuck, nil, flow.When("payload == 0"))
	flow.Returns(f, flow.Call(f, "call", first.Completed(), child, nil, flow.When("payload > 0")))
	Test(t, func(t *testing.T, app *App) {
		if got := Start(app, f, 21).Result(); got != 42 {
			t.Errorf("got %d", got)
		}
		if runs := Runs(app, child); len(runs) != 1 || runs[0].Result() != 42 {
			t.Errorf("%d child runs", len(runs))
		}
		if runs := Runs(app, log); len(runs) != 1 {
			t.Errorf("%d launched runs", len(runs))
		} else {
			runs[0].Result()
		}
		run := Start(app, f, 0)
		want := `waits for its child run; step "sleep" of flow "stuck" waits before it runs`
		if got := failing(t, app, func(a *App) { again(a, run).Result() }); !strings.Contains(got, want) {
			t.Errorf("a child that waits for ever reports %q", got)
		}
	}, child, stuck, log, f)
}

func TestMistakesOfTheTestAreReported(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config nvent.Config
		defs   []any
		want   string
	}{
		"no flow":    {defs: []any{1}, want: "add to the app: add argument 1"},
		"bad config": {config: nvent.Config{Queue: nvent.QueueConfig{Adapter: "nonsense"}}, want: "open the app: "},
		"no handler": {want: "start the app: ", defs: []any{flow.Wiring{Name: "f",
			Steps: map[string]flow.StepDefinition{"a": {Handler: "h", Config: flow.StepConfig{Start: true}}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{TB: t}
				done := make(chan struct{})
				go func() {
					defer close(done)
					open(r, c.config, c.defs)
				}()
				<-done
				for _, f := range r.cleanup {
					f()
				}
				if !r.fatal || len(r.reports) != 1 || !strings.Contains(r.reports[0], c.want) {
					t.Errorf("reports are %q, want %q", r.reports, c.want)
				}
			})
		})
	}
}

func TestLeaksAreReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{TB: t}
		open(r, nvent.Config{}, nil)
		stop := make(chan struct{})
		go func() { <-stop }()
		for _, f := range r.cleanup {
			f()
		}
		if len(r.reports) != 1 || !strings.Contains(r.reports[0], "TestLeaksAreReported") {
			t.Errorf("reports are %q", r.reports)
		}
		close(stop)
	})
}
