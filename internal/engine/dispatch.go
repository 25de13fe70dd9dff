package engine

import (
	"context"
	"crypto/sha1" //nolint:gosec // for UUIDv5
	"encoding/json"
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
	for _, t := range out.Dispatch {
		if it := s.Scheduled(t); it != nil { // a later input of the same commit may have closed it again
			jobs = append(jobs, e.job(b, def, t, it, out.Records))
		}
	}
	if err := e.enqueue(jobs); err != nil {
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
	var jobs []adapter.NewJob
	for t, it := range s.OpenTokens(b.run) {
		if it.Owner == "" || it.Owner == e.Instance {
			jobs = append(jobs, e.jobFor(s, def, t, it, func(seq uint64) (json.RawMessage, bool) { return b.payload(seq) }))
		}
	}
	return e.enqueue(jobs)
}

// job builds the job of a dispatch, with its input if the payloads are at hand.
func (e *Engine) job(b *box, def *flow.Definition, t flow.Token, it *flow.Iteration, fresh []adapter.Record) adapter.NewJob {
	s, _ := b.current()
	return e.jobFor(s, def, t, it, func(seq uint64) (json.RawMessage, bool) {
		if n := len(fresh); n > 0 && seq >= fresh[0].Seq && seq <= fresh[n-1].Seq {
			return fresh[seq-fresh[0].Seq].Data, true
		}
		return b.payload(seq)
	})
}

func (e *Engine) jobFor(s *flow.State, def *flow.Definition, t flow.Token, it *flow.Iteration,
	payload func(uint64) (json.RawMessage, bool)) adapter.NewJob {
	step := def.Step(t.Step)
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
	return j
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
