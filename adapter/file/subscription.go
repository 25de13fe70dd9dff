package file

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// localTopic is what this process knows of a topic. The mutex of the Stream guards it.
type localTopic struct {
	name string
	id   int64
	subs []*subscription
	hot  bool // there may be something to give out to groups
	turn int  // of the subscriptions: who is served first

	// What was read last, for all subscriptions without a group: messages tailFrom, tailFrom+1, ...
	reading  sync.Mutex
	tailFrom int64
	tail     []*adapter.Message
}

// subscription is a call of Subscribe.
type subscription struct {
	in       *Stream
	t        *localTopic
	o        adapter.SubscribeOptions
	prefetch int
	h        func(context.Context, *adapter.Message) error
	parent   context.Context // of the contexts of handlers
	wake     chan struct{}   // without a group: there may be messages

	// The mutex of the Stream guards these.
	ctx     context.Context // of the handlers
	cancel  context.CancelCauseFunc
	member  int64
	group   int64 // 0: none
	next    int64 // without a group: the message that comes next
	running int
	stopped bool
	wg      sync.WaitGroup
}

// Subscribe calls h for the messages of a topic. A message whose h failed in a group is given out again at once; the members
// of a group whose process has died are replaced after Options.DefaultLease. See [adapter.Stream].
func (in *Stream) Subscribe(
	ctx context.Context, topic string, o adapter.SubscribeOptions, h func(context.Context, *adapter.Message) error,
) error {
	if topic == "" || h == nil {
		return invalid("subscribe", "no topic or no handler", "")
	}
	s := &subscription{in: in, o: o, prefetch: max(o.Prefetch, 1), h: h, wake: make(chan struct{}, 1), parent: context.WithoutCancel(ctx)}
	s.o.Exclusive = o.Exclusive && o.Group != ""
	s.ctx, s.cancel = context.WithCancelCause(s.parent)
	defer func() { s.end(nil) }()
	if err := in.join(ctx, s, topic); err != nil {
		if ctx.Err() != nil && !isClosed(in.done) {
			return nil
		}
		return fail("subscribe", err)
	}
	if o.Ready != nil {
		o.Ready()
	}
	if s.group == 0 {
		s.follow(ctx)
	} else {
		in.b.db.Kick()
		select {
		case <-ctx.Done():
		case <-in.done:
		}
	}
	in.mu.Lock()
	s.stopped = true
	in.mu.Unlock()
	s.wg.Wait()
	closed := isClosed(in.done)
	in.mu.Lock()
	s.t.subs = slices.DeleteFunc(s.t.subs, func(other *subscription) bool { return other == s })
	in.mu.Unlock()
	if closed {
		return fail("subscribe", adapter.ErrClosed)
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	_ = in.leave(leaving, s) // else it is found to be gone after its lease
	return nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (s *subscription) end(cause error) {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	s.cancel(cause)
}

// join puts a subscription in place.
func (in *Stream) join(ctx context.Context, s *subscription, name string) error {
	in.mu.Lock()
	if in.dead {
		in.mu.Unlock()
		return adapter.ErrClosed
	}
	t := in.topics[name]
	if t == nil {
		t = &localTopic{name: name}
		in.topics[name] = t
	}
	in.mu.Unlock()
	s.t = t
	return in.b.db.Write(ctx, true, func(tx *sqlite.Tx) error {
		row, err := topic(tx, name)
		if err != nil {
			return err
		}
		group, next, err := in.place(tx, &row, &s.o)
		if err != nil {
			return err
		}
		member := tx.Tick()
		until := tx.Now + in.b.o.DefaultLease.Microseconds()
		if _, err := tx.Exec("INSERT INTO members VALUES (?, ?, ?, ?, ?)", member, row.id, group, next, until); err != nil {
			return err
		}
		tx.News()
		// Before the end of this transaction, which may give it messages. If the transaction fails nobody runs it.
		in.mu.Lock()
		defer in.mu.Unlock()
		if in.dead {
			return adapter.ErrClosed
		}
		if t.hot = true; t.id != row.id {
			t.id = row.id
		}
		s.group, s.next, s.member = group, next, member
		if !slices.Contains(t.subs, s) {
			t.subs = append(t.subs, s)
		}
		in.beatAt = min(in.beatAt, tx.Now+in.beatEvery())
		tx.After(func() { in.b.keeper.dueAt(tx.Now + in.beatEvery()) })
		return nil
	})
}

// place returns the group that a subscription belongs to, which it makes if need be, or 0; and where it begins.
func (in *Stream) place(tx *sqlite.Tx, t *topicRow, o *adapter.SubscribeOptions) (group, next int64, err error) {
	if o.Group != "" {
		if group, err = tx.Int("SELECT id FROM groups WHERE topic = ? AND name = ?", t.id, o.Group); err != nil || group != 0 {
			return group, 0, err
		}
	}
	switch o.From {
	case adapter.FromLatest:
		next = t.next
	case adapter.FromEarliest:
		next = t.first
	default:
		id, err := strconv.ParseInt(o.From, 10, 64)
		switch {
		case err != nil || id >= t.next || id < 0:
			return 0, 0, fmt.Errorf("%w: topic %q has no message %q: begin at FromEarliest or FromLatest", adapter.ErrInvalid, t.name, o.From)
		case id+1 < t.first:
			return 0, 0, &adapter.Trimmed{Subject: t.name, First: uint64(t.first)}
		}
		next = id + 1
	}
	if o.Group == "" {
		return 0, next, nil
	}
	ephemeral := 0
	if o.Ephemeral {
		ephemeral = 1
	}
	if _, err = tx.Exec("INSERT INTO groups (topic, name, next, ephemeral) VALUES (?, ?, ?, ?)", t.id, o.Group, next, ephemeral); err != nil {
		return 0, 0, err
	}
	group, err = tx.Int("SELECT id FROM groups WHERE topic = ? AND name = ?", t.id, o.Group)
	return group, 0, err
}

// leave takes subscriptions out of their place, and hands back what they have not acknowledged.
func (in *Stream) leave(ctx context.Context, subs ...*subscription) error {
	if len(subs) == 0 {
		return nil
	}
	return in.b.db.Write(ctx, true, func(tx *sqlite.Tx) error {
		for _, s := range subs {
			if err := removeMember(tx, s.member); err != nil {
				return err
			}
		}
		return nil
	})
}

// removeMember removes a member, and its group with the last one if it is ephemeral.
func removeMember(tx *sqlite.Tx, member int64) error {
	var topic, group int64
	found, err := tx.One("SELECT topic, grp FROM members WHERE id = ?", func(r sqlite.Row) { topic, group = r.Int(0), r.Int(1) }, member)
	if err != nil || !found {
		return err
	}
	if _, err := tx.Exec("DELETE FROM members WHERE id = ?", member); err != nil {
		return err
	}
	if group == 0 {
		return nil
	}
	if _, err := tx.Exec("UPDATE claims SET member = 0 WHERE member = ?", member); err != nil {
		return err
	}
	left, err := tx.Int("SELECT count(*) FROM members WHERE topic = ? AND grp = ?", topic, group)
	if err != nil {
		return err
	}
	if left == 0 {
		gone, err := tx.Exec("DELETE FROM groups WHERE id = ? AND ephemeral = 1", group)
		if err != nil {
			return err
		}
		if gone > 0 {
			_, err = tx.Exec("DELETE FROM claims WHERE grp = ?", group)
		}
		return err
	}
	workOf(tx).topics[topic] = true
	tx.News()
	return nil
}

// wake tells the subscriptions of this process that a topic has messages.
func (in *Stream) wake(name string, next int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if t := in.topics[name]; t != nil {
		for _, s := range t.subs {
			if s.group == 0 && s.next < next {
				s.look()
			}
		}
	}
}

func (s *subscription) look() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
