package memory

import (
	"context"
	"errors"
	"sync"

	"github.com/nvent-go/nvent/adapter"
)

// subscription is a call of Subscribe. Its workers take the messages themselves. The mutex of the topic guards its fields.
type subscription struct {
	group     *group
	exclusive bool
	ctx       context.Context // of the handlers
	cancel    context.CancelCauseFunc
	h         func(context.Context, *adapter.Message) error

	prefetch int
	running  int // workers
	idle     []*reader
	stopped  bool
	killed   bool
	wg       sync.WaitGroup
}

// reader is a goroutine that calls the handler for one message after another.
type reader struct {
	wake   chan struct{}
	called bool
	claim  *claim
}

var errHandlerGone = errors.New("the handler did not return")

// active reports whether the subscription may get messages.
func (s *subscription) active() bool {
	return !s.stopped && (!s.exclusive || s.group.members[0] == s)
}

func (s *subscription) call() bool {
	if last := len(s.idle) - 1; last >= 0 {
		r := s.idle[last]
		s.idle = s.idle[:last]
		r.called = true
		r.wake <- struct{}{}
		return true
	}
	if s.running == s.prefetch {
		return false
	}
	s.running++
	s.wg.Add(1)
	go s.read(&reader{wake: make(chan struct{}, 1), called: true})
	return true
}

func (s *subscription) read(r *reader) {
	defer s.wg.Done()
	err := errHandlerGone // unless it returns
	defer func() {
		t := s.group.topic
		t.mu.Lock()
		defer t.mu.Unlock()
		s.finish(r, err)
		s.running--
		s.group.call()
	}()
	var last error
	for {
		m := s.next(r, last)
		if m == nil {
			err = nil
			return
		}
		last = s.h(s.ctx, m)
	}
}

// next settles what the reader had and waits for a message. It returns nil when the subscription has ended.
func (s *subscription) next(r *reader, err error) *adapter.Message {
	t := s.group.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	s.finish(r, err)
	for {
		if r.called {
			r.called, s.group.calling = false, false
		}
		if s.stopped {
			return nil
		}
		if s.active() {
			m, c := s.group.take(s)
			if m != nil {
				r.claim = c
				s.group.call()
				return m
			}
		}
		s.idle = append(s.idle, r)
		t.mu.Unlock()
		<-r.wake
		t.mu.Lock()
	}
}

func (s *subscription) finish(r *reader, err error) {
	c := r.claim
	r.claim = nil
	if c != nil && !s.killed {
		s.group.settle(c, s, err == nil)
		s.group.call()
	}
}

// stop makes the subscription take nothing more. What runs goes on.
func (s *subscription) stop() {
	s.stopped = true
	for _, r := range s.idle {
		r.wake <- struct{}{}
	}
	s.idle = nil
}
