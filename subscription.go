package nvent

import (
	"context"
	"sync"
	"time"
)

// Subscription is a function that is being called for what arrives. It ends with Unsubscribe, when the App is closed, or by
// an error that no waiting cures.
type Subscription struct {
	id    string
	topic string
	stop  context.CancelCauseFunc
	ended chan struct{}
	err   error
}

// ID returns an ID of the subscription, unique everywhere.
func (s *Subscription) ID() string { return s.id }

// Topic returns the topic of the stream, or the subject of the log.
func (s *Subscription) Topic() string { return s.topic }

// Unsubscribe ends the subscription. It blocks until the calls of the function that are running have returned, or ctx ends;
// so do not call it from within the function with a context that does not end. It may be called more than once.
func (s *Subscription) Unsubscribe(ctx context.Context) error {
	s.stop(nil)
	select {
	case <-s.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Done returns a channel that is closed when the subscription has ended.
func (s *Subscription) Done() <-chan struct{} { return s.ended }

// Err returns why the subscription has ended by itself: nil while it is in place, and after Unsubscribe or Close.
func (s *Subscription) Err() error {
	select {
	case <-s.ended:
		return s.err
	default:
		return nil
	}
}

// subscriptions are the subscriptions that an owner ends when it is closed.
type subscriptions struct {
	ctx     context.Context
	stop    context.CancelFunc
	mu      sync.Mutex
	running sync.WaitGroup
}

func (s *subscriptions) init() { s.ctx, s.stop = context.WithCancel(context.Background()) }

// close ends all subscriptions and waits for their functions.
func (s *subscriptions) close() {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	s.running.Wait()
}

// start runs a subscription in a goroutine of its own. run returns nil when its context has ended. Its context carries the
// values of ctx, but neither its end nor its deadline. start returns once run has called ready; when run or ctx ends before
// that it returns why.
func (s *subscriptions) start(ctx context.Context, topic string,
	run func(ctx context.Context, ready func()) error) (*Subscription, error) {
	s.mu.Lock()
	if s.ctx.Err() != nil {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	life, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(s.ctx, func() { stop(ErrClosed) })
	sub := &Subscription{topic: topic, id: newID(time.Now()), stop: stop, ended: make(chan struct{})}
	ready := make(chan struct{})
	s.running.Go(func() {
		defer unhook()
		defer close(sub.ended)
		err := run(life, sync.OnceFunc(func() { close(ready) }))
		if life.Err() == nil {
			sub.err = err
		}
		stop(nil)
	})
	s.mu.Unlock()

	select {
	case <-ready:
		return sub, nil
	case <-sub.ended:
		if sub.err == nil {
			return nil, ErrClosed
		}
		return nil, sub.err
	case <-ctx.Done():
		stop(nil)
		return nil, context.Cause(ctx)
	}
}
