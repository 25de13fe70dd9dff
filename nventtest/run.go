package nventtest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

// Run is a run under test.
type Run[Out any] struct {
	*nvent.Run[Out]
	app *App
}

// Start starts a run of a flow ([nvent.Start]). It does not wait for anything to happen.
func Start[In, Out any](a *App, f *flow.Flow[In, Out], in In, o ...nvent.StartOption) *Run[Out] {
	a.t.Helper()
	run, err := nvent.Start(context.Background(), a.App, f, in, o...)
	if err != nil {
		a.t.Fatalf("%v", err)
	}
	return &Run[Out]{run, a}
}

// RunOf returns a run by its ID: one that was started by name, or is another's child.
func RunOf[Out any](a *App, id string) *Run[Out] {
	return &Run[Out]{nvent.RunOf[Out](a.App, id), a}
}

// Runs returns the runs of a flow, the earliest first: those that other runs call ([flow.Call]) or launch ([flow.Launch]), too.
func Runs[In, Out any](a *App, f *flow.Flow[In, Out]) []*Run[Out] {
	a.t.Helper()
	var list []*Run[Out]
	q := nvent.RunQuery{Flow: f.Name()}
	for {
		page, err := a.Runs(context.Background(), q)
		if err != nil {
			a.t.Fatalf("%v", err)
		}
		for _, s := range page.Items {
			list = append(list, RunOf[Out](a, s.RunID))
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			slices.Reverse(list)
			return list
		}
	}
}

// End lets time pass until the run has ended, and returns what [nvent.Run.Wait] does. A run that cannot end by itself,
// because it waits for an event or a signal, is paused, or has nobody to do its work, fails the test at once: send it what
// it waits for first.
func (r *Run[Out]) End() (Out, error) {
	r.app.t.Helper()
	type end struct {
		out Out
		err error
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan end, 1)
	go func() {
		out, err := r.Wait(ctx)
		ended <- end{out, err}
	}()
	var p progress
	for {
		synctest.Wait()
		select {
		case e := <-ended:
			return e.out, e.err
		default:
		}
		wake, stuck := r.app.wake(r.ID(), &p)
		if stuck != "" {
			cancel()
			<-ended
			r.app.t.Fatalf("the run cannot end: %s\n%s", stuck, r.describe())
		}
		timer := time.NewTimer(max(time.Until(wake), time.Millisecond))
		select {
		case e := <-ended:
			timer.Stop()
			return e.out, e.err
		case <-timer.C:
		}
	}
}

// Result is the flow's result, for which it waits as [Run.End] does. A run that fails or is cancelled fails the test.
func (r *Run[Out]) Result() Out {
	r.app.t.Helper()
	out, err := r.End()
	if err != nil {
		r.app.t.Fatalf("got no result: %v\n%s", err, r.describe())
	}
	return out
}

// Failure is why the run failed, for which it waits as [Run.End] does. A run that does not fail fails the test.
func (r *Run[Out]) Failure() flow.Failure {
	r.app.t.Helper()
	out, err := r.End()
	var failed *nvent.RunError
	if !errors.As(err, &failed) || failed.Summary.Error == nil {
		r.app.t.Fatalf("the run has not failed: its result is %+v, its error %v\n%s", out, err, r.describe())
	}
	return *failed.Summary.Error
}

// Summary is what the record that ended the run says: steps skipped, joins left partly filled, emissions ignored. It waits
// for the end as [Run.End] does.
func (r *Run[Out]) Summary() flow.Summary {
	r.app.t.Helper()
	if _, err := r.End(); err != nil && !errors.Is(err, nvent.ErrRunFailed) && !errors.Is(err, nvent.ErrRunCanceled) {
		r.app.t.Fatalf("wait for the run: %v\n%s", err, r.describe())
	}
	var sum flow.Summary
	for _, rec := range slices.Backward(r.Log()) {
		switch rec.Type {
		case flow.RecordFlowCompleted, flow.RecordFlowFailed, flow.RecordFlowCanceled:
			if err := json.Unmarshal(rec.Data, &sum); err != nil {
				r.app.t.Fatalf("decode summary: %v\n%s", err, r.describe())
			}
			return sum
		}
	}
	r.app.t.Fatalf("no record ends the run\n%s", r.describe())
	return sum
}

// WantStatus reports a run that is not in this status now. It lets no time pass.
func (r *Run[Out]) WantStatus(want flow.Status) {
	r.app.t.Helper()
	synctest.Wait()
	got, err := r.Status(context.Background())
	if err != nil {
		r.app.t.Fatalf("%v", err)
	}
	if got.Status != want {
		r.app.t.Errorf("the run is %s, want %s\n%s", got.Status, want, r.describe())
	}
}
