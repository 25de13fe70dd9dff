package nvent

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/internal/engine"
)

type product struct {
	Name    string  `json:"name"`
	Price   int     `json:"price,omitempty"`
	Version Version `json:"_version,omitempty"`
}

func TestSaveCreatesAndUpdatesByVersion(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	v1, err := p.Save(ctx, "products", "a", product{Name: "Apple"})
	if err != nil || v1 <= 0 {
		t.Fatalf("version %d, %v", v1, err)
	}
	_, err = p.Save(ctx, "products", "a", product{Name: "Overwritten"})
	var conflict *Conflict
	if !errors.As(err, &conflict) || len(conflict.Current) != 1 ||
		conflict.Current[0].ID != "a" || conflict.Current[0].Version != v1 {
		t.Fatalf("save without a version of a document that exists: %v", err)
	}
	want := fmt.Sprintf("memory: save: version conflict: products/a is at version %d (get the", v1)
	checkProblem(t, "conflict", err, ErrConflict, want)

	doc, err := p.Get(ctx, "products", "a")
	if err != nil || doc.ID != "a" || doc.Version != v1 {
		t.Fatalf("document is %+v, %v", doc, err)
	}
	var got product
	if err := doc.Decode(&got); err != nil || got != (product{"Apple", 0, v1}) {
		t.Fatalf("decoded %+v, %v", got, err)
	}
	got.Price = 3
	v2, err := p.Save(ctx, "products", "a", got)
	if err != nil || v2 <= v1 {
		t.Fatalf("version %d after %d, %v", v2, v1, err)
	}
	_, err = p.Save(ctx, "products", "a", got)
	checkProblem(t, "stale", err, ErrConflict, "products/a is at version")
	if _, err := p.Save(ctx, "products", "a", map[string]string{"name": "Pear"}, IfVersion(v2)); err != nil {
		t.Fatal(err)
	}
	if doc, err = p.Get(ctx, "products", "a"); err != nil || !strings.Contains(string(doc.Body), "Pear") {
		t.Errorf("document is %s, %v", doc.Body, err)
	}
}

func TestSavedVersionIsNoPartOfTheBody(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	for id, doc := range map[string]string{
		"zero": `{"_version":0,"n":1.50}`, "null": `{"_version":null,"n":1.50}`, "none": ` {"n":1.50}`, "empty": `{}`,
		"inner": `{"n":{"_version":"x"}}`, "value": `{"n":"_version"}`,
	} {
		v, err := p.Save(ctx, "c", id, json.RawMessage(doc))
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		stored, err := p.drivers.store.Get(ctx, "c", ownPrefix+id)
		if err != nil || len(stored) != 1 {
			t.Fatalf("%s: %v", id, err)
		}
		if fields, err := adapter.Fields(stored[0].Body, versionKey); err != nil || fields[0] != nil {
			t.Errorf("%s: stored as %s, %v", id, stored[0].Body, err)
		}
		got, err := p.Get(ctx, "c", id)
		if err != nil {
			t.Fatal(err)
		}
		if fields, err := adapter.Fields(got.Body, versionKey); err != nil || fields[0] != json.Number(fmt.Sprint(v)) {
			t.Errorf("%s: comes back as %s, %v; want version %d", id, got.Body, err, v)
		}
		if err := adapter.Validate(got.Body); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestSaveRefuses(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	for _, c := range []struct {
		collection, id string
		doc            any
		o              []DocumentOption
		kind           error
		want           string
	}{
		{"c", "", map[string]int{}, nil, ErrInvalid, "ID of the document is empty"},
		{"", "a", map[string]int{}, nil, ErrInvalid, "collection is empty"},
		{"c", "a", 7, nil, ErrInvalid, "memory: save: c/a: invalid argument: int is not a JSON object (save a struct or a map"},
		{"c", "a", nil, nil, ErrInvalid, "not a JSON object"},
		{"c", "a", json.RawMessage(" [1]"), nil, ErrInvalid, "not a JSON object"},
		{"c", "a", json.RawMessage("{"), nil, ErrInvalid, "JSON at offset"},
		{"c", "a", map[string]any{"_version": "x"}, nil, ErrInvalid, `_version is "x"`},
		{"c", "a", map[string]any{"_version": -1}, nil, ErrInvalid, `_version is -1`},
		{"c", "a", map[string]any{"_version": 1.5}, nil, ErrInvalid, `_version is 1.5`},
		{"c", "a", map[string]any{"_version": 1}, []DocumentOption{IfVersion(2)}, ErrInvalid, "_version 1, and IfVersion says 2"},
		{"c", "a", map[string]string{"x": strings.Repeat("x", 1<<20)}, nil, ErrTooLarge, "the limit is 1048576"},
		{"triggers", "a", map[string]int{}, nil, ErrInvalid, `only the engine writes collection "triggers"`},
		{"flow-anything", "a", map[string]int{}, nil, ErrInvalid, "only the engine writes"},
	} {
		_, err := p.Save(ctx, c.collection, c.id, c.doc, c.o...)
		checkProblem(t, c.want, err, c.kind, c.want)
		if err == nil {
			t.Errorf("%s: saved", c.want)
		}
	}
}

func TestEngineCollectionsAreReadOnly(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	for _, c := range engineCollections {
		_, err := p.Save(ctx, c, "a", map[string]int{})
		checkProblem(t, c, err, ErrInvalid, "choose another name")
		checkProblem(t, c, p.Delete(ctx, c, "a"), ErrInvalid, "choose another name")
		checkProblem(t, c, p.Declare(ctx, Collection{Name: c}), ErrInvalid, "choose another name")
	}
	// A run and a document of a program have the same ID: they are two.
	if err := p.drivers.store.Declare(ctx, Collection{Name: engine.CollectionRuns}); err != nil {
		t.Fatal(err)
	}
	_, err := p.drivers.store.Commit(ctx, adapter.Batch{Partition: "a", Puts: []adapter.Doc{
		{Collection: engine.CollectionRuns, ID: "a", Body: json.RawMessage(`{"status":"running"}`)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := p.Get(ctx, engine.CollectionRuns, "a"); err != nil || !strings.Contains(string(d.Body), "running") {
		t.Errorf("a run reads as %s, %v", d.Body, err)
	}
	if _, err := p.Save(ctx, "mine", "a", map[string]int{}); err != nil {
		t.Error(err)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	v, err := p.Save(ctx, "c", "a", map[string]int{"n": 1})
	if err != nil {
		t.Fatal(err)
	}
	checkProblem(t, "stale", p.Delete(ctx, "c", "a", IfVersion(v+1)), ErrConflict, "c/a is at version")
	if err := p.Delete(ctx, "c", "a", IfVersion(v)); err != nil {
		t.Error(err)
	}
	_, err = p.Get(ctx, "c", "a")
	checkProblem(t, "gone", err, ErrNotFound, "memory: get: c/a: not found")
	if err := p.Delete(ctx, "c", "a"); err != nil {
		t.Errorf("a missing document: %v", err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	indexes := []Index{{Order: "price"}, {Equal: []string{"kind"}, Order: "price"}}
	if err := p.Declare(ctx, Collection{Name: "products", Indexes: indexes}); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		doc := map[string]any{"price": 10 - i, "kind": []string{"even", "odd"}[i%2]}
		if _, err := p.Save(ctx, "products", fmt.Sprint(i), doc); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		o    ListOptions
		want string
		more bool
	}{
		{"by ID", ListOptions{}, "01234", false},
		{"sorted", ListOptions{SortBy: "price"}, "43210", false},
		{"descending", ListOptions{SortBy: "price", SortOrder: Descending}, "01234", false},
		{"limit", ListOptions{SortBy: "price", Limit: 2}, "43", true},
		{"offset", ListOptions{SortBy: "price", Offset: 1, Limit: 2}, "32", true},
		{"offset to the end", ListOptions{Offset: 5}, "", false},
		{"offset beyond", ListOptions{Offset: 100}, "", false},
		{"where", ListOptions{SortBy: "price", Where: map[string]any{"kind": "odd"}}, "31", false},
		{"bounds", ListOptions{SortBy: "price", From: 7, To: 8}, "32", false},
	} {
		page, err := p.List(ctx, "products", c.o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := ids(page.Items); got != c.want || (page.Next != "") != c.more {
			t.Errorf("%s: %q, next %q; want %q, more %v", c.name, got, page.Next, c.want, c.more)
		}
	}
	var walked []Document
	for o := (ListOptions{Limit: 2}); ; {
		page, err := p.List(ctx, "products", o)
		if err != nil {
			t.Fatal(err)
		}
		walked = append(walked, page.Items...)
		if o.Cursor = page.Next; o.Cursor == "" {
			break
		}
	}
	if got := ids(walked); got != "01234" {
		t.Errorf("by cursor: %q", got)
	}
}

func ids(docs []Document) string {
	var b strings.Builder
	for _, d := range docs {
		b.WriteString(d.ID)
	}
	return b.String()
}

func TestListRefuses(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	for want, o := range map[string]ListOptions{
		"limit -1":        {Limit: -1},
		"offset 10001":    {Offset: 10_001},
		"use one":         {Offset: 1, Cursor: "c"},
		`sort order "up"`: {SortOrder: "up"},
		"which is empty":  {From: 1},
	} {
		_, err := p.List(ctx, "c", o)
		checkProblem(t, want, err, ErrInvalid, want)
	}
	if err := p.Declare(ctx, Collection{Name: "c"}); err != nil {
		t.Fatal(err)
	}
	_, err := p.List(ctx, "c", ListOptions{SortBy: "price"})
	checkProblem(t, "no index", err, ErrUnsupported, "Declare an index")
	checkProblem(t, "empty index", p.Declare(ctx, Collection{Name: "c", Indexes: []Index{{}}}), ErrInvalid, "names no keys")
}

func TestReservedCollectionsFollowTheEngine(t *testing.T) {
	t.Parallel()
	if slices.ContainsFunc(engineCollections, func(c string) bool { return !isReserved(c) }) || isReserved("orders") {
		t.Errorf("reserved: %v", engineCollections)
	}
}
