package nvent

import (
	"context"
	"fmt"

	"github.com/nvent-go/nvent/internal/engine"
)

// CancelRun cancels a run by its ID. See [Run.Cancel].
func (a *App) CancelRun(ctx context.Context, id, why string) error {
	return a.engine.CancelRun(ctx, id, why)
}

// RestartOption is an option of restarting a run.
type RestartOption struct {
	set func(a *App, o *engine.RestartOptions) error
}

// FromFailure restarts the run where it failed: what had succeeded stays, what was open when it failed goes on, and the step
// that failed it is tried again, with all its attempts. Only a run that has failed can be restarted so.
func FromFailure() RestartOption {
	return RestartOption{func(_ *App, o *engine.RestartOptions) error {
		o.Failed = true
		return nil
	}}
}

// FromFailureWith is [FromFailure] with another input for the step that failed the run. v is encoded as JSON. The step must
// have one input: one connection, or the flow's own.
func FromFailureWith(v any) RestartOption {
	return RestartOption{func(a *App, o *engine.RestartOptions) error {
		input, err := a.encode(v)
		if err != nil {
			return fmt.Errorf("input: %w", err)
		}
		o.Failed, o.Input = true, input
		return nil
	}}
}

// RestartRun runs a run again: from its start with the same input, or as the options say. The run keeps its ID and its log,
// and begins a new epoch; outcomes of the earlier one are refused from then on. Idempotency keys stay the same, so what must
// not happen twice does not. A run that is being cancelled, and [FromFailure] for a run that has not failed, are an
// [adapter.ErrConflict].
func (a *App) RestartRun(ctx context.Context, id string, options ...RestartOption) error {
	var o engine.RestartOptions
	for _, opt := range options {
		if err := opt.set(a, &o); err != nil {
			return fmt.Errorf("restart run %s: %w", id, err)
		}
	}
	return a.engine.RestartRun(ctx, id, o)
}

// PauseRun pauses a run: handlers that run go on and their outcomes count, but nothing new is dispatched and no timer fires
// until [App.ResumeRun]. Pausing a run that is paused or has ended does nothing.
func (a *App) PauseRun(ctx context.Context, id, why string) error {
	return a.engine.PauseRun(ctx, id, why)
}

// ResumeRun ends a pause: what is open is dispatched, and timers that came due meanwhile fire. Resuming a run that is not
// paused does nothing.
func (a *App) ResumeRun(ctx context.Context, id string) error {
	return a.engine.ResumeRun(ctx, id)
}

// PauseFlow pauses a flow on all instances: its runs are paused, and those that start later begin paused. When it returns nil
// the pause is in the store, and the runs that this instance found are paused; other instances follow within seconds.
func (a *App) PauseFlow(ctx context.Context, name, why string) error {
	return a.engine.SetFlowPaused(ctx, name, true, why)
}

// ResumeFlow ends the pause of a flow. Runs that are paused by themselves stay so.
func (a *App) ResumeFlow(ctx context.Context, name string) error {
	return a.engine.SetFlowPaused(ctx, name, false, "")
}

// FlowPaused reports whether a flow is paused, and why.
func (a *App) FlowPaused(ctx context.Context, name string) (paused bool, why string, err error) {
	return a.engine.FlowPaused(ctx, name)
}

// SendEvent sends an event from outside to the steps, of any run of any flow, that await it ([flow.ForEvent]), and keeps it
// for those that begin to wait later and look back. With a key a second event of the same name and key is the same event.
// It returns how many steps it woke. When it returns nil the event is in the store. An event that no flow awaits is dropped.
func (a *App) SendEvent(ctx context.Context, name string, payload any, key string) (int, error) {
	b, err := a.encode(payload)
	if err != nil {
		return 0, fmt.Errorf("send event %q: payload: %w", name, err)
	}
	return a.engine.SendEvent(ctx, name, key, b)
}

// ErrBadToken says that the token of a signal is unknown, was used, or has expired.
var ErrBadToken = engine.ErrBadToken

// Signal brings a signal to the step that its token is for ([flow.SignalTokenFor]). A token works once; another use, and a
// token that is unknown or has expired, is an [ErrBadToken]. When it returns nil the signal is in the run's log.
func (a *App) Signal(ctx context.Context, token string, payload any) error {
	b, err := a.encode(payload)
	if err != nil {
		return fmt.Errorf("signal: payload: %w", err)
	}
	return a.engine.Signal(ctx, token, b)
}
