//go:build !race

// The mutants are searched without the race detector, which makes the search ten times slower: see make test.

package flow_test

import (
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// TestExhaustiveSearchCatchesMutants proves that the search can fail: each of these rules, close to the production rule and
// wrong, leads to a violation.
func TestExhaustiveSearchCatchesMutants(t *testing.T) {
	t.Parallel()
	good := production()
	type input = func(s *flow.State, in flow.Input) flow.Input
	before := func(f input) func(*rules) {
		return func(r *rules) {
			r.apply = func(d *flow.Definition, s *flow.State, in flow.Input, out *flow.Changes) flow.Verdict {
				return good.apply(d, s, f(s, in), out)
			}
		}
	}
	after := func(f func(s *flow.State, in flow.Input, out *flow.Changes)) func(*rules) {
		return func(r *rules) {
			r.apply = func(d *flow.Definition, s *flow.State, in flow.Input, out *flow.Changes) flow.Verdict {
				v := good.apply(d, s, in, out)
				if v == flow.Accepted {
					f(s, in, out)
				}
				return v
			}
		}
	}
	for name, mutate := range map[string]func(*rules){
		"outcome of an older dispatch counts": before(func(s *flow.State, in flow.Input) flow.Input {
			if o, ok := in.(flow.Outcome); ok {
				for t := range s.OpenTokens(searchRun) {
					if t.Step == o.Token.Step {
						o.Token.Dispatch = t.Dispatch
					}
				}
				return o
			}
			return in
		}),
		"outcome of an older epoch counts": before(func(s *flow.State, in flow.Input) flow.Input {
			if o, ok := in.(flow.Outcome); ok {
				o.Token.Epoch = s.Epoch
				return o
			}
			return in
		}),
		"a lost dispatch is sent again under its number": after(func(s *flow.State, in flow.Input, out *flow.Changes) {
			if _, ok := in.(flow.Lost); ok {
				renumber(s, out)
			}
		}),
		"a retry is sent under the number of the attempt before": after(func(s *flow.State, in flow.Input, out *flow.Changes) {
			if o, ok := in.(flow.Outcome); ok && o.Err != nil {
				renumber(s, out)
			}
		}),
		"settle before commit":  func(r *rules) { r.settleFirst = true },
		"enqueue before commit": func(r *rules) { r.enqueueLast = true },
		"no check before running": func(r *rules) {
			r.mayRun = func(*flow.State, flow.Token) bool { return true }
		},
		"check ignores the dispatch": func(r *rules) {
			r.mayRun = func(s *flow.State, t flow.Token) bool {
				for o := range s.OpenTokens(searchRun) {
					if o.Epoch == t.Epoch && o.Step == t.Step {
						return true
					}
				}
				return false
			}
		},
		"check ignores the epoch": func(r *rules) {
			r.mayRun = func(s *flow.State, t flow.Token) bool {
				t.Epoch = s.Epoch
				return flow.MayRun(s, t)
			}
		},
		"check discards retries": func(r *rules) {
			r.mayRun = func(s *flow.State, t flow.Token) bool { return t.Dispatch == 1 && flow.MayRun(s, t) }
		},
		"a failed job is taken for a failed step": func(r *rules) {
			r.reconcile = func(d *flow.Definition, t flow.Token, j *adapter.Job) flow.Input {
				if j != nil && j.State == adapter.JobFailed {
					return flow.Outcome{Token: t, Err: &flow.AttemptError{Message: "job failed", Final: true}}
				}
				return good.reconcile(d, t, j)
			}
		},
		"a waiting job is taken for lost": func(r *rules) {
			r.reconcile = func(d *flow.Definition, t flow.Token, j *adapter.Job) flow.Input {
				if j != nil && j.State == adapter.JobWaiting {
					return good.reconcile(d, t, nil)
				}
				return good.reconcile(d, t, j)
			}
		},
		"a missing job is waited for": func(r *rules) {
			r.reconcile = func(d *flow.Definition, t flow.Token, j *adapter.Job) flow.Input {
				if j == nil {
					return nil
				}
				return good.reconcile(d, t, j)
			}
		},
		"a failed job is waited for": func(r *rules) {
			r.reconcile = func(d *flow.Definition, t flow.Token, j *adapter.Job) flow.Input {
				if j != nil && j.State == adapter.JobFailed {
					return nil
				}
				return good.reconcile(d, t, j)
			}
		},
		"one loss is enough to give up": func(r *rules) {
			r.reconcile = func(d *flow.Definition, t flow.Token, j *adapter.Job) flow.Input {
				in := good.reconcile(d, t, j)
				if l, ok := in.(flow.Lost); ok {
					l.Max = 1
					return l
				}
				return in
			}
		},
		"cancel does not fence": after(func(s *flow.State, in flow.Input, _ *flow.Changes) {
			if _, ok := in.(flow.Cancel); ok {
				s.Epoch--
			}
		}),
		"restart does not fence": func(r *rules) {
			r.apply = func(d *flow.Definition, s *flow.State, in flow.Input, out *flow.Changes) flow.Verdict {
				if _, ok := in.(flow.Restart); ok {
					s.Epoch--
				}
				return good.apply(d, s, in, out)
			}
		},
		"outstanding work is not counted down": after(func(s *flow.State, in flow.Input, _ *flow.Changes) {
			if _, ok := in.(flow.Outcome); ok && !s.Status.Ended() {
				s.Open++
			}
		}),
		"a step completes twice": after(func(s *flow.State, in flow.Input, out *flow.Changes) {
			if o, ok := in.(flow.Outcome); ok && o.Err == nil {
				r := out.Records[0]
				r.Seq = s.Seq + 1
				s.Seq++
				out.Records = append(out.Records, r)
			}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := production()
			mutate(&r)
			total := 0
			for _, f := range searches() {
				states, err := (&search{def: searchFlow(t), r: r, faults: f}).run()
				total += states
				if err != nil {
					t.Logf("caught after %d states: %v", total, err)
					return
				}
			}
			t.Fatalf("not caught in %d states", total)
		})
	}
}

// renumber undoes the new dispatch number of what was dispatched.
func renumber(s *flow.State, out *flow.Changes) {
	for i := range out.Dispatch {
		it := s.Scheduled(out.Dispatch[i])
		if it != nil && it.Dispatch > 1 {
			it.Dispatch--
			out.Dispatch[i].Dispatch--
		}
	}
}
