package flow_test

import (
	"slices"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// moves calls yield with every world that can follow. A fault is a move that a healthy system does not depend on.
func (s *search) moves(w *world, yield func(next *world, fault bool)) {
	s.queueMoves(w, yield)
	for i := range w.Workers {
		s.workerMoves(w, i, yield)
	}
	s.reconcilerMoves(w, yield)
	s.controlMoves(w, yield)
}

// queueMoves: late enqueues arrive, workers take jobs, leases get lost.
func (s *search) queueMoves(w *world, yield func(*world, bool)) {
	for i, t := range w.Late {
		n := w.clone()
		n.Late = slices.Delete(n.Late, i, i+1)
		s.enqueue(n, t)
		yield(n, true) // it may also never arrive
	}
	for key, j := range w.Jobs {
		if j.Finished != "" {
			continue
		}
		if !j.Active {
			if i := slices.IndexFunc(w.Workers[:], func(k worker) bool { return k.Phase == idle }); i >= 0 {
				n := w.clone()
				j := j
				j.Active, j.Count, j.Receipt = true, j.Count+1, j.Receipt+1
				n.Jobs[key] = j
				n.Workers[i] = worker{Phase: taken, Token: n.Tokens[key], Receipt: j.Receipt}
				yield(n, false)
			}
		} else if w.Zombies > 0 { // its lease is lost although its worker lives
			n := w.clone()
			n.Zombies--
			s.expire(n, key)
			yield(n, true)
		}
	}
}

// expire takes a job away from whoever has it: it is delivered again, or has failed when it was delivered too often.
func (s *search) expire(w *world, key string) {
	j := w.Jobs[key]
	j.Active = false
	if j.Count > 1 {
		j.Finished = adapter.JobFailed
	}
	w.Jobs[key] = j
}

// enqueue is idempotent by ID while the job is known.
func (s *search) enqueue(w *world, t flow.Token) {
	key := t.String()
	if w.Issued[key] == 0 {
		s.fail("job %s is enqueued before its dispatch is committed", key)
	}
	if _, known := w.Jobs[key]; !known {
		w.Jobs[key] = job{}
	}
}

func (s *search) workerMoves(w *world, i int, yield func(*world, bool)) {
	k := w.Workers[i]
	if k.Phase == idle {
		return
	}
	step := func(f func(n *world, k *worker)) {
		n := w.clone()
		f(n, &n.Workers[i])
		yield(n, false)
	}
	switch k.Phase {
	case taken:
		step(func(n *world, k *worker) {
			if s.r.mayRun(n.State, k.Token) {
				if n.State.Scheduled(k.Token) == nil {
					s.fail("handler of %s runs, which does not count", k.Token)
				}
				k.Phase = running
				return
			}
			s.settle(n, k, adapter.Discard)
		})
	case running:
		step(func(_ *world, k *worker) { k.Phase = decided })
		if w.Fails > 0 {
			step(func(n *world, k *worker) { n.Fails--; k.Phase, k.Failed = decided, true })
		}
	case decided:
		step(func(n *world, k *worker) {
			out := &flow.Changes{}
			o := flow.Outcome{Token: k.Token, Result: []byte(`1`)}
			if k.Failed {
				o = flow.Outcome{Token: k.Token, Err: &flow.AttemptError{Message: "failed"}}
			}
			if s.r.settleFirst {
				held := *k
				s.settle(n, &held, adapter.Complete)
			}
			if s.r.enqueueLast { // the order of a naive engine
				guess := n.State.Clone()
				s.r.apply(s.def, guess, o, out)
				for _, t := range out.Dispatch {
					s.enqueue(n, t)
				}
				out = &flow.Changes{}
			}
			k.Verdict = s.commit(n, o, out)
			k.Next = out.Dispatch
			k.Phase = committed
			s.remove(n, out.Remove)
		})
	case committed:
		step(func(n *world, k *worker) {
			for _, t := range k.Next {
				s.enqueue(n, t)
			}
			k.Next, k.Phase = nil, issued
		})
	case issued:
		step(func(n *world, k *worker) { s.settle(n, k, flow.SettleAs(k.Verdict, k.Failed)) })
	}
	if w.Kills > 0 {
		s.kill(w, i, yield)
	}
}

// kill ends a worker. Its lease runs out; an enqueue that it was about to do may still arrive, or not.
func (s *search) kill(w *world, i int, yield func(*world, bool)) {
	n := w.clone()
	n.Kills--
	k := n.Workers[i]
	n.Late = append(n.Late, k.Next...)
	key := k.Token.String()
	if j, ok := n.Jobs[key]; ok && j.Active && j.Receipt == k.Receipt {
		s.expire(n, key)
	}
	n.Workers[i] = worker{}
	yield(n, true)
}

// settle ends a delivery, if the worker still has its lease.
func (s *search) settle(w *world, k *worker, v adapter.Verdict) {
	key := k.Token.String()
	if counts := w.State.Scheduled(k.Token) != nil; counts {
		s.fail("job %s is settled as %s although it is still needed", key, v)
	}
	j, ok := w.Jobs[key]
	if ok && j.Active && j.Receipt == k.Receipt {
		switch v {
		case adapter.Discard:
			delete(w.Jobs, key)
		case adapter.Complete:
			j.Active, j.Finished = false, adapter.JobCompleted
			w.Jobs[key] = j
		default:
			j.Active, j.Finished = false, adapter.JobFailed
			w.Jobs[key] = j
		}
	}
	*k = worker{}
}

func (s *search) remove(w *world, tokens []flow.Token) {
	for _, t := range tokens {
		delete(w.Jobs, t.String())
	}
}

// reconcilerMoves: it looks at a job, and later acts on what it saw.
func (s *search) reconcilerMoves(w *world, yield func(*world, bool)) {
	if w.Look != nil {
		n := w.clone()
		l := n.Look
		n.Look = nil
		if in := s.r.reconcile(s.def, l.Token, l.Job); in != nil {
			if l.Job != nil && (l.Job.State == adapter.JobWaiting || l.Job.State == adapter.JobActive) {
				s.fail("job %s merely waits and is given up", l.Token)
			}
			if o, ok := in.(flow.Outcome); ok && n.State.Scheduled(o.Token) != nil {
				s.fail("an outcome of %s is made up from its job", o.Token)
			}
			out := &flow.Changes{}
			s.commit(n, in, out)
			for _, t := range out.Dispatch {
				s.enqueue(n, t)
			}
			s.remove(n, out.Remove)
		}
		yield(n, false)
		return
	}
	for t := range w.State.OpenTokens(searchRun) {
		j, known := w.Jobs[t.String()]
		l := &look{Token: t}
		if known {
			st := j.Finished
			switch {
			case st != "":
			case j.Active:
				st = adapter.JobActive
			default:
				st = adapter.JobWaiting
			}
			l.Job = &adapter.Job{State: st, Delivery: j.Count}
		}
		n := w.clone()
		n.Look = l
		// Looking at work that is fine changes nothing, so a healthy system must not depend on it.
		yield(n, known && j.Finished == "" || s.r.reconcile(s.def, t, l.Job) == nil)
	}
}

// controlMoves: a user cancels and restarts; the end of a cancellation is recorded.
func (s *search) controlMoves(w *world, yield func(*world, bool)) {
	apply := func(in flow.Input, spend func(n *world), fault bool) {
		n := w.clone()
		spend(n)
		out := &flow.Changes{}
		if s.commit(n, in, out) != flow.Accepted {
			return
		}
		s.remove(n, out.Remove)
		n.Late = append(n.Late, out.Dispatch...)
		yield(n, fault)
	}
	if w.Cancels > 0 {
		apply(flow.Cancel{Reason: "user"}, func(n *world) { n.Cancels-- }, true)
	}
	if w.State.Status == flow.StatusCanceling {
		apply(flow.Canceled{}, func(*world) {}, false)
	}
	if w.Restarts > 0 {
		apply(flow.Restart{}, func(n *world) { n.Restarts-- }, true)
	}
}
