package engine

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/encode"
)

// pollFloor is how long a follower of a run waits for a hint before it looks by itself. A lost hint costs this, no more.
const pollFloor = 2 * time.Second

// pollMost is how long it waits where hints cannot get lost on the way, because they do not leave the process.
const pollMost = time.Hour

// linger is how long a subscription to hints stays when nobody follows a run of its shard any more: the next one may come soon.
const linger = 5 * time.Second

// hub tells followers in this process that the log of a run has grown. What it says is a hint: the log is the truth.
type hub struct {
	e      *Engine
	mu     sync.Mutex
	byRun  map[string]*Follower // linked
	shards [adapter.Shards]hubShard
}

// hubShard is the subscription to hints of other instances about the runs of a shard.
type hubShard struct {
	users  int
	stop   context.CancelFunc // nil: there is none
	placed bool               // it gets messages
	idle   adapter.Timer      // ends it
}

func (h *hub) init(e *Engine) {
	h.e = e
	h.byRun = map[string]*Follower{}
}

// Follower waits for news of one run.
type Follower struct {
	hub  *hub
	run  string
	next *Follower // of the same run
	news chan *Ended
	poll time.Duration // how long until it looks by itself
	// endOnly: what this process writes is news only if it ends the run.
	endOnly bool
}

// Follow registers a follower, which the caller must close.
func (e *Engine) Follow(run string) *Follower { return e.hub.follow(run, false) }

func (h *hub) follow(run string, endOnly bool) *Follower {
	f := &Follower{hub: h, run: run, news: make(chan *Ended, 1), poll: pollFloor, endOnly: endOnly}
	h.mu.Lock()
	defer h.mu.Unlock()
	f.next = h.byRun[run]
	h.byRun[run] = f
	h.listen(adapter.Shard(run))
	return f
}

// Close ends following.
func (f *Follower) Close() {
	h := f.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	first := h.byRun[f.run]
	at := &first
	for *at != nil && *at != f {
		at = &(*at).next
	}
	if *at == nil {
		return // closed before
	}
	*at = f.next
	if first == nil {
		delete(h.byRun, f.run)
	} else {
		h.byRun[f.run] = first
	}
	h.leave(adapter.Shard(f.run))
}

// Wait returns when there may be news, nil, or when ctx or the engine ends.
func (f *Follower) Wait(ctx context.Context) error {
	_, err := f.wait(ctx)
	return err
}

// wait is Wait. If this process has just ended the run it returns how.
func (f *Follower) wait(ctx context.Context) (*Ended, error) {
	timer := make(chan struct{})
	t := f.hub.e.Clock.AfterFunc(jittered(f.poll), func() { close(timer) })
	defer t.Stop()
	select {
	case end := <-f.news:
		f.poll = pollFloor
		return end, nil
	case <-timer:
		if f.hub.e.Stream.Info().Scope == adapter.ScopeProcess {
			f.poll = min(2*f.poll, pollMost)
		}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-f.hub.e.ctx.Done():
		return nil, adapter.ErrClosed
	}
	return nil, nil
}

// wrote tells the followers of a run what this process has written: records, and the state that they led to.
func (h *hub) wrote(run string, s *flow.State, records []adapter.Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.byRun[run]
	if f == nil {
		return
	}
	ended := s.Status.Ended()
	var end *Ended
	if ended {
		end = endIn(s, records)
	}
	for ; f != nil; f = f.next {
		if ended || !f.endOnly {
			f.tell(end)
		}
	}
}

// notify tells the followers of a run that there may be news.
func (h *hub) notify(run string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for f := h.byRun[run]; f != nil; f = f.next {
		f.tell(nil)
	}
}

// tell leaves news for a follower, if none waits for it: then it looks at the log anyway.
func (f *Follower) tell(end *Ended) {
	select {
	case f.news <- end:
	default:
	}
}

// listen subscribes to the hints of a shard, once for all followers of its runs. h.mu is held.
func (h *hub) listen(shard int) {
	s := &h.shards[shard]
	if s.users++; s.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(h.e.ctx)
	s.stop = stop
	place := func(yes bool) {
		h.mu.Lock()
		defer h.mu.Unlock()
		s.placed = yes && ctx.Err() == nil
	}
	h.e.wg.Go(func() {
		for ctx.Err() == nil {
			o := adapter.SubscribeOptions{Ready: func() { place(true) }}
			err := h.e.Stream.Subscribe(ctx, hintTopics[shard], o, h.hint)
			if err == nil || ctx.Err() != nil {
				return
			}
			place(false)
			h.e.alarm("hints", "no hints from other instances; following by polling", "error", err)
			if !h.e.sleep(ctx, jittered(pollFloor)) {
				return
			}
		}
	})
}

// leave ends the subscription to a shard that nobody uses, after a while. h.mu is held.
func (h *hub) leave(shard int) {
	s := &h.shards[shard]
	if s.users--; s.users > 0 {
		return
	}
	if s.idle != nil {
		s.idle.Reset(linger)
		return
	}
	s.idle = h.e.Clock.AfterFunc(linger, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if s.users == 0 {
			s.end()
		}
	})
}

// end ends the subscription, if there is one.
func (s *hubShard) end() {
	if s.stop != nil {
		s.stop()
		s.stop, s.placed = nil, false
	}
}

// listens reports whether hints about a shard come to this instance.
func (h *hub) listens(shard int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.shards[shard].placed
}

func (h *hub) hint(_ context.Context, m *adapter.Message) error {
	var body hint
	// What cannot be read is not ours: a hint too many does no harm.
	if json.Unmarshal(m.Data, &body) != nil || body.From != h.e.Instance {
		h.notify(m.Key)
	}
	return nil
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.shards {
		s := &h.shards[i]
		s.end()
		if s.idle != nil {
			s.idle.Stop()
		}
	}
}

// hint is the data of a message that says that the log of a run (its key) has grown.
type hint struct {
	Seq  uint64 `json:"seq"`
	From string `json:"from"` // the instance that wrote
}

// hintTopics are the topics of the shards: a topic for every run could not exist everywhere.
var hintTopics = func() (topics [adapter.Shards]string) {
	for shard := range topics {
		topics[shard] = "runs." + strconv.Itoa(shard)
	}
	return topics
}()

// hintSender publishes hints in the background, many at a time.
type hintSender struct {
	e    *Engine
	mu   sync.Mutex
	runs map[string]uint64 // last seq
	wake chan struct{}
}

// maxHints bounds the hints that wait. More are dropped: they are hints.
const maxHints = 10_000

// hintDelay is how long hints are collected: several commits of a run become one message.
const hintDelay = time.Millisecond

func (s *hintSender) init(e *Engine) {
	s.e = e
	s.runs = map[string]uint64{}
	s.wake = make(chan struct{}, 1)
}

func (s *hintSender) send(run string, seq uint64) {
	s.mu.Lock()
	if len(s.runs) < maxHints {
		s.runs[run] = seq
	}
	first := len(s.runs) == 1
	s.mu.Unlock()
	if first {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

func (s *hintSender) run(ctx context.Context) {
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		if !s.e.sleep(ctx, hintDelay) {
			return
		}
		s.mu.Lock()
		runs := s.runs
		s.runs = make(map[string]uint64, len(runs))
		s.mu.Unlock()
		s.publish(ctx, runs)
	}
}

// publish sends hints. Where all subscribers are in this process it leaves out those that nobody else listens to.
func (s *hintSender) publish(ctx context.Context, runs map[string]uint64) {
	local := s.e.Stream.Info().Scope == adapter.ScopeProcess
	var asked, heard [adapter.Shards]bool
	var messages []adapter.Message
	for run, seq := range runs {
		shard := adapter.Shard(run)
		if local && !asked[shard] {
			asked[shard], heard[shard] = true, s.heard(ctx, shard)
		}
		if local && !heard[shard] {
			continue
		}
		data := append([]byte(nil), `{"seq":`...)
		data = append(encode.Uint(data, seq), `,"from":`...)
		data = append(encode.String(data, s.e.Instance), '}')
		messages = append(messages, adapter.Message{Topic: hintTopics[shard], Key: run, Data: data})
	}
	if len(messages) == 0 {
		return
	}
	if err := s.e.Stream.Publish(ctx, messages...); err != nil && ctx.Err() == nil {
		s.e.alarm("hints", "hints to other instances are lost; they follow by polling", "error", err)
	}
}

// heard reports whether anybody but this instance may listen to the hints about a shard.
func (s *hintSender) heard(ctx context.Context, shard int) bool {
	own := 0
	if s.e.hub.listens(shard) {
		own = 1
	}
	n, err := s.e.Stream.Subscribers(ctx, hintTopics[shard])
	return err != nil || n > own
}
