package file_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file"
)

// An App that keeps everything in a directory.
func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b, err := file.Open(ctx, &file.Options{DataDir: filepath.Join(dir, "data")})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	app, err := nvent.New(ctx, nvent.Config{
		Queue:  nvent.QueueConfig{Driver: b.Queue()},
		Stream: nvent.StreamConfig{Driver: b.Stream()},
		Store:  nvent.StoreConfig{Driver: b.Store()},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(app.Close(ctx))
	// Output: <nil>
}

// By configuration the directory is connections.file.dataDir. A registry of one's own needs the factory.
func ExampleFactory() {
	r, err := adapter.NewRegistry(file.Factory())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Names(adapter.KindQueue | adapter.KindStream | adapter.KindStore))
	// Output: [file]
}

// A document and a job in one transaction.
func ExampleStore_CommitTx() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b, err := file.Open(ctx, &file.Options{DataDir: filepath.Join(dir, "data")})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	if err := b.Store().Declare(ctx, adapter.Collection{Name: "orders"}); err != nil {
		log.Fatal(err)
	}
	r, err := b.Store().CommitTx(ctx, adapter.Tx{
		Batch: &adapter.Batch{Partition: "42", Puts: []adapter.Doc{{Collection: "orders", ID: "42", Body: json.RawMessage(`{"total":9}`)}}},
		Queue: b.Queue(),
		Enqueue: []adapter.NewJob{
			{ID: "0197c7a0-0000-7000-8000-000000000042", Queue: "mail", Name: "confirm", Data: json.RawMessage(`{"order":"42"}`)},
		},
	})
	fmt.Println(len(r.Versions), len(r.Enqueued), err)
	// Output: 1 1 <nil>
}
