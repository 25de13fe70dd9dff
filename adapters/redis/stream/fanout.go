package stream

import (
	"context"
	"sync"

	"github.com/nvent-go/nvent/adapter"
)

// readAhead is how many messages a subscription without a group reads at a time.
const readAhead = 64

// listen calls the handler for every message, until ctx ends and every call has returned.
func (b *subscription) listen(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, b.prefetch)
	pause := newBackoff()
	for {
		messages, err := b.read(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !b.passing(ctx, err):
			return err
		case err != nil:
			pause.wait(ctx, b.news)
			continue
		case len(messages) == 0:
			select {
			case <-b.news:
			case <-ctx.Done():
				return nil
			}
		}
		pause = newBackoff()
		for _, m := range messages {
			if b.prefetch == 1 {
				if ctx.Err() != nil {
					return nil
				}
				_ = b.h(b.context(), m) // the contract: a failed call is not repeated; the core reports it
				continue
			}
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return nil
			}
			wg.Go(func() {
				_ = b.h(b.context(), m) // as above
				<-slots
			})
		}
	}
}

// read returns the next messages.
func (b *subscription) read(ctx context.Context) ([]*adapter.Message, error) {
	if err := b.rejoin(ctx); err != nil {
		return nil, err
	}
	r := b.s.client.Do(ctx, b.s.client.B().Xread().Count(readAhead).Streams().Key(b.key).Id(b.place()).Build())
	messages, err := entries(b.topic, r, 0)
	if len(messages) > 0 {
		b.moveTo(messages[len(messages)-1].ID)
	}
	return messages, err
}
