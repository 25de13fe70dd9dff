package nventtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

// patience is how long a run may show nothing at all, without a timer that is set, before it counts as stuck.
const patience = 7 * 24 * time.Hour

// progress remembers when something happened last.
type progress struct {
	seq uint64 // of the logs of the run and of its children, added
	at  time.Time
}

// wake returns when something happens by itself next to a run or to the runs that it waits for; or why nothing does.
func (a *App) wake(id string, p *progress) (next time.Time, stuck string) {
	a.t.Helper()
	var seq uint64
	timers := false
	var open []string
	now := time.Now()
	for _, s := range a.family(id) {
		seq += s.Seq
		timers = timers || len(s.Timers) > 0 && !s.Paused
		if at, _ := s.NextWake(now); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
		open = append(open, waitsFor(s)...)
	}
	if p.at.IsZero() || seq != p.seq || timers {
		p.seq, p.at = seq, now
	}
	if len(open) == 0 {
		open = []string{"no step is open outside of groups"}
	}
	switch {
	case next.IsZero():
		return next, "nothing is left that happens by itself: " + strings.Join(open, "; ")
	case now.Sub(p.at) > patience:
		return next, fmt.Sprintf("nothing has happened for %v: %s", patience, strings.Join(open, "; "))
	}
	return next, ""
}

// collectionState is where the states of runs are: the engine's, and readable.
const collectionState = "flow-state"

// family returns the states of a run and, if it may wait for some, of its children that have not ended.
func (a *App) family(id string) []*flow.State {
	a.t.Helper()
	states := []*flow.State{a.state(id)}
	parents := []string{id}
	for i := 0; i < len(states); i++ {
		calls := slices.ContainsFunc(states[i].Groups, func(g *flow.GroupState) bool { return g.Closed == 0 })
		states[i].EachOpen("", func(_ flow.Token, it *flow.Iteration) bool {
			calls = calls || it.Phase == flow.PhaseChild
			return !calls
		})
		if !calls {
			continue
		}
		q := nvent.RunQuery{Status: flow.StatusRunning}
		for {
			page, err := a.Runs(context.Background(), q)
			if err != nil {
				a.t.Fatalf("%v", err)
			}
			for _, s := range page.Items {
				if s.Parent == parents[i] && !slices.Contains(parents, s.RunID) {
					states, parents = append(states, a.state(s.RunID)), append(parents, s.RunID)
				}
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
	}
	return states
}

func (a *App) state(id string) *flow.State {
	a.t.Helper()
	doc, err := a.Store().Get(context.Background(), collectionState, id)
	if err != nil {
		a.t.Fatalf("%v", err)
	}
	s, err := flow.DecodeState(doc.Body)
	if err != nil {
		a.t.Fatalf("decode state of run %s: %v", id, err)
	}
	return s
}

// waitsFor says what a run waits for.
func waitsFor(s *flow.State) []string {
	var list []string
	if s.Paused {
		list = append(list, fmt.Sprintf("the run of flow %q is paused", s.Flow))
	}
	s.EachOpen("", func(tok flow.Token, it *flow.Iteration) bool {
		what := "is dispatched to its queue"
		switch it.Phase {
		case flow.PhaseBefore:
			what = "waits before it runs (await.registered is record " + fmt.Sprint(it.Await) + ")"
		case flow.PhaseAfter:
			what = "has succeeded, and waits (await.registered is record " + fmt.Sprint(it.Await) + ")"
		case flow.PhaseChild:
			what = "waits for its child run"
		case flow.PhaseDelay:
			what = "is delayed"
		}
		list = append(list, fmt.Sprintf("step %q of flow %q %s", tok.Step, s.Flow, what))
		return len(list) < 10
	})
	return list
}
