package memory

import (
	"slices"

	"github.com/nvent-go/nvent/adapter"
)

// group shares the messages of a topic among its members. A subscription without a group has one to itself, without a name,
// in which nothing is repeated. The mutex of the topic guards it.
type group struct {
	topic     *topic
	name      string
	ephemeral bool
	pos       uint64   // the next message to give out
	claims    []*claim // given out and not acknowledged, by no order
	again     []*claim // to be given out again, in the order of the topic
	members   []*subscription
	turn      int  // of the members: who is asked first
	calling   bool // a worker has been called and has not come yet
}

// claim is a message of a named group that is not acknowledged.
type claim struct {
	m        *adapter.Message
	number   uint64
	delivery int
	owner    *subscription // nil: nobody's, in group.again
}

// pending reports whether there is something to give out.
func (g *group) pending() bool { return len(g.again) > 0 || g.pos < g.topic.next() }

// call wakes a worker of a member. As with queues, one at a time.
func (g *group) call() {
	if g.calling || !g.pending() {
		return
	}
	n := len(g.members)
	for i := range n {
		if s := g.members[(g.turn+i)%n]; s.active() && s.call() {
			g.turn = (g.turn + i + 1) % n
			g.calling = true
			return
		}
	}
}

// take gives the next message to a member. Without a name there is no claim.
func (g *group) take(s *subscription) (*adapter.Message, *claim) {
	if len(g.again) > 0 {
		c := g.again[0]
		g.again = slices.Delete(g.again, 0, 1)
		return g.give(c, s), c
	}
	t := g.topic
	g.pos = max(g.pos, t.first) // what an absent group has missed may be gone
	if g.pos >= t.next() {
		return nil, nil
	}
	m := t.messages[g.pos-t.first]
	g.pos++
	if g.name == "" {
		return m, nil
	}
	c := &claim{m: m, number: g.pos - 1}
	return g.give(c, s), c
}

func (g *group) give(c *claim, s *subscription) *adapter.Message {
	c.owner = s
	c.delivery++
	g.claims = append(g.claims, c)
	m := *c.m
	m.Delivery = c.delivery
	return &m
}

// settle ends a claim: for good, or to be given out again. A member that has lost it changes nothing.
func (g *group) settle(c *claim, s *subscription, done bool) {
	i := slices.Index(g.claims, c)
	if i < 0 || c.owner != s {
		return
	}
	g.claims = slices.Delete(g.claims, i, i+1)
	c.owner = nil
	if !done {
		g.repeat(c)
	}
}

func (g *group) repeat(c *claim) {
	i, _ := slices.BinarySearchFunc(g.again, c, func(a, b *claim) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	g.again = slices.Insert(g.again, i, c)
}

// handBack takes the claims from a member.
func (g *group) handBack(s *subscription) {
	g.claims = slices.DeleteFunc(g.claims, func(c *claim) bool {
		if c.owner == s {
			c.owner = nil
			g.repeat(c)
			return true
		}
		return false
	})
}
