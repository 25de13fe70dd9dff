package nvent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// KV holds keys with small JSON values, each for a time or for ever: for what is passing, and for coordination. A key
// belongs to no batch and no run.
type KV struct{ store *Store }

// Get decodes the value of a key into v, a pointer. A missing key is ErrNotFound.
func (kv *KV) Get(ctx context.Context, key string, v any) error {
	const op = "get key"
	if err := checkKey("key", key); err != nil {
		return kv.wrap(op, err)
	}
	raw, err := kv.store.driver.KV().Get(ctx, ownPrefix+key)
	if err != nil {
		return kv.wrap(op, about(key, err))
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return kv.wrap(op, fmt.Errorf("%s: decode as %T: %w", key, v, err))
	}
	return nil
}

// Set writes the value of a key. It vanishes after ttl; with 0 it stays, whatever an earlier Set said.
func (kv *KV) Set(ctx context.Context, key string, value any, ttl time.Duration) error {
	_, err := kv.set(ctx, key, value, adapter.SetOptions{TTL: ttl})
	return err
}

// SetIfAbsent is [KV.Set] if the key does not exist, and reports whether it did not. Of many that try at once one succeeds.
func (kv *KV) SetIfAbsent(ctx context.Context, key string, value any, ttl time.Duration) (bool, error) {
	return kv.set(ctx, key, value, adapter.SetOptions{TTL: ttl, IfAbsent: true})
}

// Swap is [KV.Set] if the key has the value old, and reports whether it had. Values are compared as JSON: the order of keys
// and the spelling of numbers do not matter.
func (kv *KV) Swap(ctx context.Context, key string, old, value any, ttl time.Duration) (bool, error) {
	was, err := kv.encode(old)
	if err != nil {
		return false, kv.wrap("set key", about(key+": old value", err))
	}
	return kv.set(ctx, key, value, adapter.SetOptions{TTL: ttl, IfEquals: was})
}

func (kv *KV) set(ctx context.Context, key string, value any, o adapter.SetOptions) (bool, error) {
	const op = "set key"
	if err := checkKey("key", key); err != nil {
		return false, kv.wrap(op, err)
	}
	if o.TTL < 0 {
		return false, kv.wrap(op, fmt.Errorf("%s: %w: the time to live is negative: %v", key, ErrInvalid, o.TTL))
	}
	raw, err := kv.encode(value)
	if err != nil {
		return false, kv.wrap(op, about(key, err))
	}
	done, err := kv.store.driver.KV().Set(ctx, ownPrefix+key, raw, o)
	if err != nil {
		return false, kv.wrap(op, about(key, err))
	}
	return done, nil
}

// Delete removes a key. A missing one is not an error.
func (kv *KV) Delete(ctx context.Context, key string) error {
	const op = "delete key"
	if err := checkKey("key", key); err != nil {
		return kv.wrap(op, err)
	}
	if err := kv.store.driver.KV().Delete(ctx, ownPrefix+key); err != nil {
		return kv.wrap(op, about(key, err))
	}
	return nil
}

// clearBatch is how many keys are removed in one call of the adapter.
const clearBatch = 1000

// Clear removes the keys that match a pattern, and returns how many. The pattern is a prefix with a star behind it:
// "session:*", or "*" for all. A pattern without a star names one key. Other globs are ErrUnsupported: most backends would
// have to look at every key. Keys that are set meanwhile may or may not be removed. On an error some have been removed.
func (kv *KV) Clear(ctx context.Context, pattern string) (int, error) {
	const op = "clear keys"
	prefix, star := strings.CutSuffix(pattern, "*")
	if strings.ContainsAny(prefix, `*?[\`) {
		return 0, kv.wrap(op, hinted(fmt.Errorf("pattern %q: %w", pattern, ErrUnsupported),
			"use a prefix and one star at the end: \"session:*\""))
	}
	if !star {
		return kv.clearOne(ctx, op, pattern)
	}
	if prefix != "" {
		if err := checkKey("prefix", prefix); err != nil {
			return 0, kv.wrap(op, err)
		}
	}
	for total := 0; ; {
		n, err := kv.store.driver.KV().Clear(ctx, ownPrefix+prefix, clearBatch)
		total += n
		if err != nil {
			return total, kv.wrap(op, about(pattern, err))
		}
		if n == 0 {
			return total, nil
		}
	}
}

func (kv *KV) clearOne(ctx context.Context, op, key string) (int, error) {
	var v json.RawMessage
	err := kv.Get(ctx, key, &v)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err == nil {
		err = kv.Delete(ctx, key)
	}
	if err != nil {
		return 0, kv.wrap(op, err)
	}
	return 1, nil
}

// encode returns a value in the canonical form, which adapters compare by bytes.
func (kv *KV) encode(v any) (json.RawMessage, error) {
	raw, err := encodeJSON(v, kv.store.o.maxPayload)
	if err != nil {
		return nil, err
	}
	return adapter.Canonical(raw)
}

func (kv *KV) wrap(op string, err error) error { return wrap(kv.store.name, op, err) }
