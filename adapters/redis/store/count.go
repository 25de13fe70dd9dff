package store

import (
	"context"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// purgedPerCount is how much of what has expired Count removes, so that it need not count it.
const purgedPerCount = 1000

// Count returns how many documents match. It is exact unless so much has expired, and was not purged, that counting it out
// would take long. See [adapter.Store].
func (s *Store) Count(ctx context.Context, collection string, q adapter.Query) (n int64, exact bool, err error) {
	const op = "count"
	if err := s.usable(ctx, op); err != nil {
		return 0, false, err
	}
	c, err := s.collection(ctx, collection)
	if err != nil {
		return 0, false, conn.Error(ctx, op, err)
	}
	q.Cursor = ""
	parsed, err := s.parse(ctx, c, &q)
	if err != nil {
		return 0, false, conn.Error(ctx, op, err)
	}
	if _, err := s.purge(ctx, purgedPerCount); err != nil {
		return 0, false, conn.Error(ctx, op, err)
	}
	now, err := s.clock(ctx)
	if err != nil {
		return 0, false, conn.Error(ctx, op, err)
	}
	commands := make(rueidis.Commands, 0, 2*adapter.Shards)
	for _, shard := range s.keys.shards {
		commands = append(commands, s.client.B().Zlexcount().Key(shard+parsed.list).Min(parsed.from).Max(parsed.to).Build(),
			s.client.B().Zcount().Key(shard+"due").Min("-inf").Max(strconv.FormatInt(micros(now), 10)).Build())
	}
	exact = true
	for i, r := range s.client.DoMulti(ctx, commands...) {
		k, err := r.AsInt64()
		if err != nil {
			return 0, false, conn.Error(ctx, op, err)
		}
		if i%2 == 0 {
			n += k
		} else if k > 0 {
			exact = false
		}
	}
	return n, exact, nil
}
