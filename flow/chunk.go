package flow

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ChunkItems is how many items of a group share one document.
const ChunkItems = 512

// GroupState is a dynamic fan-out: one item for each value of an EmitAll, each with a scope of its own.
type GroupState struct {
	N     int    `json:"n"` // unique in the run
	Event string `json:"event"`
	From  string `json:"from"`            // what opened it, whatever came first
	Seq   uint64 `json:"seq"`             // of the emit record
	Stage string `json:"stage,omitempty"` // under which the payloads of its items are stored
	Items int    `json:"items"`
	Next  int    `json:"next"`  // items before this one have been opened
	Ended int    `json:"ended"` // items that have drained, failed, or were not taken by any step
	// Missing counts the items that failed.
	Missing int    `json:"missing,omitempty"`
	Live    []int  `json:"live,omitempty"`   // chunks with open items
	Closed  uint64 `json:"closed,omitempty"` // seq of group.closed; 0: it is open
}

func (g *GroupState) clone() *GroupState {
	c := *g
	c.Live = append([]int(nil), g.Live...)
	return &c
}

// ItemState is where an item of a group is.
type ItemState string

// The states of an item.
const (
	ItemOpen   ItemState = ""        // something is left to happen in it
	ItemDone   ItemState = "done"    // it has drained
	ItemFailed ItemState = "failed"  // one of its steps failed for good, and the group goes on without it
	ItemUnused ItemState = "skipped" // no step took it
)

// Item is one item of a group.
type Item struct {
	State ItemState `json:"state,omitempty"`
	Scope
	Got []Got  `json:"got,omitempty"` // what collect steps get of it
	Why uint64 `json:"why,omitempty"` // seq of the record that failed it
}

// Got is an emission of an item that a collect step gets.
type Got struct {
	Step string `json:"step"`
	Seq  uint64 `json:"seq"` // the group's own Seq stands for the item itself
}

// Chunk is the document of up to [ChunkItems] items of a group. Items that have not been opened are not in it.
type Chunk struct {
	Items []Item `json:"items"`
	Open  int    `json:"open"` // items that are open
}

// ChunkRef names a chunk.
type ChunkRef struct{ Group, N int }

// ID returns the part of the chunk's document ID behind the run.
func (r ChunkRef) ID() string { return stageOf(r.Group) + "/" + strconv.Itoa(r.N) }

// stageOf returns the stage of a group whose payloads are stored with the outcome that opens it.
func stageOf(group int) string { return "g" + strconv.Itoa(group) }

// Encode returns the chunk as the body of its document.
func (c *Chunk) Encode() json.RawMessage { return raw(c) }

// DecodeChunk reads the body of a chunk's document.
func DecodeChunk(b json.RawMessage) (*Chunk, error) {
	c := &Chunk{}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, err
	}
	c.Items = slices.Grow(c.Items, ChunkItems-len(c.Items))
	return c, nil
}

// chunkCache holds the chunks of a state that are loaded, and whether this state may change them.
type chunkCache struct {
	loaded map[ChunkRef]*Chunk
	own    map[ChunkRef]map[int]bool // chunks that were copied for this state, and their items that were
	parts  map[PartRef]Part          // payloads of items, where conditions need them
}

func (c *chunkCache) get(r ChunkRef) *Chunk { return c.loaded[r] }

// share returns a cache with the same chunks, none of which it may change.
func (c *chunkCache) share() chunkCache {
	n := chunkCache{}
	if len(c.loaded) > 0 {
		n.loaded = maps.Clone(c.loaded)
	}
	return n
}

// add adds a chunk that this state may change.
func (c *chunkCache) add(r ChunkRef) *Chunk {
	chunk := &Chunk{Items: make([]Item, 0, ChunkItems)}
	c.put(r, chunk)
	c.mark(r)
	return chunk
}

func (c *chunkCache) put(r ChunkRef, chunk *Chunk) {
	if c.loaded == nil {
		c.loaded = map[ChunkRef]*Chunk{}
	}
	c.loaded[r] = chunk
}

func (c *chunkCache) mark(r ChunkRef) {
	if c.own == nil {
		c.own = map[ChunkRef]map[int]bool{}
	}
	c.own[r] = map[int]bool{}
}

// item returns an item to be changed, or nil if it is not there. The pointer stays good: items never move.
func (c *chunkCache) item(r ChunkRef, i int) (*Chunk, *Item) {
	if chunk := c.loaded[r]; chunk == nil || i >= len(chunk.Items) {
		return nil, nil
	}
	chunk := c.writable(r)
	item := &chunk.Items[i]
	if !c.own[r][i] {
		c.own[r][i] = true
		item.Scope = item.clone()
		item.Got = append([]Got(nil), item.Got...)
	}
	return chunk, item
}

// writable returns a loaded chunk that this state may change.
func (c *chunkCache) writable(r ChunkRef) *Chunk {
	chunk := c.loaded[r]
	if c.own[r] == nil {
		chunk = &Chunk{Items: append(make([]Item, 0, ChunkItems), chunk.Items...), Open: chunk.Open}
		c.loaded[r] = chunk
		c.mark(r)
	}
	return chunk
}

// Changed calls f with every chunk that this state has changed since it was cloned.
func (s *State) Changed(f func(r ChunkRef, c *Chunk)) {
	for r := range s.chunks.own {
		f(r, s.chunks.loaded[r])
	}
}

// Load gives the state a chunk that it misses.
func (s *State) Load(r ChunkRef, c *Chunk) { s.chunks.put(r, c) }

// Trim forgets loaded chunks that have no open items, and payloads.
func (s *State) Trim() {
	for r, c := range s.chunks.loaded {
		if c.Open == 0 && len(c.Items) == ChunkItems {
			delete(s.chunks.loaded, r)
		}
	}
	s.chunks.parts = nil
	s.chunks.own = nil
}

// PartRef names a document that holds the payloads of up to [ChunkItems] items.
type PartRef struct {
	Stage string
	N     int
}

// Part is the body of a document with the payloads of items. It never changes.
type Part struct {
	Items []json.RawMessage `json:"items"`
}

// LoadPart gives the state payloads that it misses.
func (s *State) LoadPart(r PartRef, p Part) {
	if s.chunks.parts == nil {
		s.chunks.parts = map[PartRef]Part{}
	}
	s.chunks.parts[r] = p
}

// childPath returns the scope of an item of a group that was opened in a scope.
func childPath(scope string, group, item int) string {
	b := make([]byte, 0, len(scope)+16)
	if scope != RootScope {
		b = append(b, scope...)
	}
	b = append(b, "/g"...)
	b = strconv.AppendInt(b, int64(group), 10)
	b = append(b, ':')
	return string(strconv.AppendInt(b, int64(item), 10))
}

// hop is one element of a scope's path.
type hop struct{ group, item int }

// hops splits a path. ok is false if it is not the path of a scope.
func hops(path string) (list []hop, ok bool) {
	if path == RootScope || path == "" {
		return nil, true
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		group, item, found := strings.Cut(strings.TrimPrefix(part, "g"), ":")
		g, err1 := strconv.Atoi(group)
		i, err2 := strconv.Atoi(item)
		if !found || err1 != nil || err2 != nil || g < 0 || i < 0 {
			return nil, false
		}
		list = append(list, hop{g, i})
	}
	return list, true
}

// scope returns a scope to look at, or nil if it is not there, has ended, or is not loaded.
func (s *State) scope(path string) *Scope {
	if path == RootScope {
		return &s.Scope
	}
	list, ok := hops(path)
	if !ok {
		return nil
	}
	sc := &s.Scope
	for _, h := range list {
		g := sc.group(h.group)
		if g == nil {
			return nil
		}
		c := s.chunks.get(ChunkRef{g.N, h.item / ChunkItems})
		if c == nil || h.item%ChunkItems >= len(c.Items) || c.Items[h.item%ChunkItems].State != ItemOpen {
			return nil
		}
		sc = &c.Items[h.item%ChunkItems].Scope
	}
	return sc
}

// ScopeGroup returns the group whose item a scope is, and the item's number. ok is false for the run itself, and for a scope
// that is not there.
func (s *State) ScopeGroup(path string) (g *GroupState, item int, ok bool) {
	list, valid := hops(path)
	if !valid || len(list) == 0 {
		return nil, 0, false
	}
	up := s.scope(parentPath(path))
	if up == nil {
		return nil, 0, false
	}
	last := list[len(list)-1]
	g = up.group(last.group)
	return g, last.item, g != nil
}

func parentPath(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return RootScope
}

// Needs is what a state must have loaded before an input can be applied.
type Needs struct {
	Chunks []ChunkRef
	Parts  []PartRef
}

// Empty reports whether nothing is missing.
func (n *Needs) Empty() bool { return len(n.Chunks) == 0 && len(n.Parts) == 0 }

func (n *Needs) chunk(s *State, g *GroupState, k int) *Chunk {
	r := ChunkRef{g.N, k}
	c := s.chunks.get(r)
	if c == nil && !slices.Contains(n.Chunks, r) {
		n.Chunks = append(n.Chunks, r)
	}
	return c
}

// Missing returns what has to be loaded before in can be applied. When it has been loaded, ask again: what was loaded may
// refer to more.
func (d *Definition) Missing(s *State, in Input) Needs {
	var n Needs
	switch in := in.(type) {
	case scoped:
		n.path(d, s, in.scopePath())
	case Fire:
		for _, t := range s.Timers {
			n.path(d, s, t.Scope)
		}
	case Cancel, Resume, Fill, Restart:
		n.live(d, s, &s.Scope)
	}
	if d.mayEnd(s, in) {
		n.live(d, s, &s.Scope)
	}
	return n
}

// mayEnd reports whether an input may fail the run, so that what is open anywhere has to be taken back.
func (d *Definition) mayEnd(s *State, in Input) bool {
	var it *Iteration
	attempts := 0
	at := func(t Token) {
		if step := d.Step(t.Step); step != nil {
			it, attempts = s.OpenIteration(t), step.Attempts
		}
	}
	switch in := in.(type) {
	case Outcome:
		at(in.Token)
		return it != nil && (d.fallible || in.Err != nil && (in.Err.Final || it.Attempt >= attempts))
	case ChildEnded:
		at(in.Token)
		return it != nil && (d.fallible || in.Status == StatusCanceled || in.Status != StatusCompleted && it.Attempt >= attempts)
	case Lost:
		at(in.Token)
		return it != nil && it.Crashes+max(in.Deliveries, 1) >= in.Max
	case Fire:
		return true
	case Arrived, Signal:
		return d.fallible
	}
	return false
}

// MissingAt returns what has to be loaded before the scope of a token can be looked at.
func (d *Definition) MissingAt(s *State, scope string) Needs {
	var n Needs
	n.path(d, s, scope)
	return n
}

// MissingLive returns which chunks with open work are not loaded.
func (d *Definition) MissingLive(s *State) Needs {
	var n Needs
	n.live(d, s, &s.Scope)
	return n
}

// path asks for the chunks on the way to a scope, and for what opening their groups' next items takes.
func (n *Needs) path(d *Definition, s *State, path string) {
	list, ok := hops(path)
	if !ok {
		return
	}
	sc := &s.Scope
	for _, h := range list {
		g := sc.group(h.group)
		if g == nil || h.item >= g.Next {
			return
		}
		n.next(d, s, g)
		c := n.chunk(s, g, h.item/ChunkItems)
		if c == nil || h.item%ChunkItems >= len(c.Items) {
			return
		}
		sc = &c.Items[h.item%ChunkItems].Scope
	}
	for _, g := range sc.Groups { // opened in it, and may have room
		if g.Closed == 0 {
			n.next(d, s, g)
		}
	}
}

// next asks for what opening the next item of a group takes.
func (n *Needs) next(d *Definition, s *State, g *GroupState) {
	if g.Next >= g.Items {
		return
	}
	if g.Next%ChunkItems != 0 {
		n.chunk(s, g, g.Next/ChunkItems)
	}
	if d.conditional[g.Event] {
		r := PartRef{g.Stage, g.Next / ChunkItems}
		if _, ok := s.chunks.parts[r]; !ok && !slices.Contains(n.Parts, r) {
			n.Parts = append(n.Parts, r)
		}
	}
}

func (n *Needs) live(d *Definition, s *State, sc *Scope) {
	for _, g := range sc.Groups {
		if g.Closed != 0 {
			continue
		}
		n.next(d, s, g)
		for _, k := range g.Live {
			c := n.chunk(s, g, k)
			if c == nil {
				continue
			}
			for i := range c.Items {
				if it := &c.Items[i]; it.State == ItemOpen && len(it.Groups) > 0 {
					n.live(d, s, &it.Scope)
				}
			}
		}
	}
}

// GroupIn returns a group that was opened in a scope, or nil. The caller must not change it.
func (s *State) GroupIn(scope string, n int) *GroupState {
	sc := s.scope(scope)
	if sc == nil {
		return nil
	}
	return sc.group(n)
}

// Fenced reports whether t is known not to count any more. Where that is in a chunk that is not loaded it is not known.
func (s *State) Fenced(t Token) bool {
	if t.Epoch != s.Epoch || s.Status != StatusRunning {
		return true
	}
	list, ok := hops(t.Scope)
	if !ok {
		return true
	}
	sc := &s.Scope
	for _, h := range list {
		g := sc.group(h.group)
		if g == nil || g.Closed != 0 {
			return true
		}
		c := s.chunks.get(ChunkRef{g.N, h.item / ChunkItems})
		if c == nil {
			return false
		}
		if i := h.item % ChunkItems; i >= len(c.Items) || c.Items[i].State != ItemOpen {
			return true
		}
		sc = &c.Items[h.item%ChunkItems].Scope
	}
	return s.Scheduled(t) == nil
}

// FirstTimer returns when the first timer is due, in Unix milliseconds; 0: there is none.
func (s *State) FirstTimer() int64 {
	if len(s.Timers) == 0 || s.Status != StatusRunning || s.Held() {
		return 0
	}
	return s.Timers[0].At
}
