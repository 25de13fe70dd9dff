package engine

import (
	"context"
	"crypto/sha1" //nolint:gosec // for UUIDv5
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// jobSpace is the namespace of the UUIDv5 of step jobs.
var jobSpace = uuid.MustParse("7f6c1a9e-3f0b-5d0e-9c55-1d6f0e0a7b11")

// JobID returns the ID of the job that carries a token.
func JobID(t flow.Token) string {
	var room [160]byte
	hash := sha1.Sum(append(append(room[:0], jobSpace[:]...), t.String()...)) //nolint:gosec // that is what a UUIDv5 is made of
	id := uuid.UUID(hash[:16])
	id[6], id[8] = id[6]&0x0f|5<<4, id[8]&0x3f|0x80
	return id.String()
}

// issue enqueues the dispatches of a commit. When the queue cannot be reached it tries for a while, and then leaves them to
// the reconciler.
func (e *Engine) issue(b *box, out *flow.Changes) {
	if len(out.Dispatch) == 0 {
		return
	}
	s, def := b.current()
	jobs := make([]adapter.NewJob, 0, len(out.Dispatch))
	var err error
	for _, t := range out.Dispatch {
		if it := s.Scheduled(t); it != nil { // a later input of the same commit may have closed it again
			var j adapter.NewJob
			if j, err = e.jobFor(b, s, def, t, it, out); err != nil {
				break
			}
			jobs = append(jobs, j)
		}
	}
	if err = errors.Join(err, e.enqueue(jobs)); err != nil {
		e.alarm("enqueue", "jobs are not enqueued; the reconciler will do it", "run", b.run, "jobs", len(jobs), "error", err)
	}
}

func (e *Engine) enqueue(jobs []adapter.NewJob) error {
	if len(jobs) == 0 {
		return nil
	}
	var err error
	for try, wait := 0, 10*time.Millisecond; try < 5; try, wait = try+1, 4*wait {
		if try > 0 && !e.sleep(e.ctx, jittered(wait)) {
			return err
		}
		call := within(e.ctx, commitTimeout)
		_, err = e.Queue.Enqueue(call, jobs...)
		call.end()
		if err == nil || refused(err) {
			return err
		}
	}
	return err
}

// reissue enqueues all open dispatches of a run again. It is idempotent: they keep their IDs. It is called when a commit may
// have been applied without its jobs being enqueued.
func (e *Engine) reissue(ctx context.Context, b *box) error {
	docs, err := e.Store.Get(ctx, CollectionState, b.run)
	if err != nil {
		return fmt.Errorf("load run %s: %w", b.run, err)
	}
	if len(docs) == 0 {
		return nil
	}
	s, def, err := e.decode(ctx, docs[0])
	if err != nil {
		return err
	}
	if err := e.loadNeeds(ctx, b.run, s, func() flow.Needs { return def.MissingLive(s) }); err != nil {
		return err
	}
	var jobs []adapter.NewJob
	if !s.Held() {
		for t, it := range s.OpenTokens(b.run) {
			if it.Owner == "" || it.Owner == e.Instance {
				j, err := e.jobFor(b, s, def, t, it, nil)
				if err != nil {
					return err
				}
				jobs = append(jobs, j)
			}
		}
	}
	e.tellOthersAgain(b.run, s, def)
	return e.enqueue(jobs)
}

// jobFor builds the job of a dispatch. Its input is in it if the payloads are at hand: in what has just been committed, in the
// box, or in a page of items; that of an external step always is.
func (e *Engine) jobFor(b *box, s *flow.State, def *flow.Definition, t flow.Token, it *flow.Iteration,
	out *flow.Changes) (adapter.NewJob, error) {
	step := def.Step(t.Step)
	var failed error
	payload := func(seq uint64) (json.RawMessage, bool) {
		p, ok := e.payloadAtHand(b, s, t.Scope, seq, out)
		if ok || !step.External {
			return p, ok
		}
		call, cancel := context.WithTimeout(e.ctx, commitTimeout)
		defer cancel()
		p, err := e.payloadAt(call, b, s, t.Scope, seq)
		if err != nil {
			failed = fmt.Errorf("input of step %q: %w", t.Step, err)
		}
		return p, err == nil
	}
	j := adapter.NewJob{
		ID:        JobID(t),
		Queue:     step.Queue,
		Name:      t.Step,
		Data:      encodeStepJob(t, def.Hash(), step, it, payload, e.MaxPayload),
		Headers:   s.Headers,
		Attempts:  1,
		Redeliver: flow.MaxDeliveries - 1,
	}
	if step.External {
		j.Attempts = step.Attempts
		j.Backoff = adapter.Backoff{Kind: step.Backoff.Kind, Base: time.Duration(step.Backoff.Base),
			Max: time.Duration(step.Backoff.Max), Jitter: step.Backoff.Jitter}
	}
	if it.RunAt > 0 {
		j.RunAt = e.hostTime(time.UnixMilli(it.RunAt))
	}
	return j, failed
}

// removeJobs takes jobs that are not needed any more out of their queues. A running handler learns it through its context.
// What cannot be removed is discarded when it is delivered.
func (e *Engine) removeJobs(b *box, tokens []flow.Token) {
	_, def := b.current()
	ids := map[string][]string{}
	for _, t := range tokens {
		step := def.Step(t.Step)
		ids[step.Queue] = append(ids[step.Queue], JobID(t))
	}
	for queue, ids := range ids {
		call := within(e.ctx, commitTimeout)
		_, err := e.Queue.Apply(call, queue, adapter.ActionCancel, adapter.Selection{IDs: ids})
		call.end()
		if err != nil {
			e.alarm("remove/"+queue, "jobs of an ended run stay in the queue until they are delivered", "run", b.run,
				"queue", queue, "error", err)
		}
	}
}

// decode reads a state document and its definition.
func (e *Engine) decode(ctx context.Context, d adapter.Doc) (*flow.State, *flow.Definition, error) {
	s, err := flow.DecodeState(d.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("decode state of run %s: %w", d.ID, err)
	}
	if s.Format > flow.Format {
		return nil, nil, fmt.Errorf("run %s: %w", d.ID, &newerFormat{s.Format})
	}
	def, err := e.defs.get(ctx, s.Definition)
	if err != nil {
		return nil, nil, fmt.Errorf("run %s: %w", d.ID, err)
	}
	return s, def, nil
}
