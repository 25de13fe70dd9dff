package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// played is a run that has ended.
type played struct {
	id     string
	result json.RawMessage
	failed *nvent.RunError // nil: it completed
	log    []adapter.Record
	end    flow.Summary
}

// play starts a run and waits for its end.
func (w *world) play(ctx context.Context, i *instance, name string, in any, o ...nvent.StartOption) (*played, error) {
	run, err := i.StartFlow(ctx, name, in, o...)
	if err != nil {
		return nil, fmt.Errorf("start flow %q: %w", name, err)
	}
	return w.finish(ctx, i, run.ID())
}

// finish waits for the end of a run and looks at its log.
func (w *world) finish(ctx context.Context, i *instance, id string) (*played, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, w.h.Patience, fmt.Errorf("the run has not ended after %v", w.h.Patience))
	defer cancel()
	p := &played{id: id}
	var err error
	p.result, err = nvent.RunOf[json.RawMessage](i.App, id).Wait(ctx)
	if err != nil && !errors.As(err, &p.failed) {
		return nil, fmt.Errorf("wait for the run: %w", err)
	}
	for r, err := range i.RunEvents(ctx, id, 0) {
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		p.log = append(p.log, r)
	}
	if err := CheckLog(p.log); err != nil {
		return nil, fmt.Errorf("%w; the log:\n%s", err, Diff(nil, p.log))
	}
	if err := json.Unmarshal(p.log[len(p.log)-1].Data, &p.end); err != nil {
		return nil, fmt.Errorf("decode the end of the run: %w", err)
	}
	return p, nil
}

// complete plays a run that has to complete with a result.
func (w *world) complete(ctx context.Context, i *instance, name string, in, want any, o ...nvent.StartOption) (*played, error) {
	p, err := w.play(ctx, i, name, in, o...)
	if err != nil {
		return nil, err
	}
	return p, p.completed(want)
}

// completed returns an error unless the run has completed with a result, or with none if want is nil.
func (p *played) completed(want any) error {
	if p.failed != nil {
		return fmt.Errorf("the run has no result: %w; the log:\n%s", p.failed, Diff(nil, p.log))
	}
	if want == nil && len(p.result) == 0 {
		return nil
	}
	b, err := json.Marshal(want)
	if err != nil {
		return err
	}
	same, err := adapter.Equal(p.result, b)
	if err != nil || !same {
		return wrong(err, "the result is %s, want %s; the log:\n%s", p.result, b, Diff(nil, p.log))
	}
	return nil
}

// count returns how many records of a type a step has. An empty step stands for all.
func (p *played) count(typ, step string) int {
	n := 0
	for i := range p.log {
		if p.log[i].Type == typ && (step == "" || p.log[i].Step == step) {
			n++
		}
	}
	return n
}

// counts returns an error unless a step has so many records of a type.
func (p *played) counts(typ, step string, want int) error {
	if n := p.count(typ, step); n != want {
		return fmt.Errorf("%d records %s of step %q, want %d; the log:\n%s", n, typ, step, want, Diff(nil, p.log))
	}
	return nil
}

// record returns the first record of a type that a step has.
func (p *played) record(typ, step string) (adapter.Record, error) {
	for _, r := range p.log {
		if r.Type == typ && r.Step == step {
			return r, nil
		}
	}
	return adapter.Record{}, fmt.Errorf("no record %s of step %q; the log:\n%s", typ, step, Diff(nil, p.log))
}

// wrong returns an error that says what is wrong, with the error that is behind it, if there is one.
func wrong(err error, format string, args ...any) error {
	if err == nil {
		return fmt.Errorf(format, args...)
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
