package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// KV returns the keys.
func (s *Store) KV() adapter.KV { return kv{s} }

type kv struct{ s *Store }

// shard returns what the keys of the shard of a key begin with: keys spread by all of their name.
func (v kv) shard(key string) string { return v.s.keys.shards[adapter.Shard(key)] }

// Get returns the value of a key. See [adapter.KV].
func (v kv) Get(ctx context.Context, key string) (json.RawMessage, error) {
	const op = "get key"
	if err := v.s.usable(ctx, op); err != nil {
		return nil, err
	}
	value, err := v.s.client.Do(ctx, v.s.client.B().Get().Key(v.shard(key)+"k:"+key).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		err = &adapter.Error{Op: op, Adapter: conn.Name, Err: fmt.Errorf("%w: %q", adapter.ErrNotFound, key)}
	}
	return value, conn.Error(ctx, op, err)
}

// Set writes a key. A time to live is rounded up to a millisecond. See [adapter.KV].
func (v kv) Set(ctx context.Context, key string, value json.RawMessage, o adapter.SetOptions) (bool, error) {
	const op = "set key"
	if err := v.s.usable(ctx, op); err != nil {
		return false, err
	}
	ttl, conditions := int64(0), ""
	if o.TTL > 0 {
		ttl = int64((o.TTL + time.Millisecond - 1) / time.Millisecond)
	}
	if o.IfAbsent {
		conditions = "n"
	}
	if o.IfEquals != nil {
		conditions += "e"
	}
	done, err := v.s.run(ctx, kvSetScript, v.shard(key), key, rueidis.BinaryString(value), strconv.FormatInt(ttl, 10), conditions,
		rueidis.BinaryString(o.IfEquals)).AsInt64()
	return done == 1, conn.Error(ctx, op, err)
}

// Delete removes a key. See [adapter.KV].
func (v kv) Delete(ctx context.Context, key string) error {
	const op = "delete key"
	if err := v.s.usable(ctx, op); err != nil {
		return err
	}
	return conn.Error(ctx, op, v.s.run(ctx, kvClearScript, v.shard(key), "["+key, "["+key, "1").Error())
}

// Clear removes keys by prefix. See [adapter.KV].
func (v kv) Clear(ctx context.Context, prefix string, limit int) (removed int, err error) {
	const op = "clear keys"
	if err := v.s.usable(ctx, op); err != nil {
		return 0, err
	}
	if limit <= 0 {
		return 0, conn.Invalid(op, fmt.Sprintf("limit %d", limit), "it must be above 0")
	}
	from, to := "["+prefix, "+"
	if end := beyond(prefix); end != "" {
		to = "(" + end
	}
	commands := make(rueidis.Commands, adapter.Shards)
	for i, shard := range v.s.keys.shards {
		commands[i] = v.s.client.B().Zlexcount().Key(shard + "keys").Min(from).Max(to).Build()
	}
	for i, r := range v.s.client.DoMulti(ctx, commands...) {
		there, err := r.AsInt64()
		if err != nil {
			return removed, conn.Error(ctx, op, err)
		}
		for there > 0 && removed < limit {
			want := min(limit-removed, purgedAtOnce)
			n, err := v.s.run(ctx, kvClearScript, v.s.keys.shards[i], from, to, strconv.Itoa(want)).AsInt64()
			if err != nil {
				return removed, conn.Error(ctx, op, err)
			}
			removed += int(n)
			if n < int64(want) {
				break
			}
		}
	}
	return removed, nil
}
