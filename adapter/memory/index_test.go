package memory_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

// TestIndexFollowsItsDocuments changes documents at random and lists them by every element of their arrays.
func TestIndexFollowsItsDocuments(t *testing.T) {
	t.Parallel()
	type doc struct {
		Tags  []string `json:"tags"`
		Owner string   `json:"owner"`
		N     int      `json:"n"`
	}
	ctx, s := t.Context(), memory.New(nil).Store()
	err := s.Declare(ctx, adapter.Collection{Name: "docs", Indexes: []adapter.Index{
		{Equal: []string{"tags"}, Order: "n"}, {Equal: []string{"owner", "tags"}, Order: "n"}, {Order: "n"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	tags, owners := []string{"a", "b", "c", "d"}, []string{"x", "y", ""}
	model := map[string]doc{}
	for range 3000 {
		id := fmt.Sprint("doc", random.IntN(12))
		batch := adapter.Batch{Partition: id}
		if random.IntN(5) == 0 {
			delete(model, id)
			batch.Deletes = []adapter.Doc{{Collection: "docs", ID: id, Version: adapter.AnyVersion}}
		} else {
			d := doc{Owner: owners[random.IntN(len(owners))], N: random.IntN(4)}
			for _, i := range random.Perm(len(tags))[:random.IntN(len(tags)+1)] {
				d.Tags = append(d.Tags, tags[i])
			}
			body, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			model[id] = d
			batch.Puts = []adapter.Doc{{Collection: "docs", ID: id, Version: adapter.AnyVersion, Body: body}}
		}
		if _, err := s.Commit(ctx, batch); err != nil {
			t.Fatal(err)
		}
		tag, owner := tags[random.IntN(len(tags))], owners[random.IntN(len(owners))]
		for _, q := range []struct {
			where map[string]any
			has   func(doc) bool
		}{
			{nil, func(doc) bool { return true }},
			{map[string]any{"tags": tag}, func(d doc) bool { return slices.Contains(d.Tags, tag) }},
			{map[string]any{"owner": owner, "tags": tag}, func(d doc) bool { return d.Owner == owner && slices.Contains(d.Tags, tag) }},
		} {
			var want []string
			for id, d := range model {
				if q.has(d) {
					want = append(want, fmt.Sprint(d.N, " ", id))
				}
			}
			slices.Sort(want)
			page, err := s.List(ctx, "docs", adapter.Query{Where: q.where, Order: "n"})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range page.Items {
				got = append(got, fmt.Sprint(model[d.ID].N, " ", d.ID))
			}
			if !slices.Equal(got, want) {
				t.Fatalf("documents where %v: %q, want %q", q.where, got, want)
			}
		}
	}
}
