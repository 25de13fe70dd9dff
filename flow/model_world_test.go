package flow_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

const modelRun = "run"

// modelWorld is a run of a model: what is stored, and what is on its way.
type modelWorld struct {
	m       *model
	d       *flow.Definition
	r       *rand.Rand
	now     time.Time
	stored  storedRun
	s       *flow.State // decoded, with the chunks that happen to be loaded
	log     []adapter.Record
	books   books
	ids     map[uint64]string // by seq: the identity of what was emitted
	iters   map[string]string // by iteration: its identity
	groups  map[int]string    // by number: the identity of a group
	counts  map[int]int       // by number of a group: its items
	issued  map[string]bool   // tokens that were dispatched
	called  map[string]bool   // tokens whose child was started
	given   map[string]signal // by hash: tokens for signals
	past    []flow.Input      // what was accepted, to be repeated
	again   bool              // a Fill is due
	lenient bool              // the run may end by a race: do not wait for what would win it
}

// storedRun is what a store holds of a run.
type storedRun struct {
	state  json.RawMessage
	chunks map[flow.ChunkRef]json.RawMessage
	parts  map[flow.PartRef]flow.Part
}

type signal struct {
	scope, step string
	used        bool
}

func newWorld(m *model, d *flow.Definition, r *rand.Rand) (*modelWorld, error) {
	w := &modelWorld{m: m, d: d, r: r, now: modelTime, ids: map[uint64]string{}, iters: map[string]string{}, groups: map[int]string{},
		counts: map[int]int{}, issued: map[string]bool{}, called: map[string]bool{}, given: map[string]signal{}}
	w.stored = storedRun{chunks: map[flow.ChunkRef]json.RawMessage{}, parts: map[flow.PartRef]flow.Part{}}
	w.books = newBooks()
	out := &flow.Changes{}
	s, err := d.Begin(modelRun, flow.Beginning{Input: m.payload("input").json()}, w.now, out)
	if err != nil {
		return nil, err
	}
	w.books.out = out
	return w, w.commit(s, out)
}

// load gives a state what it misses for an input, and nothing else.
func (w *modelWorld) load(s *flow.State, in flow.Input) error {
	for {
		n := w.d.Missing(s, in)
		if n.Empty() {
			return nil
		}
		for _, r := range n.Chunks {
			b, ok := w.stored.chunks[r]
			if !ok {
				return fmt.Errorf("%T needs chunk %s, which is not stored", in, r.ID())
			}
			c, err := flow.DecodeChunk(b)
			if err != nil {
				return err
			}
			s.Load(r, c)
		}
		for _, r := range n.Parts {
			p, ok := w.stored.parts[r]
			if !ok {
				return fmt.Errorf("%T needs items %v, which are not stored", in, r)
			}
			s.LoadPart(r, p)
		}
	}
}

// apply applies an input to the stored state. Now and then the commit fails, and is decided again.
func (w *modelWorld) apply(in flow.Input) (flow.Verdict, error) {
	for {
		before := w.s.Encode()
		work := w.s.Clone()
		if err := w.load(work, in); err != nil {
			return flow.Stale, err
		}
		out := &flow.Changes{}
		v := w.d.Apply(modelRun, work, in, w.now, out)
		if v == flow.Stale {
			if string(work.Encode()) != string(before) || len(out.Records) > 0 {
				return v, fmt.Errorf("%T is stale and has changed the state", in)
			}
			return v, nil
		}
		if string(w.s.Encode()) != string(before) {
			return v, fmt.Errorf("%T has changed the state that it was decided on", in)
		}
		if w.r.IntN(16) == 0 { // the commit was refused
			if err := w.reload(); err != nil {
				return v, err
			}
			continue
		}
		if err := w.books.transition(in, out, work); err != nil {
			return v, fmt.Errorf("%T: %w", in, err)
		}
		return v, w.commit(work, out)
	}
}

// commit stores a state and checks it.
func (w *modelWorld) commit(s *flow.State, out *flow.Changes) error {
	w.stored.state = s.Encode()
	s.Changed(func(r flow.ChunkRef, c *flow.Chunk) { w.stored.chunks[r] = c.Encode() })
	for _, p := range out.Parts {
		w.stored.parts[p.PartRef] = p.Part
	}
	for _, r := range out.Records {
		if r.Seq != uint64(len(w.log)+1) {
			return fmt.Errorf("record %s has seq %d after %d", r.Type, r.Seq, len(w.log))
		}
		w.log = append(w.log, r)
		w.name(r)
	}
	for _, t := range out.Dispatch {
		if w.issued[t.String()] && !w.books.resumed {
			return fmt.Errorf("dispatch %s is used twice", t)
		}
		w.issued[t.String()] = true
	}
	for _, c := range out.Children {
		w.called[c.Token.String()] = true
	}
	w.again = w.again || out.Again
	s.Trim()
	w.s = s
	if w.r.IntN(3) == 0 {
		if err := w.reload(); err != nil {
			return err
		}
	}
	full, err := w.full()
	if err != nil {
		return err
	}
	return w.books.check(w, full)
}

// reload forgets what is in memory.
func (w *modelWorld) reload() (err error) {
	w.s, err = flow.DecodeState(w.stored.state)
	if err == nil && string(w.s.Encode()) != string(w.stored.state) {
		err = fmt.Errorf("the state does not survive its document")
	}
	return err
}

// full returns the stored state with all chunks.
func (w *modelWorld) full() (*flow.State, error) {
	s, err := flow.DecodeState(w.stored.state)
	for r, b := range w.stored.chunks {
		var c *flow.Chunk
		if err == nil {
			c, err = flow.DecodeChunk(b)
			s.Load(r, c)
		}
	}
	return s, err
}

// name finds out the identity of what a record is about.
func (w *modelWorld) name(r adapter.Record) {
	iter := ""
	if r.Step != "" && r.Type != flow.RecordIgnored && r.Type != flow.RecordSignal {
		key := iterKey(r.Epoch, r.Scope, r.Step, r.Iteration)
		if w.iters[key] == "" {
			w.iters[key] = w.iterID(r.Step, r.Scope, r.Causes)
		}
		iter = w.iters[key]
	}
	switch r.Type {
	case flow.RecordFlowStarted:
		w.ids[r.Seq] = "input"
	case flow.RecordStepFailed:
		w.ids[r.Seq] = id("failed", iter)
	case flow.RecordAwaitTimeout:
		w.ids[r.Seq] = id("timeout", iter)
	case flow.RecordGroupClosed, flow.RecordEmitAll:
		var g struct{ Group, Items int }
		_ = json.Unmarshal(r.Data, &g) // what is missing then shows in the log
		if r.Type == flow.RecordEmitAll {
			w.groups[g.Group] = id(r.Key, iter)
			w.counts[g.Group] = g.Items
		}
		w.ids[r.Seq] = w.groups[g.Group]
	default:
		var p payload
		if json.Unmarshal(r.Data, &p) == nil {
			w.ids[r.Seq] = p.ID
		}
	}
}

func iterKey(epoch int, scope, step string, n int) string {
	return strconv.Itoa(epoch) + "|" + scope + "|" + step + "|" + strconv.Itoa(n)
}

// iterID returns the identity of an iteration: the step, the scope, and what filled its slots.
func (w *modelWorld) iterID(step, scope string, in []uint64) string {
	path := pathOf(scope)
	parts := []string{w.scopeID(path)}
	collects := w.d.Step(step).Collects()
	for _, seq := range in {
		switch r := w.log[max(seq, 1)-1]; {
		case seq == 0:
		case collects && r.Type == flow.RecordGroupClosed:
			var g struct{ Group int }
			_ = json.Unmarshal(r.Data, &g)
			parts = append(parts, w.collected(step, g.Group))
		default:
			parts = append(parts, w.emitted(path, seq))
		}
	}
	if collects {
		slices.Sort(parts[1:])
	}
	return id(step, parts...)
}

// emitted returns the identity of what a step in a scope sees at seq: of a group it sees the item that the scope is.
func (w *modelWorld) emitted(path [][2]int, seq uint64) string {
	if n := len(path); n > 0 && w.ids[seq] == w.groups[path[n-1][0]] && w.log[seq-1].Type == flow.RecordEmitAll {
		return w.scopeID(path)
	}
	return w.ids[seq]
}

func (w *modelWorld) scopeID(path [][2]int) string {
	if len(path) == 0 {
		return flow.RootScope
	}
	last := path[len(path)-1]
	return itemID(w.groups[last[0]], last[1])
}

// collected returns the identity of what a collect step gets of a group.
func (w *modelWorld) collected(step string, group int) string {
	items := make([]refItem, w.counts[group])
	for n := range items {
		b := w.stored.chunks[flow.ChunkRef{Group: group, N: n / flow.ChunkItems}]
		if n%flow.ChunkItems == 0 || n == 0 {
			w.books.chunk, _ = flow.DecodeChunk(b)
		}
		it := w.books.chunk.Items[n%flow.ChunkItems]
		items[n].state = string(it.State)
		for _, got := range it.Got {
			if got.Step == step {
				gid := w.ids[got.Seq]
				if gid == w.groups[group] {
					gid = itemID(gid, n)
				}
				items[n].got = append(items[n].got, gid)
			}
		}
	}
	return contents(w.groups[group], items)
}

// refItem is what has become of an item of a group, for one collect step.
type refItem struct {
	state string
	got   []string
}

// contents returns the identity of what a collect step gets of a group.
func contents(group string, items []refItem) string {
	parts := []string{group}
	for _, it := range items {
		slices.Sort(it.got)
		parts = append(append(parts, it.state), it.got...)
	}
	return id("contents", parts...)
}

// pathOf splits a scope's path into groups and items.
func pathOf(scope string) (path [][2]int) {
	for rest := scope; len(rest) > 1; {
		var g, n int
		if _, err := fmt.Sscanf(rest, "/g%d:%d", &g, &n); err != nil {
			panic(err)
		}
		path = append(path, [2]int{g, n})
		rest = rest[len(fmt.Sprintf("/g%d:%d", g, n)):]
	}
	return path
}
