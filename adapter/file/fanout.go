package file

import (
	"context"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

const (
	readAhead = 256  // messages in one read
	tailSize  = 1024 // messages that are kept for other subscriptions of this process
)

// follow calls the handler for the messages of a topic, for a subscription without a group, until ctx ends or the stream is
// closed.
func (s *subscription) follow(ctx context.Context) {
	slots := make(chan struct{}, s.prefetch)
	for {
		list, err := s.fetch(ctx)
		if ctx.Err() == nil {
			s.in.b.keeper.report(err)
		}
		for _, m := range list {
			select {
			case <-ctx.Done():
				return
			case <-s.in.done:
				return
			case slots <- struct{}{}:
			}
			s.in.mu.Lock()
			if s.stopped {
				s.in.mu.Unlock()
				return
			}
			s.next++
			own := s.ctx
			s.in.mu.Unlock()
			copied := *m
			if s.prefetch == 1 {
				s.call(own, &copied)
				<-slots
				continue
			}
			s.wg.Go(func() {
				defer func() { <-slots }()
				s.call(own, &copied)
			})
		}
		if len(list) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-s.in.done:
			return
		case <-s.wake:
		}
	}
}

// call runs the handler. Without a group nothing is repeated, so its error changes nothing.
func (s *subscription) call(ctx context.Context, m *adapter.Message) { _ = s.h(ctx, m) }

// fetch returns messages from the next one on. What one subscription has read the others of this process need not read.
func (s *subscription) fetch(ctx context.Context) ([]*adapter.Message, error) {
	t := s.t
	t.reading.Lock()
	defer t.reading.Unlock()
	s.in.mu.Lock()
	next := s.next
	s.in.mu.Unlock()
	if end := t.tailFrom + int64(len(t.tail)); next >= t.tailFrom && next < end {
		return t.tail[next-t.tailFrom:], nil
	}
	var list []*adapter.Message
	var numbers []int64
	err := s.in.b.db.Read(ctx, func(c *sqlite.Conn) (err error) {
		list, numbers, err = readMessages(c, t.id, t.name, next, readAhead)
		return err
	})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if numbers[0] != next { // what was between is gone by retention, while this process was stopped
		next = numbers[0]
		s.in.mu.Lock()
		s.next = next
		s.in.mu.Unlock()
	}
	if t.tailFrom+int64(len(t.tail)) != next || len(t.tail) > tailSize {
		t.tailFrom, t.tail = next, nil
	}
	t.tail = append(t.tail, list...)
	return list, nil
}
