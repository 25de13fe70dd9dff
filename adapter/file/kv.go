package file

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// keys are the keys of a store.
type keys struct{ s *Store }

// KV returns the keys.
func (s *Store) KV() adapter.KV { return keys{s} }

func keySum(key string, value json.RawMessage, gone int64) int64 {
	var s sum
	sumText(&s, key)
	sumText(&s, value)
	s.number(gone)
	return s.value()
}

// get returns the value of a key; nil if there is none.
func (v keys) get(c *sqlite.Conn, key string, now int64) (value json.RawMessage, err error) {
	var gone, sum int64
	found, err := c.One("SELECT value, gone, sum FROM keys WHERE key = ?", func(r sqlite.Row) {
		value, gone, sum = r.JSON(0), r.Int(1), r.Int(2)
	}, key)
	switch {
	case err != nil || !found || due(gone, now):
		return nil, err
	case sum != keySum(key, value, gone):
		return nil, damaged("key %q", key)
	}
	return value, nil
}

// Get returns the value of a key. See [adapter.KV].
func (v keys) Get(ctx context.Context, key string) (value json.RawMessage, err error) {
	const op = "get key"
	if err := v.s.usable(ctx, op); err != nil {
		return nil, err
	}
	err = v.s.b.db.Read(ctx, func(c *sqlite.Conn) (err error) {
		value, err = v.get(c, key, v.s.now())
		return err
	})
	if err != nil {
		return nil, fail(op, err)
	}
	if value == nil {
		return nil, fail(op, fmt.Errorf("%w: %q", adapter.ErrNotFound, key))
	}
	return value, nil
}

// Set writes a key. See [adapter.KV].
func (v keys) Set(ctx context.Context, key string, value json.RawMessage, o adapter.SetOptions) (did bool, err error) {
	const op = "set key"
	if err := v.s.usable(ctx, op); err != nil {
		return false, err
	}
	err = v.s.b.db.Write(ctx, false, func(tx *sqlite.Tx) error {
		did = false
		if o.IfAbsent || o.IfEquals != nil {
			old, err := v.get(tx.Conn, key, tx.Now)
			if err != nil || o.IfAbsent && old != nil || o.IfEquals != nil && !bytes.Equal(old, o.IfEquals) {
				return err
			}
		}
		var gone int64
		if o.TTL > 0 {
			gone = tx.Now + max(o.TTL.Microseconds(), 1)
		}
		_, err := tx.Exec("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)", key, value, gone, keySum(key, value, gone))
		did = err == nil
		return err
	})
	if err != nil {
		return false, fail(op, err)
	}
	return did, nil
}

// Delete removes a key. See [adapter.KV].
func (v keys) Delete(ctx context.Context, key string) error {
	const op = "delete key"
	if err := v.s.usable(ctx, op); err != nil {
		return err
	}
	err := v.s.b.db.Write(ctx, false, func(tx *sqlite.Tx) error {
		_, err := tx.Exec("DELETE FROM keys WHERE key = ?", key)
		return err
	})
	if err != nil {
		return fail(op, err)
	}
	return nil
}

// Clear removes keys by prefix. See [adapter.KV].
func (v keys) Clear(ctx context.Context, prefix string, limit int) (removed int, err error) {
	const op = "clear keys"
	if err := v.s.usable(ctx, op); err != nil {
		return 0, err
	}
	if limit <= 0 {
		return 0, invalid(op, fmt.Sprintf("limit %d", limit), "it must be above 0")
	}
	err = v.s.b.db.Write(ctx, false, func(tx *sqlite.Tx) error {
		// What has expired is not there any more: it goes without being counted.
		where, args := "key >= ?1", []any{prefix}
		if end := after([]byte(prefix)); end != nil {
			where, args = where+" AND key < ?2", append(args, string(end))
		}
		var list []string
		live := 0
		err := tx.Query("SELECT key, gone FROM keys WHERE "+where+" ORDER BY key", func(r sqlite.Row) error {
			if !due(r.Int(1), tx.Now) {
				if live == limit {
					return errStop
				}
				live++
			}
			list = append(list, r.Text(0))
			return nil
		}, args...)
		if err != nil && err != errStop { //nolint:errorlint // it is never wrapped
			return err
		}
		for _, key := range list {
			if _, err := tx.Exec("DELETE FROM keys WHERE key = ?", key); err != nil {
				return err
			}
		}
		removed = live
		return nil
	})
	if err != nil {
		return 0, fail(op, err)
	}
	return removed, nil
}
