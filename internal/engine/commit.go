package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// commitTimeout bounds one call of the store.
const commitTimeout = 30 * time.Second

// process decides a batch of inputs of one run, as its leader, and fills in their verdicts.
func (e *Engine) process(ctx context.Context, b *box, batch []*request) {
	err := e.decide(ctx, b, batch)
	switch {
	case err == nil:
	case refused(err) && len(batch) > 1:
		// One of them is at fault. Alone, it fails alone.
		for _, r := range batch {
			e.process(ctx, b, []*request{r})
		}
	case refused(err):
		e.refuse(ctx, b, batch[0], err)
	default:
		for _, r := range batch {
			r.err = err
		}
	}
}

// refuse turns an outcome that the store will never take into a failure of its step.
func (e *Engine) refuse(ctx context.Context, b *box, r *request, cause error) {
	r.err = cause
	o, ok := r.in.(flow.Outcome)
	if !ok || (o.Err != nil && o.Err.Final) {
		e.alarm("refused/"+b.run, "store refuses a transition", "run", b.run, "error", cause)
		return
	}
	failed := &request{in: flow.Outcome{Token: o.Token, Start: o.Start, Random: o.Random,
		Err: &flow.AttemptError{Message: "outcome refused: " + cause.Error(), Final: true}}}
	e.process(ctx, b, []*request{failed})
	r.verdict, r.err = failed.verdict, failed.err
}

// decide applies the inputs to the state, commits, and issues what follows. On a version conflict it decides again, on an
// outcome that is not known it asks the store until it is. Nil means that all verdicts are true and durable.
func (e *Engine) decide(ctx context.Context, b *box, batch []*request) error {
	if s, _ := b.current(); s == nil {
		if err := e.load(ctx, b); err != nil {
			return err
		}
	}
	fresh := false // the state has been read since the inputs came
	for {
		if b.state == nil { // no such run: nothing that can be said of it counts
			for _, r := range batch {
				r.verdict = flow.Stale
			}
			return nil
		}
		work := b.state.Clone()
		out := &flow.Changes{Records: make([]adapter.Record, 0, 3)} // of a small outcome
		changed, stale := false, false
		now := e.now()
		for _, r := range batch {
			if err := e.loadFor(ctx, b.run, b.def, work, r.in); err != nil {
				return err
			}
			r.verdict = b.def.Apply(b.run, work, r.in, now, out)
			changed = changed || r.verdict == flow.Accepted
			stale = stale || r.verdict == flow.Stale
		}
		if stale && !fresh {
			// What this process holds may be old. Only the store can say that an input does not count.
			if err := e.load(ctx, b); err != nil {
				return err
			}
			fresh = true
			continue
		}
		if !changed {
			return nil
		}
		c := &change{box: b, before: b.state, work: work, out: out, now: now, inputs: batch}
		if done, err := e.write(ctx, c); err != nil || done {
			return err
		}
		fresh = true
	}
}

// change is a decided, not yet committed change of a run.
type change struct {
	box    *box
	before *flow.State // nil: the run begins
	work   *flow.State
	out    *flow.Changes
	now    time.Time
	begin  *Summary // of a run that begins
	inputs []*request
	issued bool // its jobs are enqueued, in the transaction of the commit
}

// write commits a change and issues what follows. It returns false when the state has moved on: the box then holds the current one.
func (e *Engine) write(ctx context.Context, c *change) (bool, error) {
	batch, err := e.batch(ctx, c)
	if err != nil {
		return false, err
	}
	call := within(ctx, commitTimeout)
	done, err := e.commit(call, c, batch)
	call.end()
	if err == nil {
		e.sawStoreTime(done.Now)
		c.work.Trim()
		c.box.set(c.work, done.Versions[0], c.box.def)
		e.follow(c)
		return true, nil
	}
	var conflict *adapter.Conflict
	switch {
	case errors.As(err, &conflict):
		for _, d := range conflict.Current {
			if d.Collection == CollectionState && d.Version != adapter.Absent {
				return false, e.adopt(ctx, c.box, d)
			}
		}
		// The state is as expected, so a state document moved under us, or it is gone. Look again.
		return false, e.load(ctx, c.box)
	case refused(err), errors.Is(err, adapter.ErrClosed):
		return false, fmt.Errorf("commit run %s: %w", c.box.run, err)
	}
	return e.resolve(ctx, c, err)
}

// resolve finds out whether a commit with an unknown outcome was applied. It asks until the store answers.
func (e *Engine) resolve(ctx context.Context, c *change, cause error) (bool, error) {
	e.alarm("commit", "outcome of a commit is unknown; asking the store", "run", c.box.run, "error", cause)
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := e.load(ctx, c.box)
		if err == nil {
			break
		}
		if e.ctx.Err() != nil || ctx.Err() != nil || errors.Is(err, adapter.ErrClosed) {
			return false, fmt.Errorf("commit run %s: outcome unknown: %w", c.box.run, errors.Join(cause, err))
		}
		if !e.sleep(ctx, jittered(wait)) {
			return false, fmt.Errorf("commit run %s: outcome unknown: %w", c.box.run, cause)
		}
	}
	if s := c.box.state; s != nil && s.Commit == c.work.Commit {
		e.follow(c)
		return true, nil
	}
	// Not applied: it is decided again. Or applied, and others went on from there: then our tokens are consumed, and what
	// should follow them may not have been issued.
	if c.box.state != nil {
		if err := e.reissue(ctx, c.box); err != nil {
			return false, err
		}
	}
	return false, nil
}

// load reads the state of a run into its box. A run that does not exist leaves it empty.
func (e *Engine) load(ctx context.Context, b *box) error {
	call := within(ctx, commitTimeout)
	defer call.end()
	docs, err := e.Store.Get(call, CollectionState, b.run)
	if err != nil {
		return fmt.Errorf("load run %s: %w", b.run, err)
	}
	if len(docs) == 0 {
		b.set(nil, adapter.Absent, nil)
		return nil
	}
	return e.adopt(ctx, b, docs[0])
}

// adopt makes a document of the store the box's state.
func (e *Engine) adopt(ctx context.Context, b *box, d adapter.Doc) error {
	s, err := flow.DecodeState(d.Body)
	if err != nil {
		return fmt.Errorf("decode state of run %s: %w", b.run, err)
	}
	if s.Format > flow.Format {
		return fmt.Errorf("run %s: %w", b.run, &newerFormat{s.Format})
	}
	def := b.def
	if def == nil || def.Hash() != s.Definition {
		if def, err = e.defs.get(ctx, s.Definition); err != nil {
			return fmt.Errorf("run %s: %w", b.run, err)
		}
	}
	b.set(s, d.Version, def)
	return nil
}

// newerFormat says that a newer version of nvent wrote the state.
type newerFormat struct{ format int }

func (n *newerFormat) Error() string {
	return fmt.Sprintf("its state has format %d, this version understands up to %d: upgrade this instance", n.format, flow.Format)
}

// batch builds the commit of a change.
func (e *Engine) batch(ctx context.Context, c *change) (adapter.Batch, error) {
	b, s := c.box, c.work
	s.Commit = rand.Uint64()
	wake, look := s.NextWake(c.now)
	s.WakeAt, s.LookAt = unixMilli(wake), unixMilli(look)
	if e.narrow {
		for _, t := range c.out.Dispatch {
			if it := s.Scheduled(t); it != nil {
				it.Owner = e.Instance
			}
		}
	}
	expect := adapter.Absent
	if c.before != nil {
		expect = b.version
	}
	batch := adapter.Batch{Partition: b.run, Puts: make([]adapter.Doc, 0, 2)}
	ops, err := e.dataOps(ctx, c)
	if err != nil {
		return batch, err
	}
	batch.Puts = append(batch.Puts, adapter.Doc{Collection: CollectionState, ID: b.run, Version: expect, Body: s.Encode()})
	batch.Puts = append(batch.Puts, ops.puts...)
	batch.Deletes = ops.deletes
	if err := addGroups(&batch, b.run, c); err != nil {
		return batch, err
	}
	if len(c.out.Records) > 0 {
		batch.Appends = []adapter.Append{{Subject: b.run, Records: c.out.Records}}
	}
	sum, err := e.summary(ctx, c)
	if err != nil {
		return batch, err
	}
	if sum != nil {
		v := adapter.AnyVersion
		if c.begin != nil {
			v = adapter.Absent
		}
		batch.Puts = append(batch.Puts, adapter.Doc{Collection: CollectionRuns, ID: b.run, Version: v, Body: sum.encode()})
	}
	switch {
	case s.Status.Ended():
		batch.Expire = &adapter.Expiry{Docs: after(c.now, e.MetadataTTL), Logs: after(c.now, e.EventTTL)}
	case c.before != nil && c.before.Status.Ended():
		batch.Expire = &adapter.Expiry{} // restarted
	}
	return batch, nil
}

// unixMilli returns a time as Unix milliseconds, 0 for none.
func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func after(now time.Time, ttl time.Duration) time.Time {
	if ttl <= 0 {
		return time.Time{}
	}
	return now.Add(ttl)
}

// summary returns the run's summary if it has to be written again: its status or epoch changes. The one that is there is
// only ever changed together with the state, so the state's version guards it.
func (e *Engine) summary(ctx context.Context, c *change) (*Summary, error) {
	sum := c.begin
	if sum == nil {
		if c.before.Status == c.work.Status && c.before.Epoch == c.work.Epoch && c.before.Held() == c.work.Held() {
			return nil, nil
		}
		docs, err := e.Store.Get(ctx, CollectionRuns, c.box.run)
		if err != nil {
			return nil, fmt.Errorf("get summary of run %s: %w", c.box.run, err)
		}
		if len(docs) == 0 {
			return nil, nil
		}
		if sum, err = DecodeSummary(docs[0]); err != nil {
			return nil, err
		}
	}
	s := c.work
	sum.Status, sum.Epoch, sum.CompletedSteps, sum.Definition = s.Status, s.Epoch, s.CompletedSteps(), s.Definition
	sum.CompletedAt, sum.Error, sum.Paused = 0, "", s.Held()
	if s.Status.Ended() {
		sum.CompletedAt = c.now.UnixMilli()
		sum.Error = failureOf(c.out.Records)
	}
	return sum, nil
}

// failureOf returns the error of a run that these records fail.
func failureOf(records []adapter.Record) string {
	for i := range records {
		if records[i].Type == flow.RecordFlowFailed {
			var sum flow.Summary
			if json.Unmarshal(records[i].Data, &sum) == nil && sum.Error != nil {
				if sum.Error.Step == "" {
					return sum.Error.Error
				}
				return sum.Error.Step + ": " + sum.Error.Error
			}
		}
	}
	return ""
}

// follow does what a commit that is known to be applied asks for: enqueue, remove jobs, wake who waits. What concerns other
// runs is done in the background: the reconciler sees to it if this process dies.
func (e *Engine) follow(c *change) {
	b := c.box
	b.keepPayloads(c.work, c.out.Records)
	if !c.issued {
		e.issue(b, c.out)
	}
	if len(c.out.Remove) > 0 {
		e.held.fence(b.run, c.work)
		e.removeJobs(b, c.out.Remove)
	}
	if len(c.out.Records) > 0 {
		e.hub.wrote(b.run, c.work, c.out.Records)
		e.hints.send(b.run, c.work.Seq)
		if e.Recorded != nil {
			e.Recorded(b.run, c.out.Records)
		}
	}
	e.timers.set(b.run, c.work.FirstTimer())
	e.pace.committed(c.work.WakeAt)
	if c.out.Again {
		e.later(func(ctx context.Context) error {
			_, err := e.submit(ctx, b.run, flow.Fill{})
			return err
		})
	}
	e.tellOthers(b.run, c)
}
