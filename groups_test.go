package nvent_test

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

// startedApp returns a started App that has defs, and is closed at the end of the test: of its bubble.
func startedApp(t *testing.T, defs ...any) *nvent.App {
	t.Helper()
	app, err := nvent.New(t.Context(), nvent.Config{})
	if err == nil {
		err = app.Add(defs...)
	}
	if err == nil {
		err = app.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := app.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return app
}

var (
	lineOut = flow.NewEvent[int]("line.out")
	priced  = flow.NewEvent[int]("line.priced")
)

// pricing splits n into items, prices each, and sums the prices up.
func pricing(price func(context.Context, int) error, o ...flow.Option) *flow.Flow[int, string] {
	f := flow.New[int, string]("pricing")
	flow.Start(f, "split", func(ctx context.Context, n int) (struct{}, error) {
		return struct{}{}, lineOut.EmitAll(ctx, func(yield func(int) bool) {
			for i := range n {
				if !yield(i) {
					return
				}
			}
		})
	}, flow.EmitsAll(lineOut))
	flow.On(f, "price", lineOut, func(ctx context.Context, i int) (struct{}, error) {
		if price != nil {
			if err := price(ctx, i); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, priced.Emit(ctx, 10*i)
	}, flow.Emits(priced), flow.Parallel(50))
	flow.Returns(f, flow.Collect(f, "total", priced, func(_ context.Context, g flow.Group[int]) (string, error) {
		sum, last := 0, -1
		for item, err := range g.Items() {
			if err != nil {
				return "", err
			}
			if item.Missing != "" {
				continue
			}
			if item.Index <= last || item.Values[0] != 10*item.Index {
				return "", fmt.Errorf("item %d is %v after item %d", item.Index, item.Values, last)
			}
			last = item.Index
			sum += item.Values[0]
		}
		missing, err := g.Missing()
		var why []string
		for _, m := range missing {
			why = append(why, fmt.Sprintf("%d: %s", m.Index, m.Missing))
		}
		return fmt.Sprintf("%d of %d [%s]", sum, g.Len(), strings.Join(why, "; ")), err
	}, o...))
	return f
}

func TestDynamicFanOutCollectsItemsInOrder(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 3, 51, 512, 513, 1200} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			f := pricing(nil)
			synctest.Test(t, func(t *testing.T) {
				app := startedApp(t, f)
				run, err := nvent.Start(t.Context(), app, f, n)
				if err != nil {
					t.Fatal(err)
				}
				got, err := run.Wait(t.Context())
				if want := fmt.Sprintf("%d of %d []", 10*n*(n-1)/2, n); err != nil || got != want {
					t.Errorf("got %q, %v; want %q", got, err, want)
				}
			})
		})
	}
}

func TestGroupPolicy(t *testing.T) {
	t.Parallel()
	fail := func(_ context.Context, i int) error {
		if i%2 == 1 {
			return errors.New("odd")
		}
		return nil
	}
	t.Run("fail", func(t *testing.T) {
		t.Parallel()
		f := pricing(fail)
		synctest.Test(t, func(t *testing.T) {
			app := startedApp(t, f)
			run, err := nvent.Start(t.Context(), app, f, 4)
			if err != nil {
				t.Fatal(err)
			}
			var failed *nvent.RunError
			if _, err := run.Wait(t.Context()); !errors.As(err, &failed) || failed.Summary.Error.Step != "price" {
				t.Errorf("got %v", err)
			}
		})
	})
	t.Run("partial", func(t *testing.T) {
		t.Parallel()
		f := pricing(fail, flow.Partial())
		synctest.Test(t, func(t *testing.T) {
			app := startedApp(t, f)
			run, err := nvent.Start(t.Context(), app, f, 4)
			if err != nil {
				t.Fatal(err)
			}
			got, err := run.Wait(t.Context())
			if want := `20 of 4 [1: step "price" failed: odd; 3: step "price" failed: odd]`; err != nil || got != want {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
		})
	})
}

func TestNestedGroups(t *testing.T) {
	t.Parallel()
	outer, inner := flow.NewEvent[int]("outer"), flow.NewEvent[string]("inner")
	f := flow.New[int, []string]("nested")
	flow.Start(f, "split", func(ctx context.Context, n int) (struct{}, error) {
		return struct{}{}, outer.EmitAll(ctx, slices.Values([]int{0, 1, 2}[:n]))
	}, flow.EmitsAll(outer))
	flow.On(f, "split-again", outer, func(ctx context.Context, n int) (struct{}, error) {
		return struct{}{}, inner.EmitAll(ctx, slices.Values([]string{"a", "b"}[:n]))
	}, flow.EmitsAll(inner))
	work := flow.On(f, "work", inner, func(_ context.Context, s string) (string, error) { return s + s, nil })
	joined := flow.Collect(f, "join", work.Completed(), func(_ context.Context, g flow.Group[string]) (string, error) {
		all := ""
		for s, err := range g.Values() {
			if err != nil {
				return "", err
			}
			all += s
		}
		return fmt.Sprintf("%d:%s", g.Len(), all), nil
	})
	flow.Returns(f, flow.Collect(f, "all", joined.Completed(), func(_ context.Context, g flow.Group[string]) ([]string, error) {
		var all []string
		for s, err := range g.Values() {
			if err != nil {
				return nil, err
			}
			all = append(all, s)
		}
		return all, nil
	}))
	synctest.Test(t, func(t *testing.T) {
		app := startedApp(t, f)
		run, err := nvent.Start(t.Context(), app, f, 3)
		if err != nil {
			t.Fatal(err)
		}
		got, err := run.Wait(t.Context())
		if want := []string{"0:", "1:aa", "2:aabb"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	})
}

func TestChildFlow(t *testing.T) {
	t.Parallel()
	child := flow.New[int, int]("double")
	flow.Returns(child, flow.Start(child, "twice", func(_ context.Context, n int) (int, error) {
		if n < 0 {
			return 0, errors.New("negative")
		}
		return 2 * n, nil
	}))
	f := flow.New[int, string]("parent")
	first := flow.Start(f, "first", func(_ context.Context, n int) (int, error) { return n, nil })
	same := flow.Call(f, "same", first.Completed(), child, nil)
	mapped := flow.Call(f, "mapped", same.Completed(), child, func(_ context.Context, n int) (int, error) { return n + 1, nil })
	flow.Returns(f, flow.On(f, "last", mapped.Completed(), func(_ context.Context, n int) (string, error) { return fmt.Sprint(n), nil }))
	synctest.Test(t, func(t *testing.T) {
		app := startedApp(t, child, f)
		run, err := nvent.Start(t.Context(), app, f, 5)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := run.Wait(t.Context()); err != nil || got != "22" {
			t.Errorf("got %q, %v", got, err)
		}
		run, err = nvent.Start(t.Context(), app, f, -1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), `child run of flow "double" failed: twice: negative`) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAwaits(t *testing.T) {
	t.Parallel()
	paid := flow.NewEvent[map[string]string]("paid")
	f := flow.New[map[string]string, string]("waits")
	tokens := make(chan string, 1)
	first := flow.Start(f, "first", func(ctx context.Context, in map[string]string) (string, error) {
		token, err := flow.SignalTokenFor(ctx, "", 0)
		if err == nil {
			tokens <- token
		}
		return in["id"], err
	}, flow.AwaitAfter(flow.ForSignal()))
	slept := flow.On(f, "slept", flow.Resolved[string](first), func(_ context.Context, s string) (string, error) { return s, nil },
		flow.AwaitBefore(flow.ForTime(30*24*time.Hour)))
	flow.Returns(f, flow.On(f, "pay", slept.Completed(), func(ctx context.Context, s string) (string, error) {
		p, ok, err := flow.Awaited[map[string]string](ctx)
		return fmt.Sprint(s, " ", p["amount"], " ", ok), err
	}, flow.AwaitBefore(flow.ForEvent(paid).Matching("order", "input.id").OrFail(24*time.Hour))))
	synctest.Test(t, func(t *testing.T) {
		app := startedApp(t, f)
		started := time.Now()
		run, err := nvent.Start(t.Context(), app, f, map[string]string{"id": "42"})
		if err != nil {
			t.Fatal(err)
		}
		token := <-tokens
		synctest.Wait() // the token counts once the step has succeeded
		if err := app.Signal(t.Context(), token, "yes"); err != nil {
			t.Fatal(err)
		}
		if err := app.Signal(t.Context(), token, "no"); !errors.Is(err, nvent.ErrBadToken) {
			t.Errorf("a token works twice: %v", err)
		}
		time.Sleep(30*24*time.Hour + time.Minute)
		for _, order := range []string{"41", "42"} {
			n, err := app.SendEvent(t.Context(), "paid", map[string]string{"order": order, "amount": order + "0"}, "")
			if err != nil || (n == 1) != (order == "42") {
				t.Errorf("event for order %s woke %d steps, %v", order, n, err)
			}
		}
		got, err := run.Wait(t.Context())
		if err != nil || got != "yes 420 true" {
			t.Errorf("got %q, %v after %v", got, err, time.Since(started))
		}
		// The event is there before the wait begins.
		if run, err = nvent.Start(t.Context(), app, f, map[string]string{"id": "43"}); err != nil {
			t.Fatal(err)
		}
		token = <-tokens
		synctest.Wait()
		if err := app.Signal(t.Context(), token, "yes"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30*24*time.Hour - 30*time.Minute)
		if _, err := app.SendEvent(t.Context(), "paid", map[string]string{"order": "43", "amount": "1"}, ""); err != nil {
			t.Fatal(err)
		}
		if got, err := run.Wait(t.Context()); err != nil || got != "yes 1 true" {
			t.Errorf("got %q, %v after %v", got, err, time.Since(started))
		}
		// Nothing comes.
		if run, err = nvent.Start(t.Context(), app, f, map[string]string{"id": "44"}); err != nil {
			t.Fatal(err)
		}
		token = <-tokens
		synctest.Wait()
		if err := app.Signal(t.Context(), token, "yes"); err != nil {
			t.Fatal(err)
		}
		if _, err := run.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), `await before: no event "paid" came in 24h0m0s`) {
			t.Errorf("got %v", err)
		}
	})
}
