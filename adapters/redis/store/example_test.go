package store_test

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/store"
)

// A store over a client of one's own. It needs a server at localhost:6379.
func ExampleOpen() {
	ctx := context.Background()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"localhost:6379"}, DisableCache: true, DisableRetry: true})
	if err != nil {
		fmt.Println("connect:", err)
		return
	}
	defer client.Close()
	s, err := store.Open(ctx, client, store.Options{Prefix: "shop"})
	if err != nil {
		fmt.Println("open:", err)
		return
	}
	defer s.Close()
	if err := s.Declare(ctx, adapter.Collection{Name: "orders", Indexes: []adapter.Index{{Equal: []string{"status"}}}}); err != nil {
		fmt.Println("declare:", err)
		return
	}
	done, err := s.Commit(ctx, adapter.Batch{
		Partition: "42",
		Puts:      []adapter.Doc{{Collection: "orders", ID: "42", Body: []byte(`{"status":"paid"}`)}},
		Appends:   []adapter.Append{{Subject: "42", Records: []adapter.Record{{Type: "paid"}}}},
	})
	if err != nil {
		fmt.Println("commit:", err)
		return
	}
	fmt.Println("order 42 is at version", done.Versions[0], "and its log at", done.FirstSeq[0])
}
