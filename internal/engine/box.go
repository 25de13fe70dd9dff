package engine

import (
	"context"
	"encoding/json"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// box is the mailbox of one run in this process. Inputs that arrive while a commit is under way are decided together and
// become one commit. Between commits it holds the last committed state, decoded.
type box struct {
	run string

	mu      sync.Mutex
	busy    bool // somebody leads: decides and commits
	pending []*request
	users   int // who holds the box; it is forgotten only without users

	// What follows belongs to the leader; others read it under mu.
	state   *flow.State     // nil: not loaded, or not existing
	version adapter.Version // of state
	def     *flow.Definition
	// payloads holds payloads that open work refers to, so that dispatching needs no read. Bounded; the log has them all.
	payloads []payload
}

type payload struct {
	seq  uint64
	data json.RawMessage
}

// maxPayloads bounds the payloads that a box keeps, in bytes.
const maxPayloads = 64 << 10

// request is an input on its way through a box.
type request struct {
	in      flow.Input
	verdict flow.Verdict
	err     error
	// settle is how the delivery behind the input is settled if it is accepted; nil: there is none. settled says that it has
	// been, in the transaction of the commit.
	settle  *adapter.Settlement
	settled bool
	wake    chan bool // true: lead; false: done
}

// boxShard is a part of the boxes, with a lock of its own.
type boxShard struct {
	mu    sync.Mutex
	boxes map[string]*box
}

// maxBoxes bounds the boxes of one shard that nobody uses.
const maxBoxes = 512

var boxSeed = maphash.MakeSeed()

func (e *Engine) shard(run string) *boxShard {
	return &e.shards[maphash.String(boxSeed, run)%uint64(len(e.shards))]
}

// open returns the box of a run, which the caller gives back with release.
func (e *Engine) open(run string) *box {
	s := e.shard(run)
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boxes[run]
	if b == nil {
		if len(s.boxes) >= maxBoxes {
			evict(s)
		}
		b = &box{run: run}
		s.boxes[run] = b
	}
	b.users++
	return b
}

// release gives a box back. The box of a run that has ended is forgotten with its last user.
func (e *Engine) release(b *box) {
	s := e.shard(b.run)
	s.mu.Lock()
	defer s.mu.Unlock()
	b.users--
	if b.users > 0 {
		return
	}
	b.mu.Lock()
	ended := b.state == nil || b.state.Status.Ended()
	b.mu.Unlock()
	if ended && s.boxes[b.run] == b {
		delete(s.boxes, b.run)
	}
}

// evict forgets some boxes without users. The order of a map's iteration is random enough.
func evict(s *boxShard) {
	n := 0
	for run, b := range s.boxes {
		if b.users == 0 {
			delete(s.boxes, run)
			if n++; n == maxBoxes/8 {
				return
			}
		}
	}
}

// submit decides an input. It returns once the commit that holds it is applied and what follows has been issued, or with an
// error when the store could not tell before ctx or the engine ended: the outcome is then unknown.
func (e *Engine) submit(ctx context.Context, run string, in flow.Input) (flow.Verdict, error) {
	b := e.open(run)
	defer e.release(b)
	return e.submitTo(ctx, b, in)
}

func (e *Engine) submitTo(ctx context.Context, b *box, in flow.Input) (flow.Verdict, error) {
	r := &request{in: in}
	err := e.submitRequest(ctx, b, r)
	return r.verdict, err
}

func (e *Engine) submitRequest(ctx context.Context, b *box, r *request) error {
	b.mu.Lock()
	if b.busy {
		r.wake = make(chan bool, 1)
		b.pending = append(b.pending, r)
		b.mu.Unlock()
		lead, err := b.await(ctx, r)
		switch {
		case err != nil:
			return err
		case !lead:
			return r.err
		}
		b.mu.Lock()
		b.drop(r)
	}
	b.busy = true
	batch := append([]*request{r}, b.pending...)
	b.pending = nil
	b.mu.Unlock()

	e.process(ctx, b, batch)

	b.handOver()
	for _, other := range batch[1:] {
		other.wake <- false
	}
	return r.err
}

// await waits for a request to be decided, or to lead. A request that is given up may still be decided, if it was already
// on its way.
func (b *box) await(ctx context.Context, r *request) (lead bool, err error) {
	select {
	case lead := <-r.wake:
		return lead, nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(r)
	select {
	case lead := <-r.wake:
		if lead {
			b.passOn()
		}
	default:
	}
	return false, context.Cause(ctx)
}

// drop takes a request off the pending ones. b.mu is held.
func (b *box) drop(r *request) {
	b.pending = slices.DeleteFunc(b.pending, func(p *request) bool { return p == r })
}

// passOn gives the lead to whoever waits. b.mu is held.
func (b *box) passOn() {
	if len(b.pending) > 0 {
		b.pending[0].wake <- true
	} else {
		b.busy = false
	}
}

// handOver ends the caller's lead.
func (b *box) handOver() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.passOn()
}

// current returns the committed state that this process holds, or nil.
func (b *box) current() (*flow.State, *flow.Definition) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state, b.def
}

// set replaces the committed state.
func (b *box) set(s *flow.State, v adapter.Version, def *flow.Definition) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state, b.version, b.def = s, v, def
}

// offer gives the box a state that was read from the store. It is taken if it is newer and nobody leads.
func (b *box) offer(s *flow.State, v adapter.Version, def *flow.Definition) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.busy && (v > b.version || v == b.version && b.state != nil) { // it may have more chunks loaded
		b.state, b.version, b.def = s, v, def
	}
}

// payload returns a payload that the box keeps.
func (b *box) payload(seq uint64) (json.RawMessage, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.payloads {
		if p.seq == seq {
			return p.data, true
		}
	}
	return nil, false
}

// keepPayloads keeps of the old payloads and of new records what the state's open work refers to.
func (b *box) keepPayloads(s *flow.State, records []adapter.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.Status.Ended() {
		b.payloads = nil
		return
	}
	needed := map[uint64]bool{}
	s.References(func(seq uint64) { needed[seq] = true })
	size := 0
	b.payloads = slices.DeleteFunc(b.payloads, func(p payload) bool {
		size += len(p.data)
		return !needed[p.seq]
	})
	for i := range records {
		if r := &records[i]; needed[r.Seq] && size+len(r.Data) <= maxPayloads {
			size += len(r.Data)
			b.payloads = append(b.payloads, payload{r.Seq, r.Data})
		}
	}
}
