package stream

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// nameAgain is how often an instance writes the name of a topic that it uses; forgetName is after how long a name goes whose
// topic holds nothing. So a topic that somebody uses has its name there.
const (
	nameAgain  = time.Hour
	forgetName = 24 * time.Hour
)

// register writes the names of topics down for Topics.
func (s *Stream) register(ctx context.Context, topics ...string) error {
	now := time.Now()
	fresh := func(name string) bool { return now.Sub(s.named[name]) < nameAgain }
	s.mu.Lock()
	if slices.ContainsFunc(topics, func(name string) bool { return !fresh(name) }) {
		topics = slices.DeleteFunc(slices.Clone(topics), fresh)
	} else {
		topics = nil
	}
	s.mu.Unlock()
	if len(topics) == 0 {
		return nil
	}
	set := s.client.B().Hset().Key(s.keys.topics()).FieldValue()
	for _, name := range topics {
		set = set.FieldValue(name, strconv.FormatInt(now.UnixMilli(), 10))
	}
	if err := s.client.Do(ctx, set.Build()).Error(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range topics {
		s.named[name] = now
	}
	return nil
}

// forgetNames makes every name be written again: the server may have lost them.
func (s *Stream) forgetNames() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.named)
}

// Topics returns topics by prefix. See [adapter.Stream].
func (s *Stream) Topics(ctx context.Context, prefix string) ([]string, error) {
	const op = "list topics"
	if err := s.usable(ctx, op); err != nil {
		return nil, err
	}
	names, err := s.client.Do(ctx, s.client.B().Hgetall().Key(s.keys.topics()).Build()).AsStrMap()
	if err != nil {
		return nil, conn.Error(ctx, op, err)
	}
	now, err := s.now(ctx)
	if err != nil {
		return nil, conn.Error(ctx, op, err)
	}
	var topics []string
	var commands rueidis.Commands
	for name := range names {
		if strings.HasPrefix(name, prefix) {
			topics = append(topics, name)
		}
	}
	slices.Sort(topics)
	for _, name := range topics {
		commands = append(commands, s.client.B().Xlen().Key(s.keys.stream(name)).Build(), s.countMembers(name, now))
	}
	if len(commands) == 0 {
		return nil, nil
	}
	held := map[string]bool{}
	for i, r := range s.client.DoMulti(ctx, commands...) {
		n, err := r.AsInt64()
		if err != nil {
			return nil, conn.Error(ctx, op, err)
		}
		held[topics[i/2]] = held[topics[i/2]] || n > 0
	}
	var gone []string
	topics = slices.DeleteFunc(topics, func(name string) bool {
		if written, _ := strconv.ParseInt(names[name], 10, 64); !held[name] && now.Sub(time.UnixMilli(written)) > forgetName {
			gone = append(gone, name)
		}
		return !held[name]
	})
	if len(gone) > 0 {
		err = s.client.Do(ctx, s.client.B().Hdel().Key(s.keys.topics()).Field(gone...).Build()).Error()
	}
	return topics, conn.Error(ctx, op, err)
}

// Subscribers returns how many subscriptions to a topic are in place. One whose instance has died counts until its lease is
// over. See [adapter.Stream].
func (s *Stream) Subscribers(ctx context.Context, topic string) (int, error) {
	const op = "count subscribers"
	if err := s.usable(ctx, op); err != nil {
		return 0, err
	}
	now, err := s.now(ctx)
	if err != nil {
		return 0, conn.Error(ctx, op, err)
	}
	n, err := s.client.Do(ctx, s.countMembers(topic, now)).AsInt64()
	return int(n), conn.Error(ctx, op, err)
}

func (s *Stream) countMembers(topic string, now time.Time) rueidis.Completed {
	return s.client.B().Zcount().Key(s.keys.members(topic)).Min("(" + strconv.FormatInt(now.UnixMilli(), 10)).Max("+inf").Build()
}

// now returns the server's clock.
func (s *Stream) now(ctx context.Context) (time.Time, error) {
	parts, err := s.client.Do(ctx, s.client.B().Time().Build()).AsIntSlice()
	if err != nil || len(parts) != 2 {
		return time.Time{}, err
	}
	return time.Unix(parts[0], parts[1]*1000), nil
}
