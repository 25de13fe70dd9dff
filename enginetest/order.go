package enginetest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// RunLog is the log of one run.
type RunLog struct {
	Flow    string
	Records []adapter.Record
}

// Diff compares two logs of a run as partial orders by causes, and returns "" if they are equal, else what is missing in got
// (-) and what is there instead (+). It leaves aside what promise 7 does: attempts, when a step started, log lines, IDs, seqs,
// times. Records in got that differ in their past only are shown with it.
func Diff(want, got []adapter.Record) string {
	a, b := newOrder(want), newOrder(got)
	if d := a.diff(b, func(n *node) string { return n.line }); d != "" {
		return d
	}
	return a.diff(b, func(n *node) string { return n.past })
}

// DiffRuns compares the logs of all runs of two stores, whatever the runs' IDs and order: see [Diff].
func DiffRuns(want, got []RunLog) string {
	rest := slices.Clone(got)
	var missing []RunLog
	for _, w := range want {
		i := slices.IndexFunc(rest, func(g RunLog) bool { return g.Flow == w.Flow && Diff(w.Records, g.Records) == "" })
		if i < 0 {
			missing = append(missing, w)
			continue
		}
		rest = slices.Delete(rest, i, i+1)
	}
	var b strings.Builder
	for _, w := range missing {
		i := slices.IndexFunc(rest, func(g RunLog) bool { return g.Flow == w.Flow })
		if i < 0 {
			fmt.Fprintf(&b, "a run of flow %q is missing:\n%s", w.Flow, Diff(w.Records, nil))
			continue
		}
		fmt.Fprintf(&b, "a run of flow %q differs:\n%s", w.Flow, Diff(w.Records, rest[i].Records))
		rest = slices.Delete(rest, i, i+1)
	}
	for _, g := range rest {
		fmt.Fprintf(&b, "there is one more run of flow %q:\n%s", g.Flow, Diff(nil, g.Records))
	}
	return b.String()
}

// node is a record in a partial order.
type node struct {
	label string // what it says
	line  string // with what its causes say
	past  string // with all that led to it
}

type order []*node

// newOrder puts records into a form in which seqs and times do not matter.
func newOrder(records []adapter.Record) order {
	var o order
	bySeq := map[uint64]*node{}
	for i := range records {
		r := &records[i]
		n := &node{label: label(r, bySeq)}
		causes, pasts := make([]string, len(r.Causes)), make([]string, len(r.Causes))
		for i, seq := range r.Causes {
			causes[i], pasts[i] = "?", "?"
			if c := bySeq[seq]; c != nil {
				causes[i], pasts[i] = c.label, c.past
			}
		}
		slices.Sort(causes)
		slices.Sort(pasts)
		n.line, n.past = n.label, n.label
		if len(causes) > 0 {
			n.line += "  ← " + strings.Join(causes, ", ")
			n.past += " ← (" + strings.Join(pasts, ", ") + ")"
		}
		bySeq[r.Seq] = n
		switch r.Type {
		case flow.RecordStepStarted, flow.RecordStepRetry, flow.RecordLog:
		default:
			o = append(o, n)
		}
	}
	return o
}

// diff returns the nodes by which two orders differ, as seen by view.
func (o order) diff(other order, view func(*node) string) string {
	count, labels := map[string]int{}, map[string]string{}
	for _, n := range o {
		count[view(n)]--
		labels[view(n)] = n.label
	}
	for _, n := range other {
		count[view(n)]++
		labels[view(n)] = n.label
	}
	texts := slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		return cmp.Or(strings.Compare(labels[a], labels[b]), cmp.Compare(count[a], count[b]), strings.Compare(a, b))
	})
	var b strings.Builder
	for _, text := range texts {
		b.WriteString(strings.Repeat("- "+text+"\n", max(-count[text], 0)))
		b.WriteString(strings.Repeat("+ "+text+"\n", max(count[text], 0)))
	}
	return b.String()
}

// groupID is the number of a dynamic group in a scope: an ID.
var groupID = regexp.MustCompile(`/g\d+:`)

// label returns what a record says.
func label(r *adapter.Record, bySeq map[uint64]*node) string {
	var b strings.Builder
	b.WriteString(r.Type)
	for _, part := range []string{r.Step, r.Key} {
		if part != "" {
			b.WriteString(" " + part)
		}
	}
	if scope := groupID.ReplaceAllString(r.Scope, "/g:"); scope != "" && scope != flow.RootScope {
		b.WriteString(" in " + scope)
	}
	if r.Epoch > 1 {
		fmt.Fprintf(&b, " (epoch %d)", r.Epoch)
	}
	if len(r.Data) > 0 {
		b.WriteString(" " + data(r, bySeq))
	}
	return b.String()
}

// data returns the data of a record in canonical form. The record of a run's end refers to others by seq; here it does by
// what they say.
func data(r *adapter.Record, bySeq map[uint64]*node) string {
	raw := r.Data
	switch r.Type {
	case flow.RecordFlowCompleted, flow.RecordFlowFailed, flow.RecordFlowCanceled:
		if m, ok := byWord(raw, bySeq); ok {
			raw = m
		}
	case flow.RecordEmitAll, flow.RecordGroupClosed:
		raw = without(raw, "group") // a number: an ID
	case flow.RecordAwaitRegistered:
		raw = without(raw, "at") // a time
	}
	canonical, err := adapter.Canonical(raw)
	if err != nil {
		return string(raw)
	}
	return string(canonical)
}

// without returns an object without one of its keys.
func without(raw json.RawMessage, key string) json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return raw
	}
	delete(m, key)
	b, err := json.Marshal(m)
	if err != nil {
		return raw
	}
	return b
}

// byWord rewrites the summary of a run.
func byWord(raw json.RawMessage, bySeq map[uint64]*node) (json.RawMessage, bool) {
	var m map[string]any
	var sum flow.Summary
	if json.Unmarshal(raw, &m) != nil || json.Unmarshal(raw, &sum) != nil {
		return nil, false
	}
	say := func(seq uint64) string {
		if n := bySeq[seq]; n != nil {
			return n.label
		}
		return "?"
	}
	if sum.Result != 0 {
		m["result"] = say(sum.Result)
	}
	if len(sum.Ignored) > 0 {
		ignored := make([]string, len(sum.Ignored))
		for i, x := range sum.Ignored {
			ignored[i] = say(x.Seq) + " → " + x.Step
		}
		slices.Sort(ignored)
		m["ignored"] = ignored
	}
	b, err := json.Marshal(m)
	return b, err == nil
}
