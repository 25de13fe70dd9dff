package flow_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/nvent-go/nvent/flow"
)

// entries returns the log in the words of the reference: what happened to which work, in no order.
func (w *modelWorld) entries() map[string]int {
	list := map[string]int{}
	for _, r := range w.log {
		iter := w.iters[iterKey(r.Epoch, r.Scope, r.Step, r.Iteration)]
		entry := ""
		switch r.Type {
		case flow.RecordStepCompleted:
			entry = fmt.Sprintln("completed", iter, r.Attempt)
		case flow.RecordStepRetry:
			entry = fmt.Sprintln("retry", iter, r.Attempt)
		case flow.RecordStepFailed:
			entry = fmt.Sprintln("failed", iter, r.Attempt)
		case flow.RecordChildStarted:
			entry = fmt.Sprintln("child", iter, r.Attempt)
		case flow.RecordAwaitTimeout:
			entry = fmt.Sprintln("timeout", iter)
		case flow.RecordAwaitResolved:
			what := w.ids[r.Seq]
			registered := w.log[r.Causes[0]-1]
			for _, c := range r.Causes {
				if w.log[c-1].Type == flow.RecordAwaitRegistered {
					registered = w.log[c-1]
				} else {
					what = w.ids[c]
				}
			}
			var reg struct{ Position string }
			_ = json.Unmarshal(registered.Data, &reg)
			entry = fmt.Sprintln("awaited", iter, reg.Position, what)
		case flow.RecordEmit, flow.RecordEmitAll, flow.RecordGroupClosed:
			var g struct{ Group, Items, Missing int }
			_ = json.Unmarshal(r.Data, &g)
			switch r.Type {
			case flow.RecordGroupClosed:
				entry = fmt.Sprintln("closed", w.ids[r.Seq], g.Items, g.Missing)
			case flow.RecordEmitAll:
				entry = fmt.Sprintln("group", w.ids[r.Seq], g.Items)
			default:
				entry = fmt.Sprintln("emit", w.ids[r.Seq])
			}
		case flow.RecordFlowCompleted:
			var sum flow.Summary
			_ = json.Unmarshal(r.Data, &sum)
			var unreached []string
			for _, u := range sum.Unreached {
				unreached = append(unreached, fmt.Sprint(u.Step, " ", len(u.Have)))
			}
			entry = fmt.Sprintf("end %s skipped %v failed %v unreached %v", w.ids[sum.Result], sum.Skipped, sum.Failed, unreached)
		}
		if entry != "" {
			list[strings.TrimSuffix(entry, "\n")]++
		}
	}
	return list
}

// compare says how a run differs from what the reference expects. Of a race it allows any log.
func (r *reference) compare(w *modelWorld) error {
	if r.raced {
		return nil
	}
	if failed := w.s.Status == flow.StatusFailed; failed != r.failed {
		return fmt.Errorf("status %s, the reference says failed: %t", w.s.Status, r.failed)
	}
	got := w.entries()
	var diff []string
	for e, n := range got {
		if n > r.must[e]+r.may[e] {
			diff = append(diff, fmt.Sprintf("+ %s (%d)", e, n-r.must[e]-r.may[e]))
		}
	}
	for e, n := range r.must {
		if got[e] < n {
			diff = append(diff, fmt.Sprintf("- %s (%d)", e, n-got[e]))
		}
	}
	if len(diff) == 0 {
		return nil
	}
	slices.Sort(diff)
	return fmt.Errorf("the log differs from the reference:\n%s", strings.Join(diff, "\n"))
}
