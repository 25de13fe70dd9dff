package stream

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
)

// member is the work of a subscription that shares a topic with others.
type member struct {
	*subscription
	done    chan finished
	running int
	held    map[string]bool // IDs that this member was given and that the server may not know to be acknowledged
	acks    []string        // those of them that were handled
	unsure  bool            // an answer was lost: there may be more that it was given
	more    bool            // there may be something to read
	active  bool            // it gets messages: always, unless the group is exclusive
}

// finished is a message that a handler is done with.
type finished struct {
	id    string
	acked bool // else it is for others
}

// take calls the handler for messages of the group, until ctx ends and every call has returned.
func (b *subscription) take(ctx context.Context) error {
	m := member{subscription: b, done: make(chan finished, b.prefetch), held: map[string]bool{}, more: true, active: !b.exclusive}
	defer m.drain(ctx)
	pause := newBackoff()
	for ctx.Err() == nil {
		if m.more && m.running < m.prefetch || len(m.acks) > 0 {
			messages, err := m.exchange(ctx)
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil && !b.passing(ctx, err):
				return err
			case err != nil:
				pause.wait(ctx, b.news)
				m.more, m.unsure = true, true
				continue
			}
			pause = newBackoff()
			for _, msg := range messages {
				m.start(ctx, msg)
			}
			continue
		}
		select {
		case done := <-m.done:
			m.finished(done)
		case <-b.news:
			m.more = true
		case <-ctx.Done():
		}
	}
	return nil
}

// start calls the handler: in this goroutine where it is the only one, else in one of its own.
func (m *member) start(ctx context.Context, msg *adapter.Message) {
	m.running++
	m.held[msg.ID] = true
	if m.prefetch == 1 {
		m.finished(m.handle(ctx, msg))
		return
	}
	go func() { m.done <- m.handle(ctx, msg) }()
}

func (m *member) finished(f finished) {
	m.running--
	if f.acked {
		m.acks = append(m.acks, f.id)
		return
	}
	delete(m.held, f.id)
	m.unsure = true
}

// drain waits for the handlers and acknowledges what they have done.
func (m *member) drain(ctx context.Context) {
	for m.running > 0 {
		m.finished(<-m.done)
	}
	if len(m.acks) == 0 || m.s.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingTime)
	defer cancel()
	if err := m.s.client.Do(ctx, m.acknowledge()).Error(); err != nil {
		m.s.o.Logger.Warn("messages that were handled will be delivered again", "topic", m.topic, "group", m.group,
			"messages", len(m.acks), "error", err)
	}
}

func (m *member) acknowledge() rueidis.Completed {
	return m.s.client.B().Xack().Key(m.key).Group(m.group).Id(m.acks...).Build()
}

// exchange acknowledges what is done and gets as much as can be begun, in one round trip if nothing is left behind by others.
func (m *member) exchange(ctx context.Context) ([]*adapter.Message, error) {
	if err := m.rejoin(ctx); err != nil {
		return nil, err
	}
	if m.exclusive && (!m.active || m.recheck.Swap(false)) {
		if err := m.hold(ctx); err != nil {
			return nil, err
		}
	}
	free := m.prefetch - m.running
	want := m.more && m.active && free > 0
	if want && m.unsure {
		messages, err := m.mine(ctx, free)
		if err != nil || len(messages) > 0 {
			return messages, err
		}
		m.unsure = false
	}
	if want && m.orphans.Swap(false) {
		messages, err := m.claim(ctx, free)
		if err != nil || len(messages) > 0 {
			m.orphans.Store(true) // until there is nothing left
			return messages, err
		}
	}
	var commands rueidis.Commands
	if len(m.acks) > 0 {
		commands = append(commands, m.acknowledge())
	}
	if want {
		commands = append(commands, m.s.client.B().Xreadgroup().Group(m.group, m.member).Count(int64(free)).Streams().
			Key(m.key).Id(">").Build())
	}
	m.more = m.more && want
	if len(commands) == 0 {
		return nil, nil
	}
	results := m.s.client.DoMulti(ctx, commands...)
	if len(m.acks) > 0 {
		if err := results[0].Error(); err != nil {
			return nil, err
		}
		for _, id := range m.acks {
			delete(m.held, id)
		}
		m.acks = m.acks[:0]
	}
	if !want {
		return nil, nil
	}
	messages, err := entries(m.topic, results[len(results)-1], 1)
	if err != nil {
		return nil, err
	}
	m.more = len(messages) == free
	if n := len(messages); n > 0 {
		m.moveTo(messages[n-1].ID)
	}
	return messages, nil
}

// hold finds out whether this member is the one that gets the messages of an exclusive group.
func (m *member) hold(ctx context.Context) error {
	held, err := m.s.run(ctx, call{holdScript, m.key, []string{m.group, m.member}})[0].AsInt64()
	if err != nil {
		return err
	}
	if held == 1 && !m.active {
		m.more = true
		m.orphans.Store(true)
	}
	m.active = held == 1
	return nil
}

// mine returns what this member was given without hearing of it.
func (m *member) mine(ctx context.Context, limit int) ([]*adapter.Message, error) {
	args := []string{m.group, m.member, strconv.Itoa(limit)}
	for id := range m.held {
		args = append(args, id)
	}
	return claimed(m.topic, m.s.run(ctx, call{mineScript, m.key, args})[0])
}

// claim takes over what members that are dead or have left did not acknowledge.
func (m *member) claim(ctx context.Context, limit int) ([]*adapter.Message, error) {
	r := m.s.run(ctx, call{claimScript, m.key, []string{m.group, m.member, strconv.Itoa(limit)}})[0]
	messages, err := claimed(m.topic, r)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(messages, func(a, b *adapter.Message) int { return compareIDs(a.ID, b.ID) })
	kept := messages[:0]
	for _, msg := range messages {
		if msg.Delivery <= m.s.o.MaxTakeovers {
			kept = append(kept, msg)
			continue
		}
		if err := m.bury(ctx, msg); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// compareIDs compares two IDs of messages: two numbers each.
func compareIDs(a, b string) int {
	for _, part := range [...]func(string) string{
		func(id string) string { ms, _, _ := strings.Cut(id, "-"); return ms },
		func(id string) string { _, seq, _ := strings.Cut(id, "-"); return seq },
	} {
		x, y := part(a), part(b)
		if len(x) != len(y) {
			return len(x) - len(y)
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
	}
	return 0
}

// bury moves a message to the topic of dead letters.
func (m *member) bury(ctx context.Context, msg *adapter.Message) error {
	dead := *msg
	dead.Topic = m.topic + m.s.o.DeadLetter
	dead.Headers = maps.Clone(msg.Headers)
	if dead.Headers == nil {
		dead.Headers = map[string]string{}
	}
	dead.Headers["nvent-topic"] = m.topic
	dead.Headers["nvent-error"] = "its members keep dying"
	dead.Headers["nvent-deliveries"] = strconv.Itoa(msg.Delivery - 1)
	if err := m.s.Publish(ctx, dead); err != nil {
		return err
	}
	if err := m.s.client.Do(ctx, m.s.client.B().Xack().Key(m.key).Group(m.group).Id(msg.ID).Build()).Error(); err != nil {
		return err
	}
	m.s.o.Logger.Error("message is given up: the members that get it keep dying", "topic", m.topic, "group", m.group, "id", msg.ID,
		"deliveries", msg.Delivery-1, "deadLetter", dead.Topic)
	return nil
}

// handle calls the handler until it returns nil, or the message is for others.
func (m *member) handle(ctx context.Context, msg *adapter.Message) finished {
	pause := newBackoff()
	for m.h(m.context(), msg) != nil { // the core reports it
		delivery, err := m.again(ctx, msg.ID)
		for err != nil && ctx.Err() == nil && m.passing(ctx, err) && !m.lost.Load() {
			pause.wait(ctx, nil)
			delivery, err = m.again(ctx, msg.ID)
		}
		if err != nil || delivery == 0 {
			return finished{msg.ID, false} // others get it when this member has left, or have it already
		}
		next := *msg
		next.Delivery = delivery
		msg = &next
	}
	return finished{msg.ID, true}
}

// again counts another delivery. 0: the message is not this member's any more.
func (m *member) again(ctx context.Context, id string) (int, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	n, err := m.s.run(ctx, call{againScript, m.key, []string{m.group, m.member, id}})[0].AsInt64()
	return int(n), err
}
