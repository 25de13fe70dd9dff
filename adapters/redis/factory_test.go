package redis_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
)

func ExampleFactory() {
	registry, err := adapter.NewRegistry(redis.Factory())
	fmt.Println(registry.Names(adapter.KindQueue|adapter.KindStream|adapter.KindStore), err)
	// Output: [redis] <nil>
}

func TestFactoryOpensWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	f := redis.Factory()
	o := f.Options().(*redis.Options)
	o.URL = redistest.URL(t)
	ctx := t.Context()
	all, err := f.Open(ctx, adapter.Settings{Kinds: f.Kinds, Options: o, Namespace: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	if all.Queue == nil || all.Stream == nil || all.Store == nil {
		t.Fatalf("opened %+v", all)
	}
	// They share a client, which stays open until the last of them is closed.
	for _, c := range []interface{ Close() error }{all.Stream, all.Store} {
		if err := errors.Join(c.Close(), c.Close()); err != nil {
			t.Error(err)
		}
	}
	if _, err := all.Queue.Stats(ctx, "q"); err != nil {
		t.Errorf("the queue after the others were closed: %v", err)
	}
	if err := all.Queue.Close(); err != nil {
		t.Error(err)
	}
	one, err := f.Open(ctx, adapter.Settings{Kinds: adapter.KindQueue, Options: o, Namespace: t.Name()})
	if err != nil || one.Stream != nil || one.Store != nil {
		t.Fatalf("only the queue was asked for: %+v, %v", one, err)
	}
	if err := one.Queue.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := redis.Factory()
	for url, want := range map[string]error{
		"redis://127.0.0.1:1":              adapter.ErrUnavailable,
		"http://user:secret@localhost:1/x": adapter.ErrInvalid,
	} {
		o := f.Options().(*redis.Options)
		o.URL = url
		_, err := f.Open(context.Background(), adapter.Settings{Kinds: adapter.KindQueue, Options: o})
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", url, err, want)
		}
	}
}
