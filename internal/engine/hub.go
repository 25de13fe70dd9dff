package engine

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// pollFloor is how long a follower of a run waits for a hint before it looks by itself. A lost hint costs this, no more.
const pollFloor = 2 * time.Second

// pollMost is how long it waits where hints cannot get lost on the way, because they do not leave the process.
const pollMost = 10 * time.Minute

// hub tells followers in this process that the log of a run has grown. What it says is a hint: the log is the truth.
type hub struct {
	e      *Engine
	mu     sync.Mutex
	byRun  map[string]map[*Follower]struct{}
	shards [adapter.Shards]hubShard // subscriptions to hints of other instances
}

type hubShard struct {
	users int
	stop  context.CancelFunc
}

func (h *hub) init(e *Engine) {
	h.e = e
	h.byRun = map[string]map[*Follower]struct{}{}
}

// Follower waits for news of one run.
type Follower struct {
	hub  *hub
	run  string
	news chan struct{}
	wait time.Duration // before it looks by itself
}

// Follow registers a follower, which the caller must close.
func (e *Engine) Follow(run string) *Follower {
	h := &e.hub
	f := &Follower{hub: h, run: run, news: make(chan struct{}, 1), wait: pollFloor}
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.byRun[run]
	if m == nil {
		m = make(map[*Follower]struct{}, 1)
		h.byRun[run] = m
	}
	m[f] = struct{}{}
	h.listen(adapter.Shard(run))
	return f
}

// Close ends following.
func (f *Follower) Close() {
	h := f.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.byRun[f.run]
	if _, ok := m[f]; !ok {
		return
	}
	delete(m, f)
	if len(m) == 0 {
		delete(h.byRun, f.run)
	}
	s := &h.shards[adapter.Shard(f.run)]
	if s.users--; s.users == 0 {
		s.stop()
	}
}

// Wait returns when there may be news, nil, or when ctx or the engine ends.
func (f *Follower) Wait(ctx context.Context) error {
	timer := make(chan struct{})
	t := f.hub.e.Clock.AfterFunc(jittered(f.wait), func() { close(timer) })
	defer t.Stop()
	select {
	case <-f.news:
		f.wait = pollFloor
	case <-timer:
		if f.hub.e.Stream.Info().Scope == adapter.ScopeProcess {
			f.wait = min(2*f.wait, pollMost)
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-f.hub.e.ctx.Done():
		return adapter.ErrClosed
	}
	return nil
}

// notify tells the followers of a run that there is news.
func (h *hub) notify(run string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for f := range h.byRun[run] {
		select {
		case f.news <- struct{}{}:
		default:
		}
	}
}

// listen subscribes to the hints of a shard, once for all followers of its runs. h.mu is held.
func (h *hub) listen(shard int) {
	s := &h.shards[shard]
	if s.users++; s.users > 1 {
		return
	}
	ctx, stop := context.WithCancel(h.e.ctx)
	s.stop = stop
	h.e.wg.Go(func() {
		for ctx.Err() == nil {
			err := h.e.Stream.Subscribe(ctx, hintTopic(shard), adapter.SubscribeOptions{}, h.hint)
			if err == nil || ctx.Err() != nil {
				return
			}
			h.e.alarm("hints", "no hints from other instances; following by polling", "error", err)
			if !h.e.sleep(ctx, jittered(pollFloor)) {
				return
			}
		}
	})
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
		if h.shards[i].users > 0 {
			h.shards[i].stop()
		}
	}
}

// hint is the data of a message that says that the log of a run (its key) has grown.
type hint struct {
	Seq  uint64 `json:"seq"`
	From string `json:"from"` // the instance that wrote
}

// hintTopic returns the topic of a shard: a topic for every run could not exist everywhere.
func hintTopic(shard int) string { return "runs." + strconv.Itoa(shard) }

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

// publish sends hints. Where all subscribers are in this process it leaves out those that nobody listens to.
func (s *hintSender) publish(ctx context.Context, runs map[string]uint64) {
	local := s.e.Stream.Info().Scope == adapter.ScopeProcess
	listened := map[int]bool{}
	var messages []adapter.Message
	for run, seq := range runs {
		shard := adapter.Shard(run)
		if local {
			yes, known := listened[shard]
			if !known {
				n, err := s.e.Stream.Subscribers(ctx, hintTopic(shard))
				yes = err != nil || n > 0
				listened[shard] = yes
			}
			if !yes {
				continue
			}
		}
		data, err := json.Marshal(hint{seq, s.e.Instance})
		if err != nil {
			panic("engine: encode hint: " + err.Error()) // a number and a string always encode
		}
		messages = append(messages, adapter.Message{Topic: hintTopic(shard), Key: run, Data: data})
	}
	if len(messages) == 0 {
		return
	}
	if err := s.e.Stream.Publish(ctx, messages...); err != nil && ctx.Err() == nil {
		s.e.alarm("hints", "hints to other instances are lost; they follow by polling", "error", err)
	}
}
