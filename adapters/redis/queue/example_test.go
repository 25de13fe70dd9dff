package queue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/queue"
)

// A program with a client of its own adds a job that a worker in Node may run as well as one in Go.
func ExampleOpen() {
	ctx := context.Background()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"localhost:6379"}, DisableCache: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	q, err := queue.Open(ctx, client, queue.Options{Prefix: "nvent"}) // new Queue('mail', { prefix: 'nvent' }) in Node
	if err != nil {
		fmt.Println(err)
		return
	}
	job := adapter.NewJob{ID: "0197c7a0-5d7e-7000-8000-000000000001", Queue: "mail", Name: "welcome", Data: json.RawMessage(`{"to":"a@b.c"}`),
		Attempts: 3, Backoff: adapter.Backoff{Kind: adapter.BackoffExponential, Base: time.Second}}
	added, err := q.Enqueue(ctx, job)
	fmt.Println(added, err, q.Close())
}
