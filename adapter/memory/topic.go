package memory

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// topic is the messages of a topic that are kept, and who gets them. Its methods are called with mu held.
type topic struct {
	b    *Backend
	name string

	mu       sync.Mutex
	gone     bool               // forgotten: whoever still has it looks it up again
	messages []*adapter.Message // the first of them is message number first
	first    uint64
	groups   map[string]*group // by name
	fanout   []*group          // of the subscriptions without a group: one each
}

// topic returns the topic of a name, locked. It makes it, or returns nil if create is false.
func (b *Backend) topic(name string, create bool) *topic {
	for {
		b.mu.RLock()
		t := b.topics[name]
		b.mu.RUnlock()
		if t == nil {
			if !create {
				return nil
			}
			t = b.makeTopic(name)
		}
		t.mu.Lock()
		if !t.gone {
			return t
		}
		t.mu.Unlock()
	}
}

func (b *Backend) makeTopic(name string) *topic {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[name]
	if t == nil {
		if len(b.topics) >= b.pruneAt {
			b.pruneTopics()
			b.pruneAt = 2*len(b.topics) + 64
		}
		t = &topic{b: b, name: name, first: b.freshID + 1, groups: map[string]*group{}}
		b.topics[name] = t
	}
	return t
}

// pruneTopics forgets the topics that hold nothing. Topics that come later continue after their IDs.
func (b *Backend) pruneTopics() {
	now := b.now()
	for name, t := range b.topics {
		t.mu.Lock()
		t.trim(now)
		if t.gone = len(t.messages)+len(t.groups)+len(t.fanout) == 0; t.gone {
			b.freshID = max(b.freshID, t.next()-1)
			delete(b.topics, name)
		}
		t.mu.Unlock()
	}
}

// next is the number of the message that comes next.
func (t *topic) next() uint64 { return t.first + uint64(len(t.messages)) }

// add appends a message.
func (t *topic) add(m *adapter.Message, now time.Time) {
	kept := *m
	kept.ID = strconv.FormatUint(t.next(), 10)
	kept.At, kept.Delivery = now, 0
	t.messages = append(t.messages, &kept)
}

// behind returns the number of the first message that some subscription in place has not got yet.
func (t *topic) behind() uint64 {
	low := t.next()
	for _, g := range t.groups {
		if len(g.members) > 0 {
			low = min(low, g.pos)
		}
	}
	for _, g := range t.fanout {
		low = min(low, g.pos)
	}
	return low
}

// trim removes the messages that need not be kept any more.
func (t *topic) trim(now time.Time) {
	o, n := &t.b.o, 0
	keep := max(o.KeepMessagesCount, 0)
	for n < len(t.messages) && (len(t.messages)-n > keep || now.Sub(t.messages[n].At) >= o.KeepMessages) {
		n++
	}
	if n == 0 {
		return
	}
	n = min(n, int(max(t.behind(), t.first)-t.first))
	clear(t.messages[:n])
	t.messages = t.messages[n:]
	t.first += uint64(n)
}

// call wakes whoever has something to do.
func (t *topic) call() {
	for _, g := range t.groups {
		g.call()
	}
	for _, g := range t.fanout {
		g.call()
	}
}

// place returns where a subscription begins that asks for from.
func (t *topic) place(from string) (uint64, error) {
	switch from {
	case adapter.FromLatest:
		return t.next(), nil
	case adapter.FromEarliest:
		return t.first, nil
	}
	id, err := strconv.ParseUint(from, 10, 64)
	switch {
	case err != nil || id >= t.next():
		return 0, fmt.Errorf("%w: topic %q has no message %q: begin at FromEarliest or FromLatest", adapter.ErrInvalid, t.name, from)
	case id+1 < t.first:
		return 0, &adapter.Trimmed{Subject: t.name, First: t.first}
	}
	return id + 1, nil
}

// join adds a subscription to its group, which it makes if need be.
func (t *topic) join(s *subscription, o *adapter.SubscribeOptions) error {
	t.trim(t.b.now())
	g := t.groups[o.Group]
	if o.Group == "" || g == nil {
		pos, err := t.place(o.From)
		if err != nil {
			return err
		}
		g = &group{topic: t, name: o.Group, pos: pos, ephemeral: o.Ephemeral}
		if o.Group == "" {
			t.fanout = append(t.fanout, g)
		} else {
			t.groups[o.Group] = g
		}
	}
	s.group = g
	g.members = append(g.members, s)
	return nil
}

// leave removes a subscription, if it is still there, and with it a group that nobody needs any more.
func (t *topic) leave(s *subscription) {
	g := s.group
	i := slices.Index(g.members, s)
	if i < 0 {
		return
	}
	g.members = slices.Delete(g.members, i, i+1)
	g.handBack(s)
	switch {
	case len(g.members) > 0:
		g.call()
	case g.name == "":
		t.fanout = slices.DeleteFunc(t.fanout, func(f *group) bool { return f == g })
	case g.ephemeral:
		delete(t.groups, g.name)
	}
	t.trim(t.b.now()) // of what was kept for this one
}
