package adaptertest

import (
	"context"
	"errors"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
)

func storeIndexChecks() []storeCheck {
	return []storeCheck{
		{Name: "index/equality", run: indexEquality},
		{Name: "index/element-of-an-array", run: indexArray},
		{Name: "index/follows-every-write", run: indexFollows},
		{Name: "index/lacks-what-lacks-a-field", run: indexLacks},
		{Name: "index/built-for-what-is-there", run: indexBuilt},
		{Name: "index/undeclared-is-unsupported", run: indexUndeclared},
	}
}

// fill writes documents by name.
func (p place) fill(ctx context.Context, bodies map[string]string) error {
	var docs []adapter.Doc
	for name, body := range bodies {
		docs = append(docs, p.doc(name, adapter.AnyVersion, body))
	}
	_, err := p.put(ctx, docs...)
	return err
}

// where builds the Where of a query from field, value, field, value, ...
func where(kv ...any) map[string]any {
	m := map[string]any{}
	for ; len(kv) >= 2; kv = kv[2:] {
		m[kv[0].(string)] = kv[1]
	}
	return m
}

func indexEquality(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e, adapter.Index{Equal: []string{"v"}}, adapter.Index{Equal: []string{"v", "w"}})
	if err != nil {
		return err
	}
	err = p.fill(ctx, map[string]string{
		"a": `{"v":"x","w":1}`, "b": `{"v":"x","w":2}`, "c": `{"v":"X"}`, "d": `{"v":true,"w":true}`, "e": `{"v":"true"}`,
		"f": `{"v":1}`, "g": `{"v":"1"}`, "h": `{"v":1.50}`, "i": `{"v":""}`, "j": `{"v":"é|:%*'\\"}`, "k": `{"v":false}`, "l": `{"v":0}`,
	})
	if err != nil {
		return err
	}
	for _, c := range []struct {
		where map[string]any
		want  []string
	}{
		{where("v", "x"), []string{"a", "b"}},
		{where("v", "X"), []string{"c"}},
		{where("v", "none"), nil},
		{where("v", true), []string{"d"}},
		{where("v", "true"), []string{"e"}},
		{where("v", 1), []string{"f"}},
		{where("v", 1.0), []string{"f"}},
		{where("v", "1"), []string{"g"}},
		{where("v", 1.5), []string{"h"}},
		{where("v", ""), []string{"i"}},
		{where("v", `é|:%*'\`), []string{"j"}},
		{where("v", false), []string{"k"}},
		{where("v", 0), []string{"l"}},
		{where("v", "x", "w", 2), []string{"b"}},
		{where("v", true, "w", true), []string{"d"}},
		{where("v", "x", "w", true), nil},
	} {
		if err := p.finds(ctx, fmt.Sprintf("where %v", c.where), adapter.Query{Where: c.where}, c.want...); err != nil {
			return err
		}
	}
	return nil
}

func indexArray(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e, adapter.Index{Equal: []string{"tags"}, Order: "n"})
	if err != nil {
		return err
	}
	err = p.fill(ctx, map[string]string{
		"a": `{"tags":["x","y"],"n":1}`, "b": `{"tags":["y"],"n":2}`, "c": `{"tags":"x","n":3}`, "d": `{"tags":[],"n":4}`,
		"e": `{"tags":["x","x"],"n":5}`,
	})
	if err != nil {
		return err
	}
	byTag := func(tag string) adapter.Query { return adapter.Query{Where: where("tags", tag), Order: "n"} }
	if err := errors.Join(p.finds(ctx, "tag x", byTag("x"), "a", "c", "e"), p.finds(ctx, "tag y", byTag("y"), "a", "b"),
		p.finds(ctx, "tag z", byTag("z"))); err != nil {
		return err
	}
	if err := p.fill(ctx, map[string]string{"a": `{"tags":["y","z"],"n":1}`, "b": `{"tags":["x"],"n":2}`}); err != nil {
		return err
	}
	return errors.Join(p.finds(ctx, "tag x", byTag("x"), "b", "c", "e"), p.finds(ctx, "tag y", byTag("y"), "a"),
		p.finds(ctx, "tag z", byTag("z"), "a"))
}

func indexFollows(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e, adapter.Index{Equal: []string{"s"}, Order: "n"})
	if err != nil {
		return err
	}
	if err := p.fill(ctx, map[string]string{"a": `{"s":"on","n":1}`, "b": `{"s":"on","n":2}`, "c": `{"s":"on","n":3}`}); err != nil {
		return err
	}
	on, off := adapter.Query{Where: where("s", "on"), Order: "n"}, adapter.Query{Where: where("s", "off"), Order: "n"}
	if err := p.finds(ctx, "before", on, "a", "b", "c"); err != nil {
		return err
	}
	_, err = p.commit(ctx, adapter.Batch{
		Puts:    []adapter.Doc{p.doc("a", adapter.AnyVersion, `{"s":"off","n":1}`), p.doc("c", adapter.AnyVersion, `{"s":"on","n":0}`)},
		Deletes: []adapter.Doc{p.doc("b", adapter.AnyVersion, ``)},
	})
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if err := errors.Join(p.finds(ctx, "after an update and a delete", on, "c"), p.finds(ctx, "after an update", off, "a")); err != nil {
		return err
	}
	if err := p.fill(ctx, map[string]string{"b": `{"s":"on","n":-1}`}); err != nil {
		return err
	}
	return p.finds(ctx, "after it came back", on, "b", "c")
}

func indexLacks(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e, adapter.Index{Equal: []string{"s"}, Order: "n"})
	if err != nil {
		return err
	}
	err = p.fill(ctx, map[string]string{
		"a": `{"s":"x","n":1}`, "b": `{"s":"x"}`, "c": `{"n":1}`, "d": `{"s":"x","n":null}`, "e": `{"s":null,"n":1}`, "f": `{}`,
		"g": `{"deep":{"s":"x","n":1}}`, "h": `{"s":"x","n":2}`,
	})
	if err != nil {
		return err
	}
	q := adapter.Query{Where: where("s", "x"), Order: "n"}
	if err := p.finds(ctx, "documents that have both fields", q, "a", "h"); err != nil {
		return err
	}
	if err := p.fill(ctx, map[string]string{"a": `{"s":"x","n":null}`, "h": `{"s":"x"}`, "b": `{"s":"x","n":5}`}); err != nil {
		return err
	}
	return p.finds(ctx, "after a field went and another came", q, "b")
}

func indexBuilt(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e)
	if err != nil {
		return err
	}
	if err := p.fill(ctx, map[string]string{"a": `{"s":"x","n":2}`, "b": `{"s":"x","n":1}`, "c": `{"s":"y","n":0}`}); err != nil {
		return err
	}
	index := adapter.Index{Equal: []string{"s"}, Order: "n"}
	other, err := p.through(ctx, e, index)
	if err != nil {
		return err
	}
	if err := other.declare(ctx, index); err != nil {
		return fmt.Errorf("a second time: %w", err)
	}
	q := adapter.Query{Where: where("s", "x"), Order: "n"}
	if err := other.finds(ctx, "an index declared later", q, "b", "a"); err != nil {
		return err
	}
	if err := other.fill(ctx, map[string]string{"d": `{"s":"x","n":0}`}); err != nil {
		return err
	}
	return other.finds(ctx, "an index declared later, after a write", q, "d", "b", "a")
}

func indexUndeclared(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e, adapter.Index{Equal: []string{"a", "b"}, Order: "n"}, adapter.Index{Equal: []string{"c"}})
	if err != nil {
		return err
	}
	if err := p.fill(ctx, map[string]string{"x": `{"a":"1","b":"1","c":"1","d":"1","n":1}`}); err != nil {
		return err
	}
	for _, q := range []adapter.Query{
		{Where: where("d", "1")},
		{Where: where("a", "1"), Order: "n"},
		{Where: where("a", "1", "b", "1"), Order: "d"},
		{Where: where("c", "1"), Order: "n"},
		{Where: where("a", "1", "b", "1", "c", "1"), Order: "n"},
		{Order: "n"},
	} {
		if _, err := p.s.List(ctx, p.collection, q); !errors.Is(err, adapter.ErrUnsupported) {
			return fmt.Errorf("list where %v in order of %q, which no index has: %w, want ErrUnsupported", q.Where, q.Order, errOr(err, "nil"))
		}
	}
	return p.finds(ctx, "a declared index", adapter.Query{Where: where("b", "1", "a", "1"), Order: "n"}, "x")
}
