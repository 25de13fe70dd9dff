package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// missingHandlerDelay is how long a job rests that this instance has no handler for, so that another one can take it.
const missingHandlerDelay = 5 * time.Second

// errShutdown is the cause of a handler's context when the time for a graceful shutdown is over.
var errShutdown = fmt.Errorf("instance shuts down: %w", adapter.ErrClosed)

// Work takes jobs of a queue and runs their handlers until ctx ends; then it takes no more and returns once the handlers
// have returned. Handlers are cancelled, and their jobs released, when abort ends. ready is called when the first job can be
// taken.
func (e *Engine) Work(ctx, abort context.Context, queue string, ready func()) error {
	opts := adapter.ConsumeOptions{
		Consumer:    e.Instance,
		Concurrency: func() int { return e.Concurrency(queue) },
		Ready:       ready,
	}
	return e.Queue.Consume(ctx, queue, opts, func(ctx context.Context, d *adapter.Delivery) {
		e.deliver(ctx, abort, d)
	})
}

// deliver runs one delivery to its end.
func (e *Engine) deliver(ctx, abort context.Context, d *adapter.Delivery) {
	if abort.Err() != nil {
		e.settle(receiptOf(d), adapter.Settlement{Verdict: adapter.Release})
		return
	}
	if head, input, ok := decodeStepJob(d.Data); ok {
		e.deliverStep(ctx, abort, d, head, input)
		return
	}
	h, ok := e.handlers.jobs.get(jobName{d.Queue, d.Name})
	if !ok {
		e.alarm("job/"+d.Queue+"/"+d.Name, "no handler here for a job; handing it back", "queue", d.Queue, "job", d.Name, "id", d.ID)
		e.settle(receiptOf(d), adapter.Settlement{Verdict: adapter.Release, Delay: jittered(missingHandlerDelay)})
		return
	}
	own := newHandlerContext(ctx, abort)
	own.job = heldJob{d, e.Queue}
	defer own.end(nil)
	s := h(own, d)
	if s.Verdict == adapter.Retry || s.Verdict == adapter.Fail {
		switch cause := context.Cause(own); {
		case errors.Is(cause, adapter.ErrClosed):
			s = adapter.Settlement{Verdict: adapter.Release}
		case errors.Is(cause, adapter.ErrLeaseLost), errors.Is(cause, adapter.ErrCanceled):
			return // it is not ours any more; only a success would still count
		}
	}
	e.settleIn(&own.room, receiptOf(d), s)
}

// receipt is what it takes to settle a delivery. The delivery itself belongs to its adapter, and may be used again once the
// handler has returned.
type receipt struct{ queue, id, receipt string }

func receiptOf(d *adapter.Delivery) receipt { return receipt{d.Queue, d.ID, d.Receipt} }

// settle ends a delivery. A lease that is lost is nobody's fault: whoever has the job settles it.
func (e *Engine) settle(r receipt, s adapter.Settlement) {
	e.settleIn(new([1]adapter.Settlement), r, s)
}

// settleIn is settle with room for the settlement, which belongs to the adapter from then on.
func (e *Engine) settleIn(room *[1]adapter.Settlement, r receipt, s adapter.Settlement) {
	s.Queue, s.ID, s.Receipt = r.queue, r.id, r.receipt
	room[0] = s
	err := e.Queue.Settle(e.ctx, room[:]...)[0] // e.ctx ends after the workers
	if err != nil && !errors.Is(err, adapter.ErrLeaseLost) {
		e.alarm("settle/"+r.queue, "job is not settled; it will be delivered again", "queue", r.queue, "id", r.id,
			"verdict", s.Verdict, "error", err)
	}
}

// deliverStep runs one delivery of a step.
func (e *Engine) deliverStep(ctx, abort context.Context, d *adapter.Delivery, head stepJobHead, input json.RawMessage) {
	t := head.Token
	if head.Format > flow.Format {
		e.handBack(d, t, &newerFormat{head.Format})
		return
	}
	b := e.open(t.Run)
	defer e.release(b)
	s, def, err := e.check(ctx, b, t)
	switch {
	case err != nil:
		e.handBack(d, t, err)
		return
	case s == nil:
		// Consumed, superseded or fenced. If an earlier delivery died between its commit and what follows, that is due now.
		if d.Delivery > 1 {
			if err := e.reissue(ctx, b); err != nil {
				e.alarm("reissue", "cannot look after a run; the reconciler will", "run", t.Run, "error", err)
			}
		}
		e.settle(receiptOf(d), adapter.Settlement{Verdict: adapter.Discard})
		return
	}
	step := def.Step(t.Step)
	h, ok := e.handlers.steps.get(step.Handler)
	if !ok {
		e.handBack(d, t, fmt.Errorf("no handler %q is registered here", step.Handler))
		return
	}
	it := s.Scheduled(t)
	in, err := e.inputs(ctx, b, s, t, step, it, input)
	if err != nil {
		e.handBack(d, t, err)
		return
	}
	w := &stepRun{e: e, b: b, receipt: receiptOf(d), token: t, step: step, it: it, def: def, key: s.IdempotencyKey(t),
		began: e.Clock.Now()}
	w.start = flow.StartInfo{Worker: e.Instance, Delivery: d.Delivery, At: e.storeTime(w.began).UnixMilli()}
	w.own.parent, w.own.abort = ctx, abort
	w.run(h, in)
}

// handBack returns a job that this instance cannot run, without an attempt, and raises an alarm.
func (e *Engine) handBack(d *adapter.Delivery, t flow.Token, why error) {
	e.alarm("hand back/"+t.Step, "handing back a step", "run", t.Run, "step", t.Step, "error", why)
	e.settle(receiptOf(d), adapter.Settlement{Verdict: adapter.Release, Delay: jittered(missingHandlerDelay)})
}

// check returns the state in which t is the token that counts, or nil. What this process holds may be old, so it is enough
// to run a handler (a fenced outcome is refused later) but not to discard a job.
func (e *Engine) check(ctx context.Context, b *box, t flow.Token) (*flow.State, *flow.Definition, error) {
	if s, def := b.current(); flow.MayRun(s, t) {
		return s, def, nil
	}
	s, def, err := e.freshFor(ctx, b, t.Scope)
	if err != nil || !flow.MayRun(s, t) {
		return nil, nil, err
	}
	return s, def, nil
}

// freshFor reads the state of a run, with what it takes to look at a scope, and offers it to the box. It returns nil if there
// is no such run.
func (e *Engine) freshFor(ctx context.Context, b *box, scope string) (*flow.State, *flow.Definition, error) {
	docs, err := e.Store.Get(ctx, CollectionState, b.run)
	if err != nil {
		return nil, nil, fmt.Errorf("load run %s: %w", b.run, err)
	}
	if len(docs) == 0 {
		return nil, nil, nil
	}
	s, def, err := e.decode(ctx, docs[0])
	if err != nil {
		return nil, nil, err
	}
	for {
		needs := def.MissingAt(s, scope)
		if len(needs.Chunks) == 0 {
			break
		}
		if err := e.loadChunks(ctx, b.run, s, needs.Chunks); err != nil {
			return nil, nil, err
		}
	}
	s.Trim()
	b.offer(s, docs[0].Version, def)
	return s, def, nil
}
