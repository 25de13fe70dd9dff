package nvent_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

// heard collects what listeners hear.
type heard struct {
	mu   sync.Mutex
	list []string
}

func (h *heard) note(s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, s)
}

func (h *heard) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.list)
}

func TestBusHasNewsOfRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := flow.New[int, int]("news")
		flow.Returns(f, flow.Start(f, "work", func(ctx context.Context, n int) (int, error) {
			switch n {
			case 1:
				return 0, errors.New("refused")
			case 2:
				<-ctx.Done()
			}
			return n, nil
		}))
		app := started(t, nvent.Config{}, f)
		var h heard
		ended := make(chan string, 9)
		nvent.RunStarted.On(app.Bus(), func(_ context.Context, e nvent.RunEvent) { h.note("started " + e.Flow) })
		nvent.RunCompleted.On(app.Bus(), func(ctx context.Context, e nvent.RunEvent) {
			// A listener may do anything with the run, and take its time.
			if e.Epoch == 1 {
				if err := app.RestartRun(ctx, e.RunID); err != nil {
					t.Error(err)
				}
			}
			h.note("completed")
			ended <- e.RunID
		})
		nvent.RunFailed.On(app.Bus(), func(_ context.Context, e nvent.RunEvent) {
			h.note("failed: " + e.Error)
			ended <- e.RunID
		})
		nvent.RunCanceled.On(app.Bus(), func(_ context.Context, e nvent.RunEvent) {
			h.note("canceled: " + e.Error)
			ended <- e.RunID
		})
		for n := range 3 {
			run, err := nvent.Start(t.Context(), app, f, n)
			if err != nil {
				t.Fatal(err)
			}
			if n == 2 {
				if err := run.Cancel(t.Context(), "enough"); err != nil {
					t.Fatal(err)
				}
			}
			if id := <-ended; id != run.ID() {
				t.Errorf("news of run %s, want %s", id, run.ID())
			}
			if n == 0 {
				<-ended
			}
		}
		want := []string{"started news", "completed", "started news", "completed", "started news", "failed: work: refused",
			"started news", "canceled: enough"}
		if got := h.all(); !slices.Equal(got, want) {
			t.Errorf("heard %q, want %q", got, want)
		}
	})
}

func TestBusHasNewsOfQueues(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before the start", "after the start"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			job := nvent.Job[int]("mail", "send", flow.Attempts(1, flow.Backoff{}))
			app, err := nvent.New(t.Context(), nvent.Config{})
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan nvent.QueueEvent, 9)
			listen := func() {
				nvent.QueueBusEvent(nvent.EventCompleted).On(app.Bus(), func(_ context.Context, e nvent.QueueEvent) { done <- e })
			}
			if when == "before the start" {
				listen()
			}
			if err := app.Add(job.Handle(func(context.Context, int) error { return nil })); err != nil {
				t.Fatal(err)
			}
			if err := app.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if when == "after the start" {
				listen()
			}
			id, err := job.Enqueue(t.Context(), app, 1)
			if err != nil {
				t.Fatal(err)
			}
			if e := <-done; e.JobID != id || e.Queue != "mail" {
				t.Errorf("heard of %+v, want job %s", e, id)
			}
			if err := app.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPromise9_CloseBringsTheNews: what was recorded before the end is told, unless a listener takes longer than Close may.
func TestPromise9_CloseBringsTheNews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := flow.New[int, int]("news")
		flow.Returns(f, flow.Start(f, "work", func(_ context.Context, n int) (int, error) { return n, nil }))
		app, err := nvent.New(t.Context(), nvent.Config{})
		if err != nil {
			t.Fatal(err)
		}
		var h heard
		release := make(chan struct{})
		nvent.RunStarted.On(app.Bus(), func(context.Context, nvent.RunEvent) {
			time.Sleep(time.Second)
			h.note("one")
			<-release
		})
		if err := app.Add(f); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := nvent.Start(t.Context(), app, f, 1); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if err := app.Close(ctx); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d != time.Minute || len(h.all()) != 1 {
			t.Errorf("close took %v with %d news told, want a minute and 1", d, len(h.all()))
		}
		close(release)
		time.Sleep(time.Minute)
		if len(h.all()) != 2 {
			t.Errorf("%d news told in the end, want 2", len(h.all()))
		}
	})
}
