package file

import (
	"context"
	"errors"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// claimed is a message that a member of a group has got.
type claimed struct {
	s *subscription
	n int64
	m *adapter.Message
}

// handOut gives messages to the members of groups in this process, within a transaction.
func (in *Stream) handOut(tx *sqlite.Tx) error {
	w := workOf(tx)
	type order struct {
		s    *subscription
		want int
	}
	var orders []order
	in.mu.Lock()
	for _, t := range in.topics {
		if in.dead || !t.hot && !w.topics[t.id] {
			continue
		}
		t.hot = false
		t.turn++
		for i := range t.subs {
			s := t.subs[(t.turn+i)%len(t.subs)]
			if s.group == 0 || s.stopped {
				continue
			}
			if want := s.prefetch - s.running; want > 0 {
				orders = append(orders, order{s, want})
			} else {
				t.hot = true
			}
		}
	}
	in.mu.Unlock()
	for _, o := range orders {
		list, err := in.take(tx, o.s, o.want)
		if err != nil {
			return err
		}
		if len(list) == o.want {
			in.mu.Lock()
			o.s.t.hot = true // there may be more
			in.mu.Unlock()
		}
		if len(list) > 0 {
			tx.After(func() { in.give(list) })
		}
	}
	return nil
}

// take claims up to want messages for a member: first those that have to be repeated.
func (in *Stream) take(tx *sqlite.Tx, s *subscription, want int) (list []claimed, err error) {
	if s.o.Exclusive {
		first, err := tx.Int("SELECT min(id) FROM members WHERE topic = ? AND grp = ? AND until > ?", s.t.id, s.group, tx.Now)
		if err != nil || first != s.member {
			return nil, err
		}
	}
	type again struct{ n, delivery int64 }
	var repeat []again
	err = tx.Query("SELECT n, delivery FROM claims WHERE grp = ? AND member = 0 ORDER BY n LIMIT ? + 0", func(r sqlite.Row) error {
		repeat = append(repeat, again{r.Int(0), r.Int(1)})
		return nil
	}, s.group, want)
	if err != nil {
		return nil, err
	}
	for _, a := range repeat {
		messages, numbers, err := readMessages(tx.Conn, s.t.id, s.t.name, a.n, 1)
		if err != nil {
			return nil, err
		}
		if len(numbers) == 0 || numbers[0] != a.n { // gone by retention
			if _, err := tx.Exec("DELETE FROM claims WHERE grp = ? AND n = ?", s.group, a.n); err != nil {
				return nil, err
			}
			continue
		}
		_, err = tx.Exec("UPDATE claims SET member = ?, delivery = delivery + 1 WHERE grp = ? AND n = ?", s.member, s.group, a.n)
		if err != nil {
			return nil, err
		}
		messages[0].Delivery = int(a.delivery) + 1
		list = append(list, claimed{s, a.n, messages[0]})
	}
	if want -= len(list); want == 0 {
		return list, nil
	}
	next, err := tx.Int("SELECT next FROM groups WHERE id = ?", s.group)
	if err != nil || next == 0 {
		return list, err
	}
	messages, numbers, err := readMessages(tx.Conn, s.t.id, s.t.name, next, want)
	if err != nil || len(messages) == 0 {
		return list, err
	}
	for i, m := range messages {
		if _, err := tx.Exec("INSERT INTO claims VALUES (?, ?, ?, 1)", s.group, numbers[i], s.member); err != nil {
			return nil, err
		}
		m.Delivery = 1
		list = append(list, claimed{s, numbers[i], m})
	}
	_, err = tx.Exec("UPDATE groups SET next = ? WHERE id = ?", numbers[len(numbers)-1]+1, s.group)
	return list, err
}

// give runs the handler for messages. What a subscription does not take any more it hands back when it leaves.
func (in *Stream) give(list []claimed) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, c := range list {
		if c.s.stopped {
			continue
		}
		c.s.running++
		c.s.wg.Add(1)
		go c.s.handle(c.s.ctx, c.s.member, c)
	}
}

var errHandlerGone = errors.New("the handler did not return")

// handle runs the handler for one message and notes how that went.
func (s *subscription) handle(ctx context.Context, member int64, c claimed) {
	defer s.wg.Done()
	err := errHandlerGone
	defer func() { s.settle(member, c, err == nil) }() // also when the handler panics, or ends the goroutine
	err = s.h(ctx, c.m)
}

// settle acknowledges a message, or gives it back. It tries until it is done: nobody else can as long as this member lives.
func (s *subscription) settle(member int64, c claimed, done bool) {
	in, freed := s.in, false
	for {
		err := in.b.db.Write(context.Background(), true, func(tx *sqlite.Tx) (err error) {
			if done {
				_, err = tx.Exec("DELETE FROM claims WHERE grp = ? AND n = ? AND member = ?", s.group, c.n, member)
			} else {
				_, err = tx.Exec("UPDATE claims SET member = 0 WHERE grp = ? AND n = ? AND member = ?", s.group, c.n, member)
				workOf(tx).topics[s.t.id] = true
				tx.News()
			}
			in.mu.Lock()
			defer in.mu.Unlock()
			if !freed {
				freed = true
				s.running-- // its place is free within this transaction
			}
			return err
		})
		if err == nil || isClosed(in.done) {
			return
		}
		in.b.keeper.report(err)
		wait := make(chan struct{})
		timer := in.b.o.Clock.AfterFunc(time.Second, func() { close(wait) })
		select {
		case <-wait:
		case <-in.done:
			timer.Stop()
			return
		}
	}
}
