package nventtest

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

// App is a started App on memory in a bubble. What is below it ([nvent.App]) can be used as always.
type App struct {
	*nvent.App
	t testing.TB
}

// Test runs a test with an App that has defs (see [nvent.App.Add]), and closes it. It blocks until the test and everything
// that it has started have ended.
func Test(t *testing.T, test func(t *testing.T, app *App), defs ...any) {
	t.Helper()
	TestWith(t, nvent.Config{}, test, defs...)
}

// TestWith is [Test] with a configuration. Adapters other than memory have servers or files outside of the bubble, so they
// cannot be used. Without a Logger the App is silent.
func TestWith(t *testing.T, c nvent.Config, test func(t *testing.T, app *App), defs ...any) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		app := open(t, c, defs)
		test(t, app)
	})
}

// closing is how long handlers get to return at the end of a test, in the bubble's time.
const closing = time.Hour

// open starts an App that is closed when the test ends. It must be called in a synctest bubble.
func open(t testing.TB, c nvent.Config, defs []any) *App {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	app, err := nvent.New(context.Background(), c)
	if err != nil {
		t.Fatalf("open the app: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closing)
		defer cancel()
		if err := app.Close(ctx); err != nil {
			t.Errorf("close the app: %v", err)
		}
		reportLeaks(t)
	})
	if err := app.Add(defs...); err != nil {
		t.Fatalf("add to the app: %v", err)
	}
	if err := app.Start(context.Background()); err != nil {
		t.Fatalf("start the app: %v", err)
	}
	return &App{App: app, t: t}
}

// Settle waits until everything has happened that can happen without time passing: all handlers have returned or wait.
func (a *App) Settle() { synctest.Wait() }

// Advance lets time pass, and then everything happen that can.
func (a *App) Advance(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // in a bubble, where it takes no time
	synctest.Wait()
}

// Send sends an event from outside ([nvent.App.SendEvent]), lets happen what follows from it, and returns how many steps it
// woke.
func Send[T any](a *App, e *flow.Event[T], v T) int {
	a.t.Helper()
	n, err := a.SendEvent(context.Background(), e.Name(), v, "")
	if err != nil {
		a.t.Fatalf("%v", err)
	}
	synctest.Wait()
	return n
}

// Signal brings a signal to the step that the token is for ([nvent.App.Signal]), and lets happen what follows from it.
func Signal[T any](a *App, token string, payload T) {
	a.t.Helper()
	if err := a.Signal(context.Background(), token, payload); err != nil {
		a.t.Fatalf("%v", err)
	}
	synctest.Wait()
}
