package queue_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
	"github.com/nvent-go/nvent/adapters/redis/queue"
)

// disturbances are what happens to a server while jobs are added and done.
func disturbances() map[string]func(t *testing.T, s *redistest.Server) {
	return map[string]func(t *testing.T, s *redistest.Server){
		"clients killed": func(t *testing.T, s *redistest.Server) {
			c := redistest.Client(t, s.URL())
			for _, kind := range []string{"normal", "pubsub"} {
				_ = c.Do(t.Context(), c.B().Arbitrary("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes").Build()).Error() // it may hit itself
			}
		},
		"restarted": func(_ *testing.T, s *redistest.Server) {
			s.Stop()
			s.Run()
		},
		"frozen": func(_ *testing.T, s *redistest.Server) {
			s.Signal(syscall.SIGSTOP)
			<-time.After(1500 * time.Millisecond)
			s.Signal(syscall.SIGCONT)
		},
	}
}

// TestDisturbances adds and does jobs while the server, which writes every change to disk, is disturbed again and again: what
// Enqueue has confirmed is done, consumers resume by themselves, and nothing is left in between.
func TestDisturbances(t *testing.T) {
	for name, disturb := range disturbances() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
			const workers, rounds, jobs = 3, 4, 150
			open := func() *queue.Queue {
				q, err := queue.Open(t.Context(), redistest.Client(t, s.URL()), queue.Options{KeepCompletedCount: 1_000_000})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { q.Close() })
				return q
			}
			var mu sync.Mutex
			runs := map[string]int{}
			for range workers {
				q := open()
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan error, 1)
				go func() {
					done <- q.Consume(ctx, "work", adapter.ConsumeOptions{Concurrency: func() int { return 8 }},
						func(ctx context.Context, d *adapter.Delivery) {
							mu.Lock()
							runs[d.ID]++
							mu.Unlock()
							<-time.After(time.Millisecond)
							q.Settle(ctx, adapter.Settlement{Queue: d.Queue, ID: d.ID, Receipt: d.Receipt, Result: json.RawMessage(`{}`)})
						})
				}()
				t.Cleanup(func() {
					cancel()
					if err := <-done; err != nil {
						t.Error(err)
					}
				})
			}
			producer := open()
			var confirmed []string
			for range rounds {
				over := make(chan struct{})
				go func() {
					defer close(over)
					disturb(t, s)
				}()
				for added := 0; added < jobs; {
					j := adapter.NewJob{ID: uuid(), Queue: "work", Name: "n", Attempts: 1, Redeliver: 100, Lease: 2 * time.Second}
					if _, err := producer.Enqueue(t.Context(), j); err != nil {
						<-time.After(5 * time.Millisecond)
						continue
					}
					confirmed = append(confirmed, j.ID)
					added++
				}
				<-over
			}
			var stats []adapter.QueueStats
			deadline := time.Now().Add(40 * time.Second)
			for {
				var err error
				stats, err = producer.Stats(t.Context(), "work")
				if err == nil {
					c := stats[0].Counts
					if c[adapter.JobWaiting]+c[adapter.JobActive]+c[adapter.JobDelayed] == 0 && c[adapter.JobCompleted] >= int64(len(confirmed)) {
						break
					}
				}
				if time.Now().After(deadline) {
					t.Fatalf("%d jobs were confirmed; the queue has %v, %v", len(confirmed), stats, err)
				}
				<-time.After(20 * time.Millisecond)
			}
			mu.Lock()
			defer mu.Unlock()
			again := 0
			for _, id := range confirmed {
				switch n := runs[id]; {
				case n == 0:
					t.Errorf("job %s was confirmed and never ran", id)
				case n > 1:
					again++
				}
			}
			// Only what ran when the server was disturbed may run twice.
			if bound := rounds * workers * 8 * 2; again > bound {
				t.Errorf("%d jobs of %d ran more than once, want at most %d", again, len(confirmed), bound)
			}
			t.Logf("%d jobs confirmed, %d ran again", len(confirmed), again)
		})
	}
}

func uuid() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// TestCommandsExistSince62 runs everything against a server of its own, and looks up since when the commands exist that it saw.
func TestCommandsExistSince62(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := redistest.Client(t, s.URL())
	exercise(t, s.URL())
	stats, err := c.Do(t.Context(), c.B().Info().Section("commandstats").Build()).ToString()
	if err != nil {
		t.Fatal(err)
	}
	names := commandNames(stats)
	if len(names) < 30 {
		t.Errorf("only %d commands were used: %v", len(names), names)
	}
	docs, err := c.Do(t.Context(), c.B().Arbitrary("COMMAND", "DOCS").Args(names...).Build()).AsMap()
	if err != nil {
		t.Skipf("this server cannot tell since when commands exist: %v", err)
	}
	delete(docs, "sunsubscribe") // the client library sends it when it gives a connection back, to servers that have it
	for name, doc := range docs {
		fields, err := doc.AsMap()
		if err != nil {
			t.Fatal(err)
		}
		since := fields["since"]
		text, err := since.ToString()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains([]string{"0", "1", "2", "3", "4", "5"}, text[:1]) && text[:3] != "6.0" && text[:3] != "6.2" {
			t.Errorf("%s exists since %s: Redis 6.2 lacks it", name, text)
		}
	}
}
