package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// reconcileTick is how often an instance asks for runs that are due to be looked at.
const reconcileTick = 2 * time.Second

// reconcileBatch is how many runs it takes at a time.
const reconcileBatch = 100

// idleMost is how long at most an instance does not ask, where nobody outside of this process can have written anything.
const idleMost = time.Hour

// pace says when the reconciler asks the next time. Where only this process writes, an instance that has nothing to do asks
// ever more seldom: what it has committed itself wakes it in time, and what other instances leave behind is found a little
// later the longer nothing has happened.
type pace struct {
	next atomic.Int64 // Unix milliseconds, store clock
	busy atomic.Bool  // something has been committed since it asked
	idle time.Duration
	wake chan struct{}
}

func (p *pace) init() {
	p.wake = make(chan struct{}, 1)
	p.idle = reconcileTick
}

// committed takes note of a run that will have to be looked at.
func (p *pace) committed(wakeAt int64) {
	if !p.busy.Load() {
		p.busy.Store(true)
	}
	if wakeAt != 0 && wakeAt < p.next.Load() {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// asked takes note of how many runs were due.
func (p *pace) asked(due int) {
	p.idle = min(2*p.idle, idleMost)
	if p.busy.Swap(false) || due > 0 {
		p.idle = reconcileTick
	}
}

// reconcileLoop looks after runs that have been quiet for too long: something that should have moved them got lost.
func (e *Engine) reconcileLoop(ctx context.Context) {
	for e.awaitTick(ctx) {
		if err := e.syncClock(ctx); err != nil {
			if ctx.Err() == nil {
				e.alarm("clock", "cannot read the store's clock", "error", err)
			}
			continue
		}
		if err := e.seePauses(ctx); err != nil && ctx.Err() == nil {
			e.alarm("pauses", "cannot see which flows are paused", "error", err)
		}
		for {
			n, err := e.reconcile(ctx)
			e.pace.asked(n)
			if err != nil && ctx.Err() == nil {
				e.alarm("reconcile", "cannot look after quiet runs", "error", err)
			}
			if err != nil || n < reconcileBatch {
				break
			}
		}
	}
}

// awaitTick waits until it is time to ask for runs that are due, and reports false when ctx has ended: after a tick, and
// where only this process writes, no earlier than the first run is due.
func (e *Engine) awaitTick(ctx context.Context) bool {
	earliest := e.now().Add(jittered(reconcileTick))
	for {
		at := earliest
		if e.Store.Info().Scope == adapter.ScopeProcess {
			e.pace.next.Store(math.MaxInt64) // whoever commits while we ask wakes us
			if first := e.firstWake(ctx); first.After(at) {
				at = first
			}
		}
		e.pace.next.Store(at.UnixMilli())
		done := make(chan struct{})
		t := e.Clock.AfterFunc(at.Sub(e.now()), func() { close(done) })
		select {
		case <-done:
			return true
		case <-e.pace.wake:
			t.Stop()
		case <-ctx.Done():
			t.Stop()
			return false
		}
	}
}

// firstWake returns when the first run is due, or when it is time to ask again, if that is earlier.
func (e *Engine) firstWake(ctx context.Context) time.Time {
	latest := e.now().Add(e.pace.idle)
	page, err := e.Store.List(ctx, CollectionState, adapter.Query{Order: "wakeAt", Limit: 1})
	if err != nil {
		return time.Time{} // asking at the next tick says what is wrong
	}
	if len(page.Items) == 0 {
		return latest
	}
	s, err := flow.DecodeState(page.Items[0].Body)
	if err != nil {
		return time.Time{}
	}
	if at := time.UnixMilli(s.WakeAt); at.Before(latest) {
		return at
	}
	return latest
}

// reconcile looks at some of the runs that are due and returns how many there were.
func (e *Engine) reconcile(ctx context.Context) (int, error) {
	page, err := e.Store.List(ctx, CollectionState, adapter.Query{Order: "wakeAt", To: e.now().UnixMilli(), Limit: reconcileBatch})
	if err != nil {
		return 0, fmt.Errorf("list quiet runs: %w", err)
	}
	var open []openWork
	for _, d := range page.Items {
		work, err := e.take(ctx, d)
		if err != nil {
			e.alarm("reconcile/"+d.ID, "cannot look after a run", "run", d.ID, "error", err)
			continue
		}
		open = append(open, work...)
	}
	return len(page.Items), e.lookup(ctx, open)
}

// openWork is an open iteration of a run that was taken to be looked at.
type openWork struct {
	token flow.Token
	def   *flow.Definition
	owner string
}

// take fires the timers of a run that are due. If the run itself is due to be looked at, it moves the next look into the
// future, so that no other instance looks at the same time, and returns its open work. A run that is being cancelled is
// brought to its end here, and other runs are told again what this one means for them.
func (e *Engine) take(ctx context.Context, d adapter.Doc) ([]openWork, error) {
	run := d.ID
	b := e.open(run)
	defer e.release(b)
	s, def, err := e.decode(ctx, d)
	if err != nil {
		return nil, err
	}
	b.offer(s, d.Version, def)
	now := e.now().UnixMilli()
	if at := s.FirstTimer(); at != 0 && at <= now {
		if _, err := e.submitTo(ctx, b, flow.Fire{}); err != nil {
			return nil, err
		}
	}
	if s.LookAt == 0 || s.LookAt > now {
		e.timers.set(run, s.FirstTimer())
		return nil, nil
	}
	if verdict, err := e.submitTo(ctx, b, flow.Looked{}); err != nil || verdict == flow.Stale {
		return nil, err
	}
	if s, _ = b.current(); s == nil {
		return nil, nil
	}
	if s.Status == flow.StatusCanceling {
		return nil, e.finishCancel(ctx, run)
	}
	if _, err := e.submitTo(ctx, b, flow.Fill{}); err != nil {
		return nil, err
	}
	if s, def = b.current(); s == nil {
		return nil, nil
	}
	own := s.Clone()
	if err := e.loadNeeds(ctx, run, own, func() flow.Needs { return def.MissingLive(own) }); err != nil {
		return nil, err
	}
	e.tellOthersAgain(run, own, def)
	if err := e.lookBackAgain(ctx, run, own, def); err != nil {
		return nil, err
	}
	if own.Seeks() {
		if _, err := e.submitTo(ctx, b, flow.Sought{Seq: own.Seq}); err != nil {
			return nil, err
		}
	}
	if own.Parent != nil && !own.Status.Ended() {
		if err := e.checkParent(ctx, run, own); err != nil {
			return nil, err
		}
	}
	var work []openWork
	if own.Held() {
		return nil, nil
	}
	for t, it := range own.OpenTokens(run) {
		if it.RunAt == 0 || it.RunAt <= now {
			work = append(work, openWork{t, def, it.Owner})
		}
	}
	return work, nil
}

// lookup asks the queues about the jobs of open work, in batches, and does what the rules say.
func (e *Engine) lookup(ctx context.Context, open []openWork) error {
	byQueue := map[string][]openWork{}
	for _, w := range open {
		if w.owner != "" && w.owner != e.Instance {
			alive, err := e.alive(ctx, w.owner)
			if err != nil {
				return err
			}
			if !alive {
				if err := e.lost(ctx, w, nil); err != nil {
					return err
				}
			}
			continue
		}
		queue := w.def.Step(w.token.Step).Queue
		byQueue[queue] = append(byQueue[queue], w)
	}
	for queue, work := range byQueue {
		ids := make([]string, len(work))
		for i, w := range work {
			ids[i] = JobID(w.token)
		}
		jobs, err := e.Queue.Lookup(ctx, queue, ids...)
		if err != nil {
			return fmt.Errorf("look up jobs of queue %s: %w", queue, err)
		}
		byID := make(map[string]*adapter.Job, len(jobs))
		for i := range jobs {
			byID[strings.ToLower(jobs[i].ID)] = &jobs[i]
		}
		for i, w := range work {
			if err := e.lost(ctx, w, byID[ids[i]]); err != nil {
				return err
			}
		}
	}
	return nil
}

// lost applies the rules to one job. A job whose handler runs here right now is not lost, whatever the queue says.
func (e *Engine) lost(ctx context.Context, w openWork, job *adapter.Job) error {
	in := w.def.Reconcile(w.token, job)
	if in == nil || e.held.holds(w.token) {
		return nil
	}
	state := adapter.JobState("missing")
	if job != nil {
		state = job.State
	}
	verdict, err := e.submit(ctx, w.token.Run, in)
	if err == nil && verdict == flow.Accepted {
		e.Logger.Info("dispatched a step again", "run", w.token.Run, "step", w.token.Step, "dispatch", w.token.Dispatch, "job", state)
	}
	return err
}

// The heartbeat of an instance whose queue reaches fewer processes than the store.
const (
	heartbeatTick = 5 * time.Second
	heartbeatTTL  = 20 * time.Second
)

func heartbeatKey(instance string) string { return "nvent/instances/" + instance }

// heartbeatLoop keeps this instance's dispatches its own.
func (e *Engine) heartbeatLoop(ctx context.Context) {
	for {
		if _, err := e.Store.KV().Set(ctx, heartbeatKey(e.Instance), []byte("true"), adapter.SetOptions{TTL: heartbeatTTL}); err != nil {
			if ctx.Err() == nil {
				e.alarm("heartbeat", "no heartbeat; others may take over this instance's work", "error", err)
			}
		}
		if !e.sleep(ctx, jittered(heartbeatTick)) {
			return
		}
	}
}

// alive reports whether an instance has a heartbeat.
func (e *Engine) alive(ctx context.Context, instance string) (bool, error) {
	_, err := e.Store.KV().Get(ctx, heartbeatKey(instance))
	if errors.Is(err, adapter.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read heartbeat of %s: %w", instance, err)
	}
	return true, nil
}

// How often what has expired is removed: after a minute, and half as often each time there is nothing.
const (
	purgeFirst = time.Minute
	purgeMost  = time.Hour
)

func (e *Engine) purgeLoop(ctx context.Context) {
	for wait := purgeFirst; e.sleep(ctx, jittered(wait)); wait = min(2*wait, purgeMost) {
		for {
			n, err := e.Store.Purge(ctx, 1000)
			if n > 0 {
				wait = purgeFirst / 2
			}
			if err != nil && ctx.Err() == nil {
				e.alarm("purge", "cannot remove what has expired", "error", err)
			}
			if err != nil || n == 0 {
				break
			}
		}
	}
}
