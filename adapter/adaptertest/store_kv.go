package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/nvent-go/nvent/adapter"
)

func storeKVChecks() []storeCheck {
	return []storeCheck{
		{Name: "kv/set-get-delete", run: kvBasics},
		{Name: "kv/time-to-live", run: kvTTL},
		{Name: "kv/only-if-absent", run: kvAbsent},
		{Name: "kv/only-if-equal", run: kvEquals},
		{Name: "kv/clear-by-prefix", run: kvClear},
		{Name: "kv/one-wins-a-race", run: kvRace},
	}
}

// kvHas fails unless a key has a value; empty: it must not be there.
func kvHas(ctx context.Context, kv adapter.KV, key, want string) error {
	got, err := kv.Get(ctx, key)
	if want == "" {
		if !errors.Is(err, adapter.ErrNotFound) {
			return fmt.Errorf("get of absent key %q: %s, %w, want ErrNotFound", key, clip(got), errOr(err, "nil"))
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("get %q: %w", key, err)
	}
	return sameJSON(got, json.RawMessage(want))
}

// kvSet sets a key and fails unless it is told whether it did.
func kvSet(ctx context.Context, kv adapter.KV, key, value string, o adapter.SetOptions, want bool) error {
	did, err := kv.Set(ctx, key, json.RawMessage(value), o)
	if err != nil {
		return fmt.Errorf("set %q: %w", key, err)
	}
	if did != want {
		return fmt.Errorf("set %q (%+v): reported %v, want %v", key, o, did, want)
	}
	return nil
}

func kvBasics(ctx context.Context, e *storeEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	prefix := e.name()
	for _, suffix := range []string{"", "/a:b", " ü\n", "*?[x]%_\\", "日本"} {
		key := prefix + suffix
		if err := kvHas(ctx, a.KV(), key, ""); err != nil {
			return err
		}
		for _, v := range []string{`{"a":1}`, `null`, `"text é"`, `0`, `[1,2]`, `12345678901234567890`} {
			if err := kvSet(ctx, a.KV(), key, v, adapter.SetOptions{}, true); err != nil {
				return err
			}
			if err := kvHas(ctx, b.KV(), key, v); err != nil {
				return fmt.Errorf("on another instance: %w", err)
			}
		}
	}
	for range 2 { // an unknown key is no error
		if err := b.KV().Delete(ctx, prefix); err != nil {
			return fmt.Errorf("delete: %w", err)
		}
	}
	return errors.Join(kvHas(ctx, a.KV(), prefix, ""), kvHas(ctx, a.KV(), prefix+"/a:b", `12345678901234567890`))
}

func kvTTL(ctx context.Context, e *storeEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	kv, short, kept, again := s.KV(), e.name(), e.name(), e.name()
	ttl := adapter.SetOptions{TTL: e.h.Lease}
	long := adapter.SetOptions{TTL: 1000 * e.h.Lease}
	for _, err := range []error{
		kvSet(ctx, kv, again, `1`, long, true), kvHas(ctx, kv, again, `1`),
		kvSet(ctx, kv, kept, `1`, ttl, true), kvSet(ctx, kv, kept, `2`, adapter.SetOptions{}, true),
		kvSet(ctx, kv, short, `1`, ttl, true),
	} {
		if err != nil {
			return err
		}
	}
	err = e.until(ctx, "a key is gone after its time", func() (bool, error) {
		_, err := kv.Get(ctx, short)
		if errors.Is(err, adapter.ErrNotFound) {
			return true, nil
		}
		return false, err
	})
	if err != nil {
		return err
	}
	return errors.Join(
		kvHas(ctx, kv, kept, `2`), kvHas(ctx, kv, again, `1`),
		kvSet(ctx, kv, short, `3`, adapter.SetOptions{IfEquals: json.RawMessage(`1`)}, false),
		kvSet(ctx, kv, short, `4`, adapter.SetOptions{IfAbsent: true}, true), kvHas(ctx, kv, short, `4`),
	)
}

func kvAbsent(ctx context.Context, e *storeEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	kv, key := s.KV(), e.name()
	o := adapter.SetOptions{IfAbsent: true}
	for _, step := range []func() error{
		func() error { return kvSet(ctx, kv, key, `1`, o, true) },
		func() error { return kvSet(ctx, kv, key, `2`, o, false) },
		func() error { return kvHas(ctx, kv, key, `1`) },
		func() error { return kv.Delete(ctx, key) },
		func() error { return kvSet(ctx, kv, key, `3`, o, true) },
		func() error { return kvHas(ctx, kv, key, `3`) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func kvEquals(ctx context.Context, e *storeEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	kv, key := s.KV(), e.name()
	if1 := adapter.SetOptions{IfEquals: json.RawMessage(`{"a":1,"b":"x"}`)}
	for _, step := range []func() error{
		func() error { return kvSet(ctx, kv, key, `2`, if1, false) },
		func() error { return kvHas(ctx, kv, key, "") },
		func() error { return kvSet(ctx, kv, key, `{"a":1,"b":"x"}`, adapter.SetOptions{}, true) },
		func() error { return kvSet(ctx, kv, key, `2`, if1, true) },
		func() error { return kvHas(ctx, kv, key, `2`) },
		func() error { return kvSet(ctx, kv, key, `3`, if1, false) },
		func() error { return kvHas(ctx, kv, key, `2`) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func kvClear(ctx context.Context, e *storeEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	kv := s.KV()
	for _, prefix := range []string{e.name() + ":", e.name() + "*", e.name() + "%_", e.name() + "[a]\\"} {
		for i := range 25 {
			if err := kvSet(ctx, kv, fmt.Sprint(prefix, i), `1`, adapter.SetOptions{}, true); err != nil {
				return err
			}
		}
		// These do not begin with the prefix, though they would match it as a pattern.
		others := []string{prefix[:len(prefix)-1] + "z", "z" + prefix, prefix[:len(prefix)-1] + "xyz", e.name() + "a"}
		for _, key := range others {
			if err := kvSet(ctx, kv, key, `2`, adapter.SetOptions{}, true); err != nil {
				return err
			}
		}
		total := 0
		for calls := 0; ; calls++ {
			n, err := kv.Clear(ctx, prefix, 10)
			if err != nil {
				return fmt.Errorf("clear %q: %w", prefix, err)
			}
			if n < 0 || n > 10 || calls > 50 {
				return fmt.Errorf("clear at most 10: call %d removed %d", calls, n)
			}
			if total += n; n == 0 {
				break
			}
		}
		if total != 25 {
			return fmt.Errorf("clear of 25 keys that begin with %q removed %d", prefix, total)
		}
		if err := kvHas(ctx, kv, prefix+"7", ""); err != nil {
			return err
		}
		for _, key := range others {
			if err := kvHas(ctx, kv, key, `2`); err != nil {
				return fmt.Errorf("clear of prefix %q: %w", prefix, err)
			}
		}
	}
	return nil
}

func kvRace(ctx context.Context, e *storeEnv) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	stores := []adapter.Store{a, b}
	for _, absent := range []bool{true, false} {
		for range 10 {
			key := e.name()
			o := adapter.SetOptions{IfAbsent: true}
			if !absent {
				o = adapter.SetOptions{IfEquals: json.RawMessage(`0`)}
				if err := kvSet(ctx, a.KV(), key, `0`, adapter.SetOptions{}, true); err != nil {
					return err
				}
			}
			var won atomic.Int64
			err := e.all(6, func(i int) error {
				did, err := stores[i%2].KV().Set(ctx, key, json.RawMessage(fmt.Sprint(i+1)), o)
				if did {
					won.Add(1)
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("set: %w", err)
			}
			if n := won.Load(); n != 1 {
				return fmt.Errorf("%d of 6 conditional sets of one key say that they did it", n)
			}
		}
	}
	return nil
}
