package stream

import (
	"context"
	"strconv"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// trimEvery is how often the keeper trims topics, for those in which nobody publishes: every so many renewals.
const trimEvery = 20

// keep renews the subscriptions of this instance every third of the lease, until ctx ends. A renewal also finds out what a
// notification that was lost would have told.
func (s *Stream) keep(ctx context.Context) {
	t := time.NewTicker(s.o.Lease / 3)
	defer t.Stop()
	for round := 1; ; round++ {
		select {
		case <-t.C:
			s.renew(ctx, round%trimEvery == 0)
		case <-ctx.Done():
			return
		}
	}
}

// renew renews the subscriptions to all topics in one round trip.
func (s *Stream) renew(ctx context.Context, trim bool) {
	topics, calls := s.renewals(trim)
	if len(calls) == 0 {
		return
	}
	asked := time.Now()
	bounded, cancel := context.WithTimeout(ctx, s.o.Lease/3)
	defer cancel()
	for i, r := range s.run(bounded, calls...) {
		reply, err := r.ToArray()
		if err != nil || len(reply) < 2 {
			s.lapse(topics[i], asked) // the ear tells of outages
			continue
		}
		last, _ := reply[0].ToString()
		dead, _ := reply[1].AsInt64()
		unknown := map[string]bool{}
		for _, m := range reply[2:] {
			member, _ := m.ToString()
			unknown[member] = true
		}
		s.renewed(topics[i], asked, last, dead > 0, unknown)
	}
}

// renewals returns what renews the subscriptions to each topic.
func (s *Stream) renewals(trim bool) (topics []*topic, calls []call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.topics {
		r := s.o.retention(t.name)
		args := []string{millis(s.o.Lease), millis(r.Age), strconv.Itoa(r.Messages), ""}
		if trim {
			args[3] = millis(s.o.Forget)
		}
		for b := range t.subs {
			cursor := ""
			if b.group == "" {
				cursor = b.place()
			}
			args = append(args, b.member, cursor, b.group)
		}
		topics = append(topics, t)
		calls = append(calls, call{renewScript, s.keys.stream(t.name), args})
	}
	return topics, calls
}

func (s *Stream) renewed(t *topic, asked time.Time, last string, orphans bool, unknown map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := last != t.last
	t.last, t.renewed = last, asked
	for b := range t.subs {
		if unknown[b.member] {
			b.lost.Store(true)
			b.abandon(adapter.ErrLeaseLost)
		}
		if orphans && b.group != "" {
			b.orphans.Store(true)
		}
		b.recheck.Store(true)
		if news || orphans || unknown[b.member] || b.exclusive {
			b.wake()
		}
	}
}

// lapse tells the handlers of groups when others may have taken over what they work on.
func (s *Stream) lapse(t *topic, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(t.renewed) < s.o.Lease {
		return
	}
	for b := range t.subs {
		if b.group != "" {
			b.abandon(adapter.ErrLeaseLost)
		}
	}
}
