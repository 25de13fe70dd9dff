package nventtest

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// recorder takes the reports of assertions that are meant to fail.
type recorder struct {
	testing.TB
	reports []string
	fatal   bool
	cleanup []func()
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.reports = append(r.reports, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	r.fatal = true
	runtime.Goexit()
}

func (r *recorder) Cleanup(f func()) { r.cleanup = append(r.cleanup, f) }

// failing calls f with an App whose reports are kept, and returns them, together.
func failing(t *testing.T, app *App, f func(app *App)) string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(&App{App: app.App, t: r})
	}()
	<-done
	return strings.Join(r.reports, "\n")
}

// again returns the run as one of another App, whose reports are kept.
func again[Out any](app *App, r *Run[Out]) *Run[Out] {
	return &Run[Out]{nvent.RunOf[Out](app.App, r.ID()), app}
}
