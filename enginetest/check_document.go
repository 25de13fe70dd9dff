package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

func documentChecks() []Check {
	return []Check{
		{"document/runs-with-the-log-of-the-go-flow", documentRuns},
		{"document/definition-is-found-by-name", definitionByName},
		{"external/result-of-a-foreign-worker-counts", externalCompletes},
		{"external/failure-of-a-foreign-worker-counts", externalFails},
	}
}

// documentFlow is a flow of most things that documents can say.
func documentFlow() *flow.Flow[int, int] {
	a, b := flow.NewEvent[int]("a"), flow.NewEvent[int]("b")
	f := flow.New[int, int]("document")
	begin := flow.Start(f, "begin", func(ctx context.Context, n int) (int, error) {
		return n, errors.Join(a.Emit(ctx, n), b.Emit(ctx, 2*n))
	}, flow.Emits(a, b))
	flow.On(f, "flaky", begin.Completed(), failsUntil(2), flow.Attempts(2, flow.Backoff{}))
	broken := flow.On(f, "broken", begin.Completed(), failsUntil(99))
	flow.On(f, "excuse", broken.Failed(), func(_ context.Context, x flow.Failure) (string, error) { return x.Error, nil })
	flow.On(f, "never", begin.Completed(), pass[int], flow.When("payload > 1000"))
	flow.Returns(f, flow.Join2(f, "join", a, b, func(_ context.Context, a, b int) (int, error) { return a + b, nil }))
	return f
}

func documentRuns(ctx context.Context, w *world) error {
	inGo, err := w.start(ctx, documentFlow())
	if err != nil {
		return err
	}
	want, err := w.complete(ctx, inGo, "document", 5, 15)
	if err != nil {
		return err
	}
	if err := w.stop(inGo); err != nil {
		return err
	}
	text, err := documentFlow().Wiring().YAML()
	if err != nil {
		return err
	}
	wiring, err := flow.ParseWiring(text, "document.yaml")
	if err != nil {
		return err
	}
	defs := []any{wiring}
	for _, h := range documentFlow().Handlers() {
		defs = append(defs, h)
	}
	i, err := w.start(ctx, defs...)
	if err != nil {
		return err
	}
	got, err := w.complete(ctx, i, "document", 5, 15)
	if err != nil {
		return err
	}
	if diff := Diff(want.log, got.log); diff != "" {
		return fmt.Errorf("the document's log is not that of the flow in Go:\n%s", diff)
	}
	return nil
}

// definitionByName starts a run on an instance that knows nothing of the flow.
func definitionByName(ctx context.Context, w *world) error {
	if _, err := w.start(ctx, documentFlow()); err != nil {
		return err
	}
	stranger, err := w.open(ctx, setup{})
	if err != nil {
		return err
	}
	_, err = w.complete(ctx, stranger, "document", 5, 15)
	return err
}

// foreign starts an instance with an external step, and a foreign worker for it.
func (w *world) foreign(ctx context.Context, do func(*adapter.Delivery, json.RawMessage) adapter.Settlement) (*instance, error) {
	e := flow.NewEvent[int]("prepared")
	f := flow.New[int, int]("foreign")
	flow.Start(f, "prepare", func(ctx context.Context, n int) (int, error) { return n, e.Emit(ctx, n+1) }, flow.Emits(e))
	flow.Returns(f, flow.On[int, int](f, "there", e, nil, flow.External(), flow.Queue("elsewhere"), flow.Attempts(1, flow.Backoff{})))
	i, err := w.start(ctx, f)
	if err != nil {
		return nil, err
	}
	t, _, err := w.backend.open(ctx)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	w.tasks.Go(func() {
		<-w.over
		stop()
	})
	w.tasks.Go(func() {
		_ = foreignWorker(ctx, t.Queue, "elsewhere", do)
		_ = t.close()
	})
	return i, nil
}

func externalCompletes(ctx context.Context, w *world) error {
	headers := make(chan map[string]string, 9)
	i, err := w.foreign(ctx, func(d *adapter.Delivery, in json.RawMessage) adapter.Settlement {
		headers <- d.Headers
		return adapter.Settlement{Verdict: adapter.Complete, Result: fmt.Appendf(nil, "%s0", in)}
	})
	if err != nil {
		return err
	}
	if _, err := w.complete(ctx, i, "foreign", 4, 50, nvent.WithRunHeaders(map[string]string{"traceparent": "00-1"})); err != nil {
		return err
	}
	if h := <-headers; h["traceparent"] != "00-1" {
		return fmt.Errorf("the job's headers are %v", h)
	}
	return nil
}

func externalFails(ctx context.Context, w *world) error {
	i, err := w.foreign(ctx, func(_ *adapter.Delivery, in json.RawMessage) adapter.Settlement {
		return adapter.Settlement{Verdict: adapter.Fail, Err: "no stock for " + string(in)}
	})
	if err != nil {
		return err
	}
	p, err := w.fails(ctx, i, "foreign", "there", "no stock for 2")
	if err != nil {
		return err
	}
	if failed, err := p.record(flow.RecordStepFailed, "there"); err != nil || !strings.Contains(string(failed.Data), "no stock") {
		return wrong(err, "the step failed with %s", failed.Data)
	}
	return nil
}
