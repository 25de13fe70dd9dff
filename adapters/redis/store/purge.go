package store

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// Purge removes what has expired: documents, partitions with their logs, and the names of keys. See [adapter.Store].
func (s *Store) Purge(ctx context.Context, limit int) (int, error) {
	const op = "purge"
	if err := s.usable(ctx, op); err != nil {
		return 0, err
	}
	if limit <= 0 {
		return 0, conn.Invalid(op, fmt.Sprintf("limit %d", limit), "it must be above 0")
	}
	n, err := s.purge(ctx, limit)
	return n, conn.Error(ctx, op, err)
}

// purgedAtOnce bounds how long one script keeps the server from everything else.
const purgedAtOnce = 500

// purge asks all shards in one round trip what is due, and then removes it shard by shard.
func (s *Store) purge(ctx context.Context, limit int) (removed int, err error) {
	now, err := s.clock(ctx)
	if err != nil {
		return 0, err
	}
	commands := make(rueidis.Commands, adapter.Shards)
	for i, shard := range s.keys.shards {
		commands[i] = s.client.B().Zcount().Key(shard + "due").Min("-inf").Max(strconv.FormatInt(micros(now), 10)).Build()
	}
	for i, r := range s.client.DoMulti(ctx, commands...) {
		due, err := r.AsInt64()
		if err != nil {
			return removed, err
		}
		for due > 0 && removed < limit {
			want := min(limit-removed, purgedAtOnce)
			n, err := s.run(ctx, purgeScript, s.keys.shards[i], strconv.Itoa(want)).AsInt64()
			if err != nil {
				return removed, err
			}
			removed += int(n)
			if n < int64(want) {
				break
			}
		}
	}
	return removed, nil
}
