package stream

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// Publish sends messages: those of a topic at one moment, with one script. See [adapter.Stream].
func (s *Stream) Publish(ctx context.Context, messages ...adapter.Message) error {
	const op = "publish"
	if err := s.usable(ctx, op); err != nil {
		return err
	}
	var calls []call
	var names []string
	byTopic := map[string]int{}
	for i := range messages {
		m := &messages[i]
		if m.Topic == "" {
			return conn.Invalid(op, fmt.Sprintf("message %d of %d has no topic", i+1, len(messages)), "set Message.Topic")
		}
		n, ok := byTopic[m.Topic]
		if !ok {
			n = len(calls)
			byTopic[m.Topic] = n
			names = append(names, m.Topic)
			r := s.o.retention(m.Topic)
			calls = append(calls, call{publishScript, s.keys.stream(m.Topic), []string{strconv.Itoa(r.Messages), millis(r.Age),
				strconv.Itoa(s.o.Backlog), millis(s.o.Forget)}})
		}
		f, err := fields(m)
		if err != nil {
			return conn.Error(ctx, op, err)
		}
		c := &calls[n]
		c.args = append(append(c.args, strconv.Itoa(len(f))), f...)
	}
	if len(calls) == 0 {
		return nil
	}
	if err := s.register(ctx, names...); err != nil {
		return conn.Error(ctx, op, err)
	}
	for i, r := range s.run(ctx, calls...) {
		done, err := r.AsInt64()
		if err != nil {
			return conn.Error(ctx, op, err)
		}
		if done == 0 {
			return &adapter.Error{Op: op, Adapter: conn.Name, Err: fmt.Errorf("%w: topic %q holds %d messages, and somebody has yet to get them",
				adapter.ErrUnavailable, names[i], s.o.Backlog), Hint: "a group has stopped reading: let it go on, or destroy it"}
		}
	}
	return nil
}

func millis(d time.Duration) string { return strconv.FormatInt(max(d.Milliseconds(), 1), 10) }
