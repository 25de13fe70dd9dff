package file

import (
	"context"
	"math"
	"slices"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

func (in *Stream) beatEvery() int64 { return max(in.b.o.DefaultLease.Microseconds()/3, 1000) }

// keep shows that the subscriptions live, finds those of others that do not, and looks for messages.
func (in *Stream) keep(ctx context.Context, news, polled bool, next *int64) error {
	now := in.now()
	in.mu.Lock()
	if in.dead {
		in.mu.Unlock()
		return nil
	}
	var subs []*subscription
	for _, t := range in.topics {
		subs = append(subs, t.subs...)
	}
	beat := len(subs) > 0 && now >= in.beatAt
	if beat {
		in.beatAt = now + in.beatEvery()
	}
	if len(subs) > 0 {
		*next = min(*next, in.beatAt)
	} else {
		in.beatAt = math.MaxInt64
	}
	in.mu.Unlock()
	if beat {
		if err := in.beat(ctx, subs); err != nil {
			return err
		}
	}
	if !news {
		return nil
	}
	return in.news(ctx, polled, now)
}

// beat extends the lives of subscriptions. One that was taken for dead is put in place again: what it had is lost to it.
func (in *Stream) beat(ctx context.Context, subs []*subscription) error {
	type place struct{ member, next int64 }
	places := make([]place, len(subs))
	in.mu.Lock()
	for i, s := range subs {
		places[i] = place{s.member, s.next}
	}
	in.mu.Unlock()
	return in.b.db.Write(ctx, true, func(tx *sqlite.Tx) error {
		until := tx.Now + in.b.o.DefaultLease.Microseconds()
		for i, s := range subs {
			changed, err := tx.Exec("UPDATE members SET until = ?, next = max(next, ?) WHERE id = ?", until, places[i].next, places[i].member)
			if err != nil {
				return err
			}
			if changed > 0 {
				continue
			}
			member := tx.Tick()
			in.mu.Lock()
			stopped := s.stopped || !slices.Contains(s.t.subs, s)
			in.mu.Unlock()
			if stopped {
				continue
			}
			if _, err := tx.Exec("INSERT INTO members VALUES (?, ?, ?, ?, ?)", member, s.t.id, s.group, places[i].next, until); err != nil {
				return err
			}
			tx.After(func() { s.replaced(member) })
		}
		return nil
	})
}

// replaced gives the subscription a new place.
func (s *subscription) replaced(member int64) {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	s.cancel(adapter.ErrLeaseLost)
	s.ctx, s.cancel = context.WithCancelCause(s.parent)
	s.member, s.t.hot = member, true
}

// news looks whether there are messages for the subscriptions of this process, and whether some subscription has died.
func (in *Stream) news(ctx context.Context, polled bool, now int64) error {
	type wish struct {
		t      *localTopic
		groups bool
	}
	var wishes []wish
	in.mu.Lock()
	for _, t := range in.topics {
		w := wish{t: t}
		for _, s := range t.subs {
			if w.groups = w.groups || s.group != 0; s.group == 0 {
				s.look()
			}
		}
		if w.groups {
			wishes = append(wishes, w)
		}
	}
	in.mu.Unlock()
	var dead, old int64
	kick := false
	err := in.b.db.Read(ctx, func(c *sqlite.Conn) (err error) {
		for _, w := range wishes {
			n, err := c.Int(`SELECT EXISTS (SELECT 1 FROM groups g JOIN topics t ON t.id = g.topic WHERE t.id = ?1 AND g.next < t.next)
				OR EXISTS (SELECT 1 FROM groups g JOIN claims c ON c.grp = g.id WHERE g.topic = ?1 AND c.member = 0)`, w.t.id)
			if err != nil {
				return err
			}
			if n != 0 {
				in.mu.Lock()
				w.t.hot, kick = true, true
				in.mu.Unlock()
			}
		}
		if !polled {
			return nil
		}
		if dead, err = c.Int("SELECT count(*) FROM members WHERE until <= ?", now); err != nil {
			return err
		}
		old, err = c.Int(`SELECT count(*) FROM topics t WHERE t.first < t.next AND (t.next - t.first > ?2
			OR (SELECT at FROM messages m WHERE m.topic = t.id ORDER BY m.n LIMIT 1) <= ?1)`,
			now-in.b.o.KeepMessages.Microseconds(), max(in.b.o.KeepMessagesCount, 0))
		return err
	})
	if err != nil {
		return err
	}
	if kick {
		in.b.db.Kick()
	}
	if dead+old == 0 {
		return nil
	}
	return in.b.db.Write(ctx, true, func(tx *sqlite.Tx) error { return in.sweep(tx) })
}

// sweep removes dead members, and messages that need not be kept.
func (in *Stream) sweep(tx *sqlite.Tx) error {
	var members []int64
	err := tx.Query("SELECT id FROM members WHERE until <= ?", func(r sqlite.Row) error {
		members = append(members, r.Int(0))
		return nil
	}, tx.Now)
	if err != nil {
		return err
	}
	for _, member := range members {
		if err := removeMember(tx, member); err != nil {
			return err
		}
	}
	var topics []topicRow
	err = tx.Query("SELECT id, first, next, name FROM topics WHERE first < next", func(r sqlite.Row) error {
		topics = append(topics, topicRow{r.Int(0), r.Int(1), r.Int(2), r.Text(3)})
		return nil
	})
	if err != nil {
		return err
	}
	for i := range topics {
		if err := in.trim(tx, &topics[i]); err != nil {
			return err
		}
	}
	return nil
}
