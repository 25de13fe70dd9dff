package nvent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/decode"
	"github.com/nvent-go/nvent/internal/engine"
)

// Record is an entry of a run's log.
type Record = adapter.Record

// Run is a handle to one run of a flow whose result is an Out. It is cheap, holds nothing open, and may be used from many
// goroutines.
type Run[Out any] struct {
	app      *App
	id       string
	existing bool
}

// StartOption is an option of starting a run.
type StartOption struct{ set func(*engine.StartOptions) }

// WithKey makes the start idempotent: a second start of the flow with this key starts nothing and returns the run of the
// first, as long as its metadata is kept.
func WithKey(key string) StartOption {
	return StartOption{func(o *engine.StartOptions) { o.Key = key }}
}

// WithRunLabels makes the run findable by up to 8 names and values.
func WithRunLabels(labels map[string]string) StartOption {
	return StartOption{func(o *engine.StartOptions) { o.Labels = maps.Clone(labels) }}
}

// WithRunHeaders gives every job of the run these headers, such as a trace context.
func WithRunHeaders(headers map[string]string) StartOption {
	return StartOption{func(o *engine.StartOptions) { o.Headers = maps.Clone(headers) }}
}

// WithDelay lets the run begin that long after it has been started. It is in the store at once.
func WithDelay(d time.Duration) StartOption {
	return StartOption{func(o *engine.StartOptions) { o.Delay = d }}
}

// WithStartAt lets the run begin at a time of the store's clock. It is in the store at once. A time that is past is now.
func WithStartAt(at time.Time) StartOption {
	return StartOption{func(o *engine.StartOptions) { o.At = at }}
}

// Start starts a run of a flow. When it returns, the run is in the store and will reach its end, whatever crashes. The App
// need not have been started: another instance can run it.
func Start[In, Out any](ctx context.Context, a *App, f *flow.Flow[In, Out], in In, o ...StartOption) (*Run[Out], error) {
	def, err := a.definition(f)
	if err != nil {
		return nil, err
	}
	return start[Out](ctx, a, def, in, o)
}

// definition returns what a flow was when it was added. Another flow value of the same content will do.
func (a *App) definition(f goFlow) (*flow.Definition, error) {
	a.mu.Lock()
	def := a.built[f]
	a.mu.Unlock()
	if def != nil {
		return def, nil
	}
	def, err := f.Definition()
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	known := a.flows[def.Name()]
	a.mu.Unlock()
	if known == nil || known.Hash() != def.Hash() {
		return nil, fmt.Errorf("start flow %q: %w: it has not been added to the app; call app.Add(flow) first",
			def.Name(), adapter.ErrNotFound)
	}
	return known, nil
}

// StartFlow starts a run of the flow with this name: one of the App's own, or the current one of that name in the store. in
// is encoded as JSON; a json.RawMessage is taken as it is.
func (a *App) StartFlow(ctx context.Context, name string, in any, o ...StartOption) (*Run[json.RawMessage], error) {
	a.mu.Lock()
	def := a.flows[name]
	a.mu.Unlock()
	if def == nil {
		var err error
		if def, err = a.engine.CurrentFlow(ctx, name); err != nil {
			return nil, err
		}
	}
	return start[json.RawMessage](ctx, a, def, in, o)
}

func start[Out any](ctx context.Context, a *App, def *flow.Definition, in any, opts []StartOption) (*Run[Out], error) {
	var o engine.StartOptions
	for _, opt := range opts {
		opt.set(&o)
	}
	if err := checkLabels(o.Labels); err != nil {
		return nil, fmt.Errorf("start flow %q: %w", def.Name(), err)
	}
	input, err := a.encode(in)
	if err != nil {
		return nil, fmt.Errorf("start flow %q: input: %w", def.Name(), err)
	}
	id, existing, err := a.engine.StartRun(ctx, def, input, o)
	if err != nil {
		return nil, err
	}
	return &Run[Out]{app: a, id: id, existing: existing}, nil
}

// RunOf returns a handle to a run by its ID. It does not look whether there is one.
func RunOf[Out any](a *App, id string) *Run[Out] { return &Run[Out]{app: a, id: id} }

// ID returns the run's ID, a UUID.
func (r *Run[Out]) ID() string { return r.id }

// Existing reports whether the start found a run of the same key instead of starting one.
func (r *Run[Out]) Existing() bool { return r.existing }

// Errors of a run's end.
var (
	// ErrRunFailed: the run has failed. The error is a *RunError.
	ErrRunFailed = errors.New("run failed")
	// ErrRunCanceled: the run has been cancelled. The error is a *RunError.
	ErrRunCanceled = errors.New("run canceled")
)

// RunError says why a run has no result. It matches [ErrRunFailed] or [ErrRunCanceled].
type RunError struct {
	RunID   string
	Summary flow.Summary // what failed, or the reason of the cancellation, and what was not done
	kind    error
}

// Error names the run, and the step that failed it with its error.
func (e *RunError) Error() string {
	switch f := e.Summary.Error; {
	case f != nil:
		return fmt.Sprintf("%v: %s: step %q, attempt %d: %s", e.kind, e.RunID, f.Step, f.Attempts, f.Error)
	case e.Summary.Reason != "":
		return fmt.Sprintf("%v: %s: %s", e.kind, e.RunID, e.Summary.Reason)
	}
	return fmt.Sprintf("%v: %s", e.kind, e.RunID)
}

// Unwrap returns ErrRunFailed or ErrRunCanceled.
func (e *RunError) Unwrap() error { return e.kind }

// Wait blocks until the run has ended or ctx ends, and returns the flow's result. A run that failed or was cancelled is a
// [*RunError]. A flow that returns nothing has the zero Out. It works on every instance, and after the run's end as long as
// its log is kept.
func (r *Run[Out]) Wait(ctx context.Context) (Out, error) {
	var out Out
	end, err := r.app.engine.AwaitEnd(ctx, r.id)
	if err != nil {
		return out, err
	}
	if end.Status != flow.StatusCompleted {
		sum, err := end.Summary()
		if err != nil {
			return out, fmt.Errorf("run %s: %w", r.id, err)
		}
		kind := ErrRunFailed
		if end.Status == flow.StatusCanceled {
			kind = ErrRunCanceled
		}
		return out, &RunError{RunID: r.id, Summary: sum, kind: kind}
	}
	if len(end.Result) == 0 {
		return out, nil
	}
	if err := decode.JSON(end.Result, &out); err != nil {
		return out, fmt.Errorf("decode result of run %s: %w", r.id, err)
	}
	return out, nil
}

// Cancel ends the run: when it returns nil, no outcome of a step is accepted any more, queued jobs are removed, and running
// handlers are told through their contexts. A run that has ended is left as it is.
func (r *Run[Out]) Cancel(ctx context.Context, why string) error {
	return r.app.engine.CancelRun(ctx, r.id, why)
}

// Status returns where the run is.
func (r *Run[Out]) Status(ctx context.Context) (RunStatus, error) { return r.app.RunStatus(ctx, r.id) }

// Events iterates over the run's log, from the record after the given seq (0: from the start), and follows it live until the
// run has ended, ctx ends, or the caller breaks off. To resume, pass the seq of the last record that was seen: nothing is
// left out or repeated. An error ends the iteration; records that retention has removed are an [adapter.ErrTrimmed].
func (r *Run[Out]) Events(ctx context.Context, after uint64) iter.Seq2[Record, error] {
	return r.app.RunEvents(ctx, r.id, after)
}
