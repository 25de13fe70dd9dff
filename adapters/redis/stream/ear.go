package stream

import (
	"cmp"
	"context"
	"io"
	"time"

	"github.com/redis/rueidis"
)

// ear listens on one connection to the channels of all topics that have subscriptions here, and wakes them.
type ear struct {
	s       *Stream
	changed chan struct{} // the topics are others
}

// call tells the ear that the topics are others.
func (e *ear) call() {
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

// run listens until ctx ends. Of an outage it tells the begin and the end.
func (e *ear) run(ctx context.Context) {
	var since time.Time
	pause := newBackoff()
	for {
		err := e.listen(ctx, func() {
			if !since.IsZero() {
				e.s.o.Logger.Info("subscriptions go on", "after", time.Since(since).Round(time.Millisecond))
				since = time.Time{}
			}
			pause = newBackoff()
		})
		if ctx.Err() != nil {
			return
		}
		if since.IsZero() {
			since = time.Now()
			e.s.o.Logger.Warn("connection for subscriptions lost, connecting again", "error", err)
		}
		if !pause.wait(ctx, nil) {
			return
		}
	}
}

// listen listens on one connection until it breaks. It calls up whenever the server has confirmed all channels.
func (e *ear) listen(ctx context.Context, up func()) error {
	client, release := e.s.client.Dedicate()
	defer release()
	lost := client.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: func(m rueidis.PubSubMessage) {
		e.s.wake(m.Message == "left", func(t *topic) bool { return t.channel == m.Channel })
	}})
	heard := map[string]bool{}
	for {
		added, gone := e.difference(heard)
		if len(added) > 0 {
			if err := client.Do(ctx, client.B().Subscribe().Channel(added...).Build()).Error(); err != nil {
				return err
			}
			fresh := map[string]bool{}
			for _, channel := range added {
				heard[channel], fresh[channel] = true, true
			}
			// What came before the server listened for us has called nobody.
			e.s.wake(true, func(t *topic) bool { return fresh[t.channel] })
		}
		if len(gone) > 0 {
			if err := client.Do(ctx, client.B().Unsubscribe().Channel(gone...).Build()).Error(); err != nil {
				return err
			}
			for _, channel := range gone {
				delete(heard, channel)
			}
		}
		if len(heard) > 0 {
			up()
		}
		select {
		case err := <-lost:
			return cmp.Or(err, io.ErrUnexpectedEOF)
		case <-e.changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// difference returns the channels to be heard that are not, and the other way round.
func (e *ear) difference(heard map[string]bool) (added, gone []string) {
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	wanted := make(map[string]bool, len(e.s.topics))
	for _, t := range e.s.topics {
		wanted[t.channel] = true
		if !heard[t.channel] {
			added = append(added, t.channel)
		}
	}
	for channel := range heard {
		if !wanted[channel] {
			gone = append(gone, channel)
		}
	}
	return added, gone
}

// backoff is how long to wait before trying again: longer and longer, up to two seconds.
type backoff struct{ d time.Duration }

func newBackoff() *backoff { return &backoff{20 * time.Millisecond} }

// wait returns false when ctx ends, and returns early when there is something in early.
func (b *backoff) wait(ctx context.Context, early <-chan struct{}) bool {
	t := time.NewTimer(b.d)
	defer t.Stop()
	b.d = min(2*b.d, 2*time.Second)
	select {
	case <-t.C:
	case <-early:
	case <-ctx.Done():
		return false
	}
	return true
}
