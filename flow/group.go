package flow

import (
	"slices"

	"github.com/nvent-go/nvent/adapter"
)

// defaultWindow is how many items of a group are in progress at once where no step says otherwise with Parallel.
const defaultWindow = 256

// maxOpening bounds the items that one transition opens, so that a commit stays small whatever becomes of the items.
const maxOpening = ChunkItems

// openGroup begins a group in a scope. Its items are opened as there is room.
func (t *transition) openGroup(p *place, e *emitted) {
	g := e.group
	p.scope.Groups = append(p.scope.Groups, g)
	p.scope.Open++
	for _, c := range t.def.feeds[g.Event] {
		p.scope.stepOrNew(c.Name).Armed = true
	}
	t.fill(p, g)
}

// fill opens items of a group while there is room for more.
func (t *transition) fill(p *place, g *GroupState) {
	window := t.def.window(g.Event)
	for opened := 0; t.s.Status == StatusRunning && g.Next < g.Items && g.Next-g.Ended < window; opened++ {
		if opened == maxOpening || !t.openItem(p, g) {
			t.out.Again = true
			return
		}
	}
	if t.s.Status == StatusRunning && g.Closed == 0 && g.Ended == g.Items {
		t.closeGroup(p, g)
	}
}

// openItem opens the next item of a group. It reports false if that takes something that is not loaded.
func (t *transition) openItem(p *place, g *GroupState) bool {
	n := g.Next
	ref := ChunkRef{g.N, n / ChunkItems}
	e := &emitted{event: g.Event, seq: g.Seq, by: g.From, ordinal: n}
	part, ok := t.s.chunks.parts[PartRef{g.Stage, ref.N}]
	if ok && n%ChunkItems < len(part.Items) {
		e.payload = part.Items[n%ChunkItems]
	}
	if e.payload == nil && t.def.conditional[g.Event] {
		return false
	}
	c := t.s.chunks.get(ref)
	if c == nil && n%ChunkItems != 0 {
		return false
	}
	vias, err := t.vias(g.Event, e.payload)
	if err != nil && !t.def.partial[g.Event] {
		t.badItem(p, g, n, err)
		return false
	}
	if c == nil {
		t.s.chunks.add(ref)
	}
	c = t.s.chunks.writable(ref)
	c.Items = append(c.Items, Item{})
	c.Open++
	if !slices.Contains(g.Live, ref.N) {
		g.Live = append(g.Live, ref.N)
	}
	g.Next++
	q := t.child(p, g, n)
	if err != nil {
		_, seq := t.badRecord(q.path, g, err)
		t.countItem(q, ItemFailed, seq)
		return true
	}
	used := false
	for _, via := range vias {
		if t.reach(q, e, t.def.subs[g.Event][via.Sub], via.Due) {
			used = true
		}
	}
	if q.scope.Open == 0 {
		state := ItemDone
		if !used {
			state = ItemUnused
		}
		t.countItem(q, state, 0)
	}
	return true
}

// badItem fails a group at an item whose connection has a condition that cannot be evaluated. The item is not opened: a
// restart tries it again.
func (t *transition) badItem(p *place, g *GroupState, n int, err error) {
	failure, seq := t.badRecord(childPath(p.path, g.N, n), g, err)
	path := p.path
	t.later = append(t.later, func() {
		if p := t.place(path); p != nil && t.s.Status == StatusRunning {
			t.failScope(p, failure.Step, failure, seq)
		}
	})
}

func (t *transition) badRecord(scope string, g *GroupState, err error) (Failure, uint64) {
	step := t.def.subs[g.Event][0].step.Name
	failure := Failure{Step: step, Error: err.Error()}
	return failure, t.record(adapter.Record{Type: RecordStepFailed, Step: step, Scope: scope, Causes: []uint64{g.Seq}, Data: raw(failure)})
}

// countItem ends an item.
func (t *transition) countItem(q *place, state ItemState, why uint64) {
	q.item.State, q.item.Why = state, why
	q.item.Scope = Scope{}
	t.dropTokens(q.path)
	q.group.Ended++
	if state == ItemFailed {
		q.group.Missing++
		q.item.Got = nil
	}
	if q.chunk.Open--; q.chunk.Open == 0 {
		k := q.n / ChunkItems
		q.group.Live = slices.DeleteFunc(q.group.Live, func(n int) bool { return n == k })
	}
}

// endItem ends an item, takes back what is open in it, and opens the next ones. The group closes with its last item.
func (t *transition) endItem(q *place, state ItemState, why uint64) {
	t.dropScope(q)
	t.countItem(q, state, why)
	t.fill(q.up, q.group)
}

// groupEnd is the data of a group.closed record.
type groupEnd struct {
	Group   int `json:"group"`
	Items   int `json:"items"`
	Missing int `json:"missing,omitempty"`
}

func (t *transition) closeGroup(p *place, g *GroupState) {
	g.Closed = t.record(adapter.Record{Type: RecordGroupClosed, Scope: p.path, Key: g.Event, Causes: []uint64{g.Seq},
		Data: raw(groupEnd{g.N, g.Items, g.Missing})})
	p.scope.Open--
	t.forgetGroups(p)
}

// forgetGroups drops closed groups that no collect step will ask for any more.
func (t *transition) forgetGroups(p *place) {
	p.scope.Groups = slices.DeleteFunc(p.scope.Groups, func(g *GroupState) bool {
		if g.Closed == 0 {
			return false
		}
		for _, c := range t.def.feeds[g.Event] {
			if st := p.scope.step(c.Name); st == nil || st.Opened == 0 || len(st.Iters) > 0 {
				return false
			}
		}
		return true
	})
}

// gather keeps an emission for a collect step: in the item, or outside of groups in the state of the step.
func (t *transition) gather(p *place, e *emitted, step *Step) bool {
	if p.up != nil {
		p.item.Got = append(p.item.Got, Got{step.Name, e.seq})
		return true
	}
	st := p.scope.stepOrNew(step.Name)
	if st.Opened > 0 {
		t.ignore(p, e, step.Name)
		return false
	}
	st.Armed = true
	st.Fill = append(st.Fill, e.seq)
	return true
}

// fireCollects runs the collect steps of a scope upstream of which nothing is left to happen.
func (t *transition) fireCollects(p *place) {
	for _, c := range t.def.collects {
		st := p.scope.step(c.Name)
		if st == nil || !st.Armed || st.Opened > 0 || t.upstreamOpen(p, c) {
			continue
		}
		o := opening{in: st.Fill}
		for _, g := range p.scope.Groups {
			if slices.Contains(t.def.feeds[g.Event], c) {
				o.groups = append(o.groups, g.N)
				o.in = append(slices.Clip(o.in), g.Closed)
			}
		}
		st.Fill = nil
		t.open(p, c, o)
	}
}

// upstreamOpen reports whether something in the scope may still lead to an event that a collect step gets.
func (t *transition) upstreamOpen(p *place, c *Step) bool {
	for i := range p.scope.Steps {
		st := &p.scope.Steps[i]
		if !c.upstream[st.Step] {
			continue
		}
		if len(st.Iters) > 0 || len(st.Waiting) > 0 || (st.Armed && st.Opened == 0) {
			return true
		}
	}
	for _, g := range p.scope.Groups {
		if g.Closed == 0 && slices.Contains(t.def.feeds[g.Event], c) {
			return true
		}
	}
	return false
}
