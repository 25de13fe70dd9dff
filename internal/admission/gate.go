package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// enter decides what becomes of a run that asks to be let in. changed asks for a commit.
func (v *visit) enter(g Gate) (a Answer, changed bool) {
	known := v.memberV != adapter.Absent
	switch {
	case known && v.member.Waits != "":
		return v.wait(g)
	case known && v.member.Quiet != 0:
		if a, over := v.debounced(); !over {
			return a, false
		}
		v.member.Quiet, v.gate.Latest = 0, ""
	case known:
		return v.inside(), false
	case g.Debounce > 0:
		if v.gate.Latest != "" {
			a.Cancel = []string{v.gate.Latest}
		}
		quiet := v.now.Add(g.Debounce)
		v.gate.Latest, v.member.Quiet = v.run, quiet.UnixMilli()
		a.Again = quiet
		return a, true
	}
	if g.Max == 0 || v.gate.Inside < g.Max && v.gate.Waiting == 0 {
		v.admit(g, v.run, &v.member)
		return v.inside(), true
	}
	if g.WhenBusy == flow.BusySkip {
		return Answer{Refused: true, Reason: ReasonBusy, Holder: v.gate.Holder}, false
	}
	v.gate.Place++
	v.gate.Waiting++
	v.member = memberDoc{Waits: v.id, Place: v.gate.Place}
	if g.WhenBusy == flow.BusyReplace {
		if v.gate.Next != "" {
			a.Cancel = append(a.Cancel, v.gate.Next)
		}
		v.gate.Next = v.run
		a.Cancel = append(a.Cancel, v.gate.Holder)
	}
	return a, true
}

// debounced decides about a run that waits for others to take its place. over: none did.
func (v *visit) debounced() (a Answer, over bool) {
	switch quiet := time.UnixMilli(v.member.Quiet); {
	case v.gate.Latest != v.run:
		return Answer{Refused: true, Reason: ReasonReplaced}, false
	case v.now.Before(quiet):
		return Answer{Again: quiet}, false
	}
	return Answer{}, true
}

// wait decides about a run that waits. Nobody leaves a gate with room to it, unless it has become wider.
func (v *visit) wait(g Gate) (a Answer, changed bool) {
	if g.WhenBusy == flow.BusyReplace {
		if v.gate.Next != v.run {
			return Answer{Refused: true, Reason: ReasonReplaced}, false
		}
		if v.gate.Holder != "" {
			a.Cancel = []string{v.gate.Holder}
		}
	}
	if g.Max != 0 && v.gate.Inside >= g.Max {
		return a, false
	}
	v.gate.Waiting--
	v.admit(g, v.run, &v.member)
	return v.inside(), true
}

// admit lets a run in.
func (v *visit) admit(g Gate, run string, m *memberDoc) {
	*m = memberDoc{}
	v.gate.Inside++
	if g.Max == 1 {
		v.gate.Holder = run
	}
	if v.gate.Next == run {
		v.gate.Next = ""
	}
	if r := g.Rate; r != nil && r.Starts > 0 && r.Per > 0 {
		// The generic cell rate algorithm: each start takes its share of the time, and as many as are allowed at once may run ahead.
		per := time.Duration(r.Per).Milliseconds()
		share := max(per/int64(r.Starts), 1)
		now := v.now.UnixMilli()
		free := max(v.gate.Free, now)
		if due := free - per + share; due > now {
			m.Due = due
		}
		v.gate.Free = free + share
	}
}

func (v *visit) inside() Answer {
	a := Answer{Inside: true}
	if v.member.Due != 0 {
		a.Due = time.UnixMilli(v.member.Due)
	}
	return a
}

// leave takes the run out.
func (v *visit) leave() {
	v.gone = true
	switch {
	case v.member.Waits != "":
		v.gate.Waiting--
	case v.member.Quiet != 0:
		if v.gate.Latest == v.run {
			v.gate.Latest = ""
		}
	default:
		v.gate.Inside--
		if v.gate.Holder == v.run {
			v.gate.Holder = ""
		}
	}
	if v.gate.Next == v.run {
		v.gate.Next = ""
	}
}

// promote lets those in that have waited longest, as many as there is room for.
func (v *visit) promote(ctx context.Context, s adapter.Store, g Gate) ([]string, error) {
	v.others = nil
	room := maxPromoted
	if g.Max != 0 {
		room = min(g.Max-v.gate.Inside, room)
	}
	if v.gate.Waiting <= 0 || room <= 0 {
		return nil, nil
	}
	page, err := s.List(ctx, CollectionMembers, adapter.Query{Where: map[string]any{"waits": v.id}, Order: "place", Limit: room + 1})
	if err != nil {
		return nil, fmt.Errorf("list who waits at gate %s: %w", v.id, err)
	}
	var runs []string
	for _, d := range page.Items {
		run := strings.TrimPrefix(d.ID, v.id+"/")
		var m memberDoc
		if err := json.Unmarshal(d.Body, &m); err != nil {
			return nil, fmt.Errorf("decode %s/%s: %w", d.Collection, d.ID, err)
		}
		if run == v.run || m.Waits == "" || len(runs) == room || g.WhenBusy == flow.BusyReplace && run != v.gate.Next {
			continue
		}
		v.gate.Waiting--
		v.admit(g, run, &m)
		d.Body = encode(m)
		v.others = append(v.others, d)
		runs = append(runs, run)
	}
	return runs, nil
}
