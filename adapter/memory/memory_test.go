package memory_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

func ExampleNew() {
	ctx, cancel := context.WithCancel(context.Background())
	q := memory.New(nil).Queue()
	defer q.Close()
	if _, err := q.Enqueue(ctx, adapter.NewJob{ID: "0197c7a2-0000-7000-8000-000000000001", Queue: "mail", Data: []byte(`"hello"`)}); err != nil {
		fmt.Println(err)
	}
	err := q.Consume(ctx, "mail", adapter.ConsumeOptions{}, func(ctx context.Context, d *adapter.Delivery) {
		fmt.Println(string(d.Data))
		q.Settle(ctx, adapter.Settlement{Queue: d.Queue, ID: d.ID, Receipt: d.Receipt, Verdict: adapter.Complete})
		cancel()
	})
	fmt.Println(err)
	// Output:
	// "hello"
	// <nil>
}

func ExampleFactory() {
	registry, err := adapter.NewRegistry(memory.Factory())
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := registry.Find("memory", adapter.KindStore)
	if err != nil {
		fmt.Println(err)
		return
	}
	opened, err := f.Open(context.Background(), adapter.Settings{Kinds: adapter.KindStore, Options: f.Options()})
	fmt.Println(opened.Store.Info().Scope, opened.Store.Info().Durability, opened.Queue, err)
	// Output: process none <nil> <nil>
}

func TestFactory(t *testing.T) {
	t.Parallel()
	f := memory.Factory()
	open := func(o any, c adapter.Clock) (adapter.Opened, error) {
		all := adapter.KindQueue | adapter.KindStream | adapter.KindStore
		return f.Open(t.Context(), adapter.Settings{Kinds: all, Options: o, Clock: c})
	}
	for name, o := range map[string]any{"none": nil, "defaults": f.Options(), "nil pointer": (*memory.Options)(nil)} {
		opened, err := open(o, nil)
		if err != nil || opened.Queue == nil || opened.Stream == nil || opened.Store == nil {
			t.Errorf("options %s: %+v, %v", name, opened, err)
		}
	}
	if _, err := open("text", nil); !errors.Is(err, adapter.ErrInvalid) || !strings.Contains(err.Error(), "string") {
		t.Errorf("foreign options: %v", err)
	}
	given := &memory.Options{}
	opened, err := open(given, fixedClock(42))
	if err != nil {
		t.Fatal(err)
	}
	if now, err := opened.Store.Now(t.Context()); err != nil || !now.Equal(time.Unix(42, 0)) || given.Clock != nil {
		t.Errorf("the store's time is %v, %v (options %+v)", now, err, given)
	}
	other, err := open(given, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := opened.Store.KV().Set(t.Context(), "k", []byte("1"), adapter.SetOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Store.KV().Get(t.Context(), "k"); !errors.Is(err, adapter.ErrNotFound) {
		t.Errorf("two opened backends share a key: %v", err)
	}
}

// fixedClock stands still at a second of the epoch.
type fixedClock int64

func (c fixedClock) Now() time.Time { return time.Unix(int64(c), 0) }

func (c fixedClock) AfterFunc(time.Duration, func()) adapter.Timer { return stoppedTimer{} }

type stoppedTimer struct{}

func (stoppedTimer) Stop() bool               { return true }
func (stoppedTimer) Reset(time.Duration) bool { return true }
