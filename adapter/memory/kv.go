package memory

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// keys are the keys of a store.
type keys struct{ s *Store }

// keyEntry is a key with its value.
type keyEntry struct {
	value  json.RawMessage
	byKey  posting
	expiry expiry
}

// KV returns the keys.
func (s *Store) KV() adapter.KV { return keys{s} }

// key returns the key that is there now, or nil.
func (sh *shard) key(name string, now time.Time) *keyEntry {
	k := sh.keys[name]
	if k == nil || k.expiry.index >= 0 && due(k.expiry.at, now) {
		return nil
	}
	return k
}

func (sh *shard) removeKey(k *keyEntry) {
	sh.expiring.set(&k.expiry, time.Time{})
	sh.sortedKeys.remove(&k.byKey)
	delete(sh.keys, k.byKey.id)
}

// Get returns the value of a key. See [adapter.KV].
func (v keys) Get(ctx context.Context, key string) (json.RawMessage, error) {
	if err := v.s.usable(ctx, "get key"); err != nil {
		return nil, err
	}
	sh := v.s.storage.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	k := sh.key(key, v.s.storage.b.now())
	if k == nil {
		return nil, fail("get key", fmt.Errorf("%w: %q", adapter.ErrNotFound, key), "")
	}
	return k.value, nil
}

// Set writes a key. See [adapter.KV].
func (v keys) Set(ctx context.Context, key string, value json.RawMessage, o adapter.SetOptions) (bool, error) {
	if err := v.s.usable(ctx, "set key"); err != nil {
		return false, err
	}
	sh := v.s.storage.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := v.s.storage.b.now()
	k := sh.key(key, now)
	if o.IfAbsent && k != nil || o.IfEquals != nil && (k == nil || !bytes.Equal(k.value, o.IfEquals)) {
		return false, nil
	}
	if k == nil {
		if k = sh.keys[key]; k == nil { // else it has expired
			k = &keyEntry{byKey: posting{id: key}}
			k.expiry = expiry{key: k, index: -1}
			sh.keys[key] = k
			sh.sortedKeys.insert(&k.byKey)
		}
	}
	k.value = value
	var expireAt time.Time
	if o.TTL > 0 {
		expireAt = now.Add(o.TTL)
	}
	sh.expiring.set(&k.expiry, expireAt)
	sh.purge(now, purgedPerCommit)
	return true, nil
}

// Delete removes a key. See [adapter.KV].
func (v keys) Delete(ctx context.Context, key string) error {
	if err := v.s.usable(ctx, "delete key"); err != nil {
		return err
	}
	sh := v.s.storage.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if k := sh.keys[key]; k != nil {
		sh.removeKey(k)
	}
	return nil
}

// Clear removes keys by prefix. See [adapter.KV].
func (v keys) Clear(ctx context.Context, prefix string, limit int) (int, error) {
	if err := v.s.usable(ctx, "clear keys"); err != nil {
		return 0, err
	}
	if limit <= 0 {
		return 0, invalid("clear keys", fmt.Sprintf("limit %d", limit), "it must be above 0")
	}
	now, removed := v.s.storage.b.now(), 0
	for i := range v.s.storage.shards {
		removed += v.s.storage.shards[i].clear(prefix, limit-removed, now)
		if removed == limit {
			break
		}
	}
	return removed, nil
}

func (sh *shard) clear(prefix string, limit int, now time.Time) (removed int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for removed < limit {
		at := sh.sortedKeys.seek(func(p *posting) bool { return p.id < prefix })
		p := at.next()
		if p == nil || !strings.HasPrefix(p.id, prefix) {
			break
		}
		if sh.key(p.id, now) != nil { // what has expired is not there any more
			removed++
		}
		sh.removeKey(sh.keys[p.id])
	}
	return removed
}
