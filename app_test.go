package nvent_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

type order struct {
	ID    string `json:"id"`
	Cents int    `json:"cents"`
}

type receipt struct {
	No string `json:"no"`
}

type parcel struct {
	Weight int `json:"weight"`
}

var (
	placed  = flow.NewEvent[order]("order.placed")
	charged = flow.NewEvent[receipt]("order.charged")
	packed  = flow.NewEvent[parcel]("order.packed")
)

// fanIn is a flow of four steps: place, then charge and pack side by side, then ship, which joins them.
func fanIn(charge func(context.Context, order) (struct{}, error)) *flow.Flow[order, string] {
	f := flow.New[order, string]("order")
	flow.Start(f, "place", func(ctx context.Context, o order) (struct{}, error) {
		return struct{}{}, placed.Emit(ctx, o)
	}, flow.Emits(placed))
	flow.On(f, "charge", placed, charge, flow.Emits(charged), flow.Attempts(3, flow.Fixed(time.Millisecond)))
	flow.On(f, "pack", placed, func(ctx context.Context, o order) (struct{}, error) {
		return struct{}{}, packed.Emit(ctx, parcel{len(o.ID)})
	}, flow.Emits(packed))
	flow.Returns(f, flow.Join2(f, "ship", charged, packed, func(_ context.Context, r receipt, p parcel) (string, error) {
		return fmt.Sprintf("%s/%d", r.No, p.Weight), nil
	}))
	return f
}

func chargeOK(ctx context.Context, o order) (struct{}, error) {
	return struct{}{}, charged.Emit(ctx, receipt{"R" + o.ID})
}

// started returns an App on memory that runs defs, and closes it with the test.
func started(t *testing.T, c nvent.Config, defs ...any) *nvent.App {
	t.Helper()
	app, err := nvent.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := app.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := app.Add(defs...); err != nil {
		t.Fatal(err)
	}
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return app
}

func TestFanInRunsToItsEnd(t *testing.T) {
	t.Parallel()
	f := fanIn(chargeOK)
	app := started(t, nvent.Config{}, f)
	run, err := nvent.Start(t.Context(), app, f, order{"42", 100}, nvent.WithKey("42"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := run.Wait(t.Context())
	if err != nil || got != "R42/2" {
		t.Fatalf("result %q, %v; want R42/2", got, err)
	}
	again, err := nvent.Start(t.Context(), app, f, order{"42", 100}, nvent.WithKey("42"))
	if err != nil || !again.Existing() || again.ID() != run.ID() {
		t.Errorf("start with the same key: existing %v, run %s, %v; want the run %s", again.Existing(), again.ID(), err, run.ID())
	}
	st, err := run.Status(t.Context())
	if err != nil || st.Status != flow.StatusCompleted || st.CompletedSteps != 4 || st.Open != 0 {
		t.Errorf("status %+v, %v", st, err)
	}
	types := map[string]int{}
	next := uint64(1)
	for r, err := range run.Events(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Seq != next {
			t.Errorf("seq %d, want %d", r.Seq, next)
		}
		next++
		types[r.Type]++
	}
	if types[flow.RecordStepCompleted] != 4 || types[flow.RecordStepStarted] != 4 || types[flow.RecordEmit] != 3 ||
		types[flow.RecordFlowStarted] != 1 || types[flow.RecordFlowCompleted] != 1 {
		t.Errorf("log has %v", types)
	}
}

func TestPromise3_EmissionsOfAFailedAttemptAreNeverSeen(t *testing.T) {
	t.Parallel()
	f := fanIn(func(ctx context.Context, _ order) (struct{}, error) {
		info, _ := flow.Info(ctx)
		if err := charged.Emit(ctx, receipt{fmt.Sprintf("try%d", info.Attempt)}); err != nil {
			return struct{}{}, err
		}
		if info.Attempt == 1 {
			return struct{}{}, errors.New("bank is down")
		}
		return struct{}{}, nil
	})
	app := started(t, nvent.Config{}, f)
	run, err := nvent.Start(t.Context(), app, f, order{ID: "7"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := run.Wait(t.Context()); err != nil || got != "try2/1" {
		t.Fatalf("result %q, %v; want try2/1", got, err)
	}
}

func TestFinalFailureFailsTheRun(t *testing.T) {
	t.Parallel()
	f := fanIn(func(context.Context, order) (struct{}, error) {
		return struct{}{}, flow.Permanent(errors.New("card declined"))
	})
	app := started(t, nvent.Config{}, f)
	run, err := nvent.Start(t.Context(), app, f, order{ID: "7"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = run.Wait(t.Context())
	var failed *nvent.RunError
	if !errors.Is(err, nvent.ErrRunFailed) || !errors.As(err, &failed) || failed.Summary.Error.Step != "charge" ||
		failed.Summary.Error.Error != "card declined" {
		t.Fatalf("error %v; want the failure of charge", err)
	}
}

func TestCancelEndsTheRunAndItsHandlers(t *testing.T) {
	t.Parallel()
	running, ended := make(chan struct{}), make(chan error, 1)
	f := fanIn(func(ctx context.Context, _ order) (struct{}, error) {
		close(running)
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return struct{}{}, ctx.Err()
	})
	app := started(t, nvent.Config{}, f)
	run, err := nvent.Start(t.Context(), app, f, order{ID: "7"})
	if err != nil {
		t.Fatal(err)
	}
	<-running
	if err := run.Cancel(t.Context(), "changed my mind"); err != nil {
		t.Fatal(err)
	}
	_, err = run.Wait(t.Context())
	var canceled *nvent.RunError
	if !errors.Is(err, nvent.ErrRunCanceled) || !errors.As(err, &canceled) || canceled.Summary.Reason != "changed my mind" {
		t.Errorf("wait: %v; want the cancellation", err)
	}
	if cause := <-ended; !errors.Is(cause, nvent.ErrCanceled) {
		t.Errorf("handler's context ended with %v, want ErrCanceled", cause)
	}
}
