package adaptertest

import (
	"context"
	"encoding/json"

	"github.com/nvent-go/nvent/adapter"
)

func storeEndChecks() []storeCheck {
	return []storeCheck{
		{Name: "cancel/every-call-returns-the-cause", run: storeCancel},
		{Name: "close/every-call-returns-closed", run: storeClosed},
		{Name: "close/leaks-nothing", run: storeLeaks},
	}
}

func storeCalls(p place, key string) calls {
	s := p.s
	return calls{
		"declare": func(ctx context.Context) error { return s.Declare(ctx, adapter.Collection{Name: p.collection}) },
		"commit": func(ctx context.Context) error {
			_, err := p.commit(ctx, adapter.Batch{Puts: []adapter.Doc{p.doc("cancelled", adapter.AnyVersion, `{}`)}})
			return err
		},
		"get":    func(ctx context.Context) error { _, err := s.Get(ctx, p.collection, p.id("d")); return err },
		"list":   func(ctx context.Context) error { _, err := s.List(ctx, p.collection, adapter.Query{}); return err },
		"count":  func(ctx context.Context) error { _, _, err := s.Count(ctx, p.collection, adapter.Query{}); return err },
		"read":   func(ctx context.Context) error { _, err := s.Read(ctx, p.id("log"), adapter.Range{}); return err },
		"now":    func(ctx context.Context) error { _, err := s.Now(ctx); return err },
		"purge":  func(ctx context.Context) error { _, err := s.Purge(ctx, 1); return err },
		"kv get": func(ctx context.Context) error { _, err := s.KV().Get(ctx, key); return err },
		"kv set": func(ctx context.Context) error {
			_, err := s.KV().Set(ctx, key, json.RawMessage(`1`), adapter.SetOptions{})
			return err
		},
		"kv delete": func(ctx context.Context) error { return s.KV().Delete(ctx, key) },
		"kv clear":  func(ctx context.Context) error { _, err := s.KV().Clear(ctx, key, 1); return err },
	}
}

func storeCancel(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	return everyCall(ctx, e, storeCalls(p, e.name()))
}

func storeClosed(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	other, err := p.through(ctx, e)
	if err != nil {
		return err
	}
	if err := closedTwice(ctx, e, p.s, storeCalls(p, e.name())); err != nil {
		return err
	}
	_, err = other.put1(ctx, other.doc("d", adapter.Absent, `{}`))
	return err
}

func storeLeaks(ctx context.Context, e *storeEnv) error {
	return e.checkLeaks(ctx, func(ctx context.Context) error {
		p, err := settleIn(ctx, e, byN)
		if err != nil {
			return err
		}
		if _, err := p.add(ctx, "log", records("r", 3)...); err != nil {
			return err
		}
		if err := p.fill(ctx, map[string]string{"a": `{"s":"x","n":1}`}); err != nil {
			return err
		}
		if err := kvSet(ctx, p.s.KV(), e.name(), `1`, adapter.SetOptions{TTL: e.h.Lease}, true); err != nil {
			return err
		}
		return p.s.Close()
	})
}
