package file_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file"
)

// historyEnv is how many finished jobs TestHistoryCostsNothing makes; make soak asks for 1,000,000.
const historyEnv = "NVENT_FILE_HISTORY"

// hotPath does what a program does all the time: jobs with and without a delay, transactions, messages.
func hotPath(t *testing.T, b *file.Backend) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const n = 200
	done := make(chan struct{}, n)
	consuming := make(chan error, 1)
	go func() {
		o := adapter.ConsumeOptions{Concurrency: func() int { return 4 }}
		consuming <- b.Queue().Consume(ctx, "q", o, func(ctx context.Context, d *adapter.Delivery) {
			b.Queue().Settle(ctx, adapter.Settlement{Queue: d.Queue, ID: d.ID, Receipt: d.Receipt})
			done <- struct{}{}
		})
	}()
	for i := range n {
		run := uuid.NewString()
		_, err := b.Store().CommitTx(ctx, adapter.Tx{
			Batch: &adapter.Batch{Partition: run,
				Puts:    []adapter.Doc{{Collection: "things", ID: run, Body: json.RawMessage(`{"kind":"active","n":` + strconv.Itoa(i) + `}`)}},
				Appends: []adapter.Append{{Subject: run, Records: []adapter.Record{{Type: "t"}}}}},
			Queue: b.Queue(), Enqueue: []adapter.NewJob{{ID: uuid.NewString(), Queue: "q", Name: "n"}},
		})
		if err == nil {
			_, err = b.Store().List(ctx, "things", adapter.Query{Where: map[string]any{"kind": "active"}, Order: "n", Limit: 10})
		}
		if err == nil {
			_, err = b.Store().Read(ctx, run, adapter.Range{})
		}
		if err == nil {
			err = b.Stream().Publish(ctx, adapter.Message{Topic: "t"})
		}
		if err == nil {
			_, err = b.Queue().Stats(ctx, "q")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		<-done
	}
	cancel()
	if err := <-consuming; err != nil {
		t.Fatal(err)
	}
}

// TestHistoryCostsNothing proves that what is over costs nothing: no statement scans, and the virtual machine of SQLite runs
// as many instructions with a long history as without.
func TestHistoryCostsNothing(t *testing.T) {
	history := 20_000
	if text := os.Getenv(historyEnv); text != "" {
		var err error
		if history, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	b, err := file.Open(t.Context(), &file.Options{DataDir: filepath.Join(t.TempDir(), "data"),
		KeepCompletedCount: 10_000_000, KeepMessagesCount: 10_000_000, Backlog: 10_000_000})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Store().Declare(t.Context(), things); err != nil {
		t.Fatal(err)
	}
	hotPath(t, b) // prepares the statements
	measure := func() float64 {
		_, before := b.WriterCost()
		hotPath(t, b)
		_, after := b.WriterCost()
		return float64(after - before)
	}
	young := measure()
	age(t, b, history)
	old := measure()
	t.Logf("%.0f instructions without history, %.0f with %d finished jobs", young, old, history)
	if old > 1.3*young {
		t.Errorf("with %d finished jobs the same work takes %.2f times as many instructions", history, old/young)
	}
	checkPlans(t, b)
}

// age makes finished jobs and runs, a tenth as many.
func age(t *testing.T, b *file.Backend, n int) {
	t.Helper()
	db, err := driver.Open(b.DSN(), func(c *sqlite3.Conn) error { return b.Extend(c) })
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{
		fmt.Sprintf(`WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
			INSERT INTO jobs (n, queue, id, name, priority, created, sum, state, place, due, attempt, finished, extras)
			SELECT 1000000000 + i, (SELECT id FROM queues WHERE name = 'q'), printf('old-%%d', i * 2654435761 %% 4294967296), 'n', 0, 1, 0, 3, 1000000000 + i,
			4000000000000000 + i, 1, 1, 0 FROM c`, n),
		fmt.Sprintf("UPDATE queues SET completed = completed + %d WHERE name = 'q'", n),
		fmt.Sprintf(`WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
			INSERT INTO docs SELECT 1, printf('old-%%d', i), i, '{"kind":"ended","n":1}', 0, 0, 0 FROM c`, n/10),
		fmt.Sprintf(`WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
			INSERT INTO records SELECT 1000000000 + i, 1, 1, 't', '', '', 0, '', 0, 0, '', NULL, NULL, 0 FROM c`, n/10),
	} {
		if _, err := db.ExecContext(t.Context(), q); err != nil { //nolint:gosec // of numbers of our own
			t.Fatal(err)
		}
	}
	if _, err := db.ExecContext(t.Context(), "UPDATE counter SET ticks = 3000000000"); err != nil {
		t.Fatal(err)
	}
}

// smallTables hold what is active, or a row for each name: they may be scanned.
var smallTables = []string{"queues", "q", "collections", "indexes", "members", "canceled", "topics", "t", "g", "groups", "counter", "json_each",
	"CONSTANT", "sqlite_master"}

// checkPlans fails if a statement that was run scans a table that grows with history.
func checkPlans(t *testing.T, b *file.Backend) {
	t.Helper()
	db, err := driver.Open(b.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	statements := b.WriterStatements()
	if len(statements) < 20 {
		t.Fatalf("only %d statements were run", len(statements))
	}
	for _, s := range statements {
		if !strings.HasPrefix(s, "SELECT") && !strings.HasPrefix(s, "UPDATE") && !strings.HasPrefix(s, "DELETE") {
			continue
		}
		args := make([]any, strings.Count(s, "?"))
		for i := range args {
			args[i] = 0
		}
		rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+s, args...)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			table, scans := strings.CutPrefix(detail, "SCAN ")
			table, _, _ = strings.Cut(table, " ")
			small := false
			for _, name := range smallTables {
				small = small || name == table
			}
			if scans && !small {
				t.Errorf("%s\nscans: %s", s, detail)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
}
