package nvent

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

func TestKV(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, ctx := open(t), t.Context()
		var n int
		checkProblem(t, "missing", p.KV.Get(ctx, "a", &n), ErrNotFound, "memory: get key: a: not found")
		if err := p.KV.Set(ctx, "a", 1, time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := p.KV.Get(ctx, "a", &n); err != nil || n != 1 {
			t.Errorf("got %d, %v", n, err)
		}
		var s string
		if err := p.KV.Get(ctx, "a", &s); err == nil || !strings.Contains(err.Error(), "a: decode as *string") {
			t.Errorf("a number as a string: %q, %v", s, err)
		}
		time.Sleep(time.Minute + 1)
		checkProblem(t, "expired", p.KV.Get(ctx, "a", &n), ErrNotFound, "not found")
		if err := p.KV.Delete(ctx, "a"); err != nil {
			t.Errorf("delete of a missing key: %v", err)
		}
	})
}

func TestKVConditions(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	for i, want := range []bool{true, false} {
		if did, err := p.KV.SetIfAbsent(ctx, "lock", "me", 0); did != want || err != nil {
			t.Errorf("try %d: %v, %v", i+1, did, err)
		}
	}
	type pair struct{ A, B any }
	if err := p.KV.Set(ctx, "k", map[string]any{"B": 1.0, "A": "x"}, 0); err != nil {
		t.Fatal(err)
	}
	if did, err := p.KV.Swap(ctx, "k", pair{"x", 2}, 0, 0); did || err != nil {
		t.Errorf("swap of another value: %v, %v", did, err)
	}
	if did, err := p.KV.Swap(ctx, "k", pair{"x", 1}, 0, 0); !did || err != nil {
		t.Errorf("swap of an equal value: %v, %v", did, err)
	}
}

func TestKVClear(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	if _, err := p.drivers.store.KV().Set(ctx, "nvent/instances/1", []byte("true"), adapter.SetOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"s:1", "s:2", "t:1", "t"} {
		if err := p.KV.Set(ctx, key, 1, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		pattern string
		want    int
	}{{"s:*", 2}, {"s:*", 0}, {"t", 1}, {"t", 0}, {"*", 1}, {"*", 0}} {
		if n, err := p.KV.Clear(ctx, c.pattern); n != c.want || err != nil {
			t.Errorf("clear %q: %d, %v; want %d", c.pattern, n, err, c.want)
		}
	}
	if _, err := p.drivers.store.KV().Get(ctx, "nvent/instances/1"); err != nil {
		t.Errorf("the engine's key is gone: %v", err)
	}
	for _, pattern := range []string{"a*b", "**", "a?", "[ab]*", `a\*`} {
		_, err := p.KV.Clear(ctx, pattern)
		checkProblem(t, pattern, err, ErrUnsupported, "one star at the end")
	}
	_, err := p.KV.Clear(ctx, "")
	checkProblem(t, "empty", err, ErrInvalid, "key is empty")
}

func TestKVRefuses(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	checkProblem(t, "key", p.KV.Set(ctx, "", 1, 0), ErrInvalid, "key is empty")
	checkProblem(t, "ttl", p.KV.Set(ctx, "a", 1, -1), ErrInvalid, "negative")
	checkProblem(t, "value", p.KV.Set(ctx, "a", func() {}, 0), ErrInvalid, "encode func() as JSON")
	checkProblem(t, "large", p.KV.Set(ctx, "a", strings.Repeat("x", 1<<20), 0), ErrTooLarge, "memory: set key: a: payload of")
	_, err := p.KV.Swap(ctx, "a", func() {}, 1, 0)
	checkProblem(t, "old", err, ErrInvalid, "old value")
	checkProblem(t, "delete", p.KV.Delete(ctx, ""), ErrInvalid, "key is empty")
	checkProblem(t, "get", p.KV.Get(ctx, "", nil), ErrInvalid, "key is empty")
}
