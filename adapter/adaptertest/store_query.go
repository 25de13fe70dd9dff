package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nvent-go/nvent/adapter"
)

func storeQueryChecks() []storeCheck {
	return []storeCheck{
		{Name: "query/strings-by-bytes", run: queryStrings},
		{Name: "query/numbers-by-value", run: queryNumbers},
		{Name: "query/bounds-are-inclusive", run: queryBounds},
		{Name: "query/equal-ones-by-id", run: queryTies},
		{Name: "query/all-documents-by-id", run: queryAll},
	}
}

var byN = adapter.Index{Equal: []string{"s"}, Order: "n"}

func inN(desc bool) adapter.Query {
	return adapter.Query{Where: where("s", "x"), Order: "n", Desc: desc}
}

func queryStrings(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e, byN)
	if err != nil {
		return err
	}
	err = p.fill(ctx, map[string]string{
		"1": `{"s":"x","n":""}`, "2": `{"s":"x","n":"10"}`, "3": `{"s":"x","n":"9"}`, "4": `{"s":"x","n":"B"}`, "5": `{"s":"x","n":"a"}`,
		"6": `{"s":"x","n":"a b"}`, "7": `{"s":"x","n":"aa"}`, "8": `{"s":"x","n":"é"}`, "9": `{"s":"x","n":"日"}`,
	})
	if err != nil {
		return err
	}
	want := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}
	if err := p.finds(ctx, "strings in order", inN(false), want...); err != nil {
		return err
	}
	slices.Reverse(want)
	return p.finds(ctx, "strings in reverse", inN(true), want...)
}

func queryNumbers(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e, byN)
	if err != nil {
		return err
	}
	err = p.fill(ctx, map[string]string{
		"1": `{"s":"x","n":-10}`, "2": `{"s":"x","n":-2.5}`, "3": `{"s":"x","n":0}`, "4": `{"s":"x","n":0.5}`, "5": `{"s":"x","n":2}`,
		"6": `{"s":"x","n":10}`, "7": `{"s":"x","n":1.5e1}`, "8": `{"s":"x","n":1732406400000}`, "9": `{"s":"x","n":1732406400001}`,
	})
	if err != nil {
		return err
	}
	want := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}
	if err := p.finds(ctx, "numbers in order", inN(false), want...); err != nil {
		return err
	}
	slices.Reverse(want)
	return p.finds(ctx, "numbers in reverse", inN(true), want...)
}

func queryBounds(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e, byN)
	if err != nil {
		return err
	}
	strings := p
	strings.collection = e.name()
	if err := strings.declare(ctx, byN); err != nil {
		return err
	}
	err = errors.Join(
		p.fill(ctx, map[string]string{
			"a": `{"s":"x","n":1}`, "b": `{"s":"x","n":2}`, "c": `{"s":"x","n":3}`, "d": `{"s":"x","n":4}`, "e": `{"s":"y","n":2}`,
		}),
		strings.fill(ctx, map[string]string{"a": `{"s":"x","n":"1"}`, "b": `{"s":"x","n":"2"}`, "c": `{"s":"x","n":"3"}`}),
	)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		p        place
		from, to any
		desc     bool
		want     []string
	}{
		{p, 2, 3, false, []string{"b", "c"}},
		{p, 2, 3, true, []string{"c", "b"}},
		{p, nil, 2, false, []string{"a", "b"}},
		{p, 3, nil, false, []string{"c", "d"}},
		{p, 1.5, 2.5, false, []string{"b"}},
		{p, 2, 2, false, []string{"b"}},
		{p, 3, 2, false, nil},
		{p, 9, nil, false, nil},
		{strings, "2", nil, false, []string{"b", "c"}},
		{strings, "1", "2", true, []string{"b", "a"}},
	} {
		q := inN(c.desc)
		q.From, q.To = c.from, c.to
		if err := c.p.finds(ctx, fmt.Sprintf("from %v to %v", c.from, c.to), q, c.want...); err != nil {
			return err
		}
	}
	return nil
}

func queryTies(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e, byN)
	if err != nil {
		return err
	}
	bodies, want := map[string]string{}, []string{}
	for i := range 9 {
		name := string(rune('a' + i))
		bodies[name], want = `{"s":"x","n":`+fmt.Sprint(i/3)+`}`, append(want, name)
	}
	if err := p.fill(ctx, bodies); err != nil {
		return err
	}
	for _, limit := range []int{0, 2} {
		q := inN(false)
		q.Limit = limit
		if err := p.finds(ctx, "equal ones", q, want...); err != nil {
			return err
		}
	}
	// Whether equal ones turn around in descending order is not settled; that none is lost or repeated is.
	q := inN(true)
	q.Limit = 2
	names, err := p.found(ctx, q)
	if err != nil {
		return err
	}
	return sameSet("equal ones in reverse", names, want)
}

func queryAll(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e, byN)
	if err != nil {
		return err
	}
	if err := p.fill(ctx, map[string]string{"b": `{}`, "a": `{"s":"x","n":1}`, "c/d": `{"n":1}`, "B": `{}`}); err != nil {
		return err
	}
	if err := p.finds(ctx, "all", adapter.Query{}, "B", "a", "b", "c/d"); err != nil {
		return err
	}
	return p.finds(ctx, "all in reverse", adapter.Query{Desc: true, Limit: 3}, "c/d", "b", "a", "B")
}

func storePageChecks() []storeCheck {
	return []storeCheck{
		{Name: "page/default-limit-is-100", run: storePageDefault},
		{Name: "page/nothing-twice-nothing-missed-under-change", run: storePageChange},
	}
}

func storePageDefault(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e, byN)
	if err != nil {
		return err
	}
	bodies, want := map[string]string{}, []string{}
	for i := range 130 {
		name := fmt.Sprintf("%03d", i)
		bodies[name], want = fmt.Sprintf(`{"s":"x","n":%d}`, i), append(want, name)
	}
	if err := p.fill(ctx, bodies); err != nil {
		return err
	}
	for _, q := range []adapter.Query{{}, inN(false)} {
		page, err := p.s.List(ctx, p.collection, q)
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		if len(page.Items) != 100 || page.Next == "" {
			return fmt.Errorf("list of 130 documents without a limit: %d, cursor %q, want 100 and a cursor", len(page.Items), page.Next)
		}
		if err := p.finds(ctx, "all pages", q, want...); err != nil {
			return err
		}
	}
	return nil
}

// storePageChange writes and deletes between pages: documents that stay as they are come exactly once.
func storePageChange(ctx context.Context, e *storeEnv) error {
	p, err := settleIn(ctx, e, byN)
	if err != nil {
		return err
	}
	bodies := map[string]string{}
	for i := range 30 {
		bodies[fmt.Sprintf("%02d", i)] = fmt.Sprintf(`{"s":"x","n":%d}`, i)
	}
	if err := p.fill(ctx, bodies); err != nil {
		return err
	}
	for round, q := range []adapter.Query{inN(false), inN(true), {}} {
		q.Limit = 4
		counts := map[string]int{}
		for pages := range 40 {
			page, err := p.s.List(ctx, p.collection, q)
			if err != nil {
				return fmt.Errorf("list: %w", err)
			}
			for _, d := range page.Items {
				if counts[d.ID]++; counts[d.ID] > 1 {
					return fmt.Errorf("document %s is on two pages", d.ID)
				}
			}
			if page.Next == "" {
				break
			}
			q.Cursor = page.Next
			// The last document of the page, on which a cursor may stand, goes; others come at both ends.
			_, err = p.commit(ctx, adapter.Batch{
				Puts: []adapter.Doc{
					p.doc(fmt.Sprintf("!%d-%d", round, pages), adapter.AnyVersion, `{"s":"x","n":-1}`),
					p.doc(fmt.Sprintf("~%d-%d", round, pages), adapter.AnyVersion, `{"s":"x","n":99}`),
				},
				Deletes: []adapter.Doc{{Collection: p.collection, ID: page.Items[len(page.Items)-1].ID, Version: adapter.AnyVersion}},
			})
			if err != nil {
				return fmt.Errorf("commit: %w", err)
			}
			if pages == 39 {
				return errors.New("list does not end")
			}
		}
		for name := range bodies {
			if _, ok, err := p.get(ctx, name); err != nil {
				return err
			} else if ok && counts[p.id(name)] == 0 {
				return fmt.Errorf("document %s was there all the time, but is on no page", name)
			}
		}
		if err := p.fill(ctx, bodies); err != nil {
			return err
		}
	}
	return nil
}
