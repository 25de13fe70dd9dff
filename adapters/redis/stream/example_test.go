package stream_test

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/stream"
)

// A stream over a client of one's own. It needs a server at localhost:6379.
func ExampleOpen() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"localhost:6379"}, DisableCache: true, DisableRetry: true})
	if err != nil {
		fmt.Println("connect:", err)
		return
	}
	defer client.Close()
	s, err := stream.Open(ctx, client, stream.Options{Prefix: "shop"})
	if err != nil {
		fmt.Println("open:", err)
		return
	}
	defer s.Close()
	ready := func() {
		if err := s.Publish(ctx, adapter.Message{Topic: "orders", Key: "42", Data: []byte(`{"status":"paid"}`)}); err != nil {
			fmt.Println("publish:", err)
		}
	}
	err = s.Subscribe(ctx, "orders", adapter.SubscribeOptions{Group: "mail", Ready: ready}, func(_ context.Context, m *adapter.Message) error {
		fmt.Println(m.Key, string(m.Data))
		cancel() // ends Subscribe, after this call
		return nil
	})
	fmt.Println(err)
}
