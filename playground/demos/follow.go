package demos

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

// Play runs a demo to its end, with what it needs from outside: an answer, or a restart after its failure. each gets every
// record of its log.
func (d Demo) Play(ctx context.Context, app *nvent.App, each func(nvent.Record)) (json.RawMessage, error) {
	run, err := app.StartFlow(ctx, d.Flow.Name(), d.Input)
	if err != nil {
		return nil, err
	}
	seen, err := d.follow(ctx, app, run, 0, each)
	if err != nil {
		return nil, err
	}
	if d.Restart != nil {
		if err := app.RestartRun(ctx, run.ID(), nvent.FromFailureWith(d.Restart)); err != nil {
			return nil, err
		}
		if _, err := d.follow(ctx, app, run, seen, each); err != nil {
			return nil, err
		}
	}
	return run.Wait(ctx)
}

// follow follows a run to its end, and gives the answer that it waits for. It returns the seq of the last record.
func (d Demo) follow(
	ctx context.Context, app *nvent.App, run *nvent.Run[json.RawMessage], after uint64, each func(nvent.Record),
) (uint64, error) {
	for r, err := range run.Events(ctx, after) {
		if err != nil {
			return after, err
		}
		each(r)
		after = r.Seq
		if r.Type != flow.RecordAwaitRegistered || r.Key != flow.AwaitSignal {
			continue
		}
		token, ok := tokens.LoadAndDelete(run.ID())
		if !ok {
			return after, fmt.Errorf("demo %s: step %q waits for a signal, and there is no token", d.Name, r.Step)
		}
		if err := app.Signal(ctx, token.(string), d.Answer); err != nil {
			return after, err
		}
	}
	return after, nil
}
