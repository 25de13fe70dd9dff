package engine

import (
	"context"
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
	return uuid.NewSHA1(jobSpace, []byte(t.String())).String()
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
			if j, err = e.job(b, def, t, it, out.Records); err != nil {
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
		call, cancel := context.WithTimeout(e.ctx, commitTimeout)
		_, err = e.Queue.Enqueue(call, jobs...)
		cancel()
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
	var jobs []adapter.NewJob
	for t, it := range s.OpenTokens(b.run) {
		if it.Owner == "" || it.Owner == e.Instance {
			j, err := e.jobFor(s, def, t, it, b.payload)
			if err != nil {
				return err
			}
			jobs = append(jobs, j)
		}
	}
	return e.enqueue(jobs)
}

// job builds the job of a dispatch, with its input if the payloads are at hand.
func (e *Engine) job(b *box, def *flow.Definition, t flow.Token, it *flow.Iteration, fresh []adapter.Record) (adapter.NewJob, error) {
	s, _ := b.current()
	return e.jobFor(s, def, t, it, func(seq uint64) (json.RawMessage, bool) {
		if n := len(fresh); n > 0 && seq >= fresh[0].Seq && seq <= fresh[n-1].Seq {
			return fresh[seq-fresh[0].Seq].Data, true
		}
		return b.payload(seq)
	})
}

func (e *Engine) jobFor(s *flow.State, def *flow.Definition, t flow.Token, it *flow.Iteration,
	payload func(uint64) (json.RawMessage, bool)) (adapter.NewJob, error) {
	step := def.Step(t.Step)
	if step.External {
		var err error
		if payload, err = e.recall(t.Run, it.In, payload); err != nil {
			return adapter.NewJob{}, err
		}
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
	return j, nil
}

// recall reads from the log what of these payloads is not at hand: a foreign worker cannot look there by itself.
func (e *Engine) recall(run string, seqs []uint64, payload func(uint64) (json.RawMessage, bool)) (
	func(uint64) (json.RawMessage, bool), error) {
	var missing []uint64
	for _, seq := range seqs {
		if seq != 0 {
			if _, ok := payload(seq); !ok {
				missing = append(missing, seq)
			}
		}
	}
	if len(missing) == 0 {
		return payload, nil
	}
	call, cancel := context.WithTimeout(e.ctx, commitTimeout)
	defer cancel()
	found, err := e.payloads(call, run, missing)
	if err != nil {
		return nil, err
	}
	return func(seq uint64) (json.RawMessage, bool) {
		if p, ok := found[seq]; ok {
			return p, true
		}
		return payload(seq)
	}, nil
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
		call, cancel := context.WithTimeout(e.ctx, commitTimeout)
		_, err := e.Queue.Apply(call, queue, adapter.ActionCancel, adapter.Selection{IDs: ids})
		cancel()
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
