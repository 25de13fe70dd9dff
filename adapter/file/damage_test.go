package file_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3/driver"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file"
)

// filled fills a directory with some of everything, and returns it without closing it.
func filled(t *testing.T) (*file.Backend, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	b, err := file.Open(t.Context(), &file.Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Store().Declare(t.Context(), things); err != nil {
		t.Fatal(err)
	}
	for i := range 150 {
		data := json.RawMessage(fmt.Sprintf(`{"i":%d,"text":%q}`, i, strings.Repeat("x", i*20)))
		_, err := b.Queue().Enqueue(t.Context(), adapter.NewJob{ID: fmt.Sprint(i), Queue: "q", Name: "n", Data: data,
			Labels: map[string]string{"n": fmt.Sprint(i)}})
		if err == nil {
			_, err = b.Store().Commit(t.Context(), adapter.Batch{Partition: fmt.Sprint(i),
				Puts:    []adapter.Doc{{Collection: "things", ID: fmt.Sprint(i), Body: json.RawMessage(`{"kind":"x","n":1}`)}},
				Appends: []adapter.Append{{Subject: fmt.Sprint(i), Records: []adapter.Record{{Type: "t", Data: data}}}}})
		}
		if err == nil {
			_, err = b.Store().KV().Set(t.Context(), fmt.Sprint(i), data, adapter.SetOptions{})
		}
		if err == nil {
			err = b.Stream().Publish(t.Context(), adapter.Message{Topic: "t", Data: data})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return b, dir
}

// copyDir copies the files of a directory whose names have one of these ends.
func copyDir(t *testing.T, from string, ends ...string) string {
	t.Helper()
	to := t.TempDir()
	for _, end := range ends {
		content, err := os.ReadFile(filepath.Join(from, "nvent"+end))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, "nvent"+end), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// change changes a file.
func change(t *testing.T, path string, how func(content []byte) []byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, how(content), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFlippedBytes flips one byte of the database, anywhere.
func TestFlippedBytes(t *testing.T) {
	t.Parallel()
	b, dir := filled(t)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	checkDir(t, dir)
	random := rand.New(rand.NewPCG(7, 7))
	for range 60 {
		damaged := copyDir(t, dir, ".db", ".commits")
		var at int
		change(t, filepath.Join(damaged, "nvent.db"), func(c []byte) []byte {
			at = random.IntN(len(c))
			c[at] ^= byte(1 + random.IntN(255))
			return c
		})
		if r, err := file.Check(t.Context(), damaged); err == nil {
			t.Errorf("byte %d of page %d is flipped, and Check finds nothing: %+v", at%4096, at/4096+1, r)
		}
	}
}

func TestTruncation(t *testing.T) {
	t.Parallel()
	b, dir := filled(t)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(8, 8))
	for n := range 20 {
		damaged := copyDir(t, dir, ".db", ".commits")
		change(t, filepath.Join(damaged, "nvent.db"), func(c []byte) []byte {
			if n%2 == 0 {
				return c[:random.IntN(len(c)/4096)*4096] // at the end of a page
			}
			return c[:random.IntN(len(c))]
		})
		if r, err := file.Check(t.Context(), damaged); err == nil {
			t.Errorf("the file is truncated, and Check finds nothing: %+v", r)
		}
	}
}

// TestFlippedLogBytes flips a byte of the write-ahead log. SQLite then drops what follows, and says nothing.
func TestFlippedLogBytes(t *testing.T) {
	t.Parallel()
	b, dir := filled(t)
	defer b.Close()
	random := rand.New(rand.NewPCG(9, 9))
	for range 20 {
		damaged := copyDir(t, dir, ".db", ".db-wal", ".commits")
		change(t, filepath.Join(damaged, "nvent.db-wal"), func(c []byte) []byte {
			c[random.IntN(len(c))] ^= 0x10
			return c
		})
		if r, err := file.Check(t.Context(), damaged); err == nil {
			t.Errorf("a byte of the log is flipped, and Check finds nothing: %+v", r)
		}
		_, err := file.Open(t.Context(), &file.Options{DataDir: damaged})
		if err == nil {
			t.Fatal("a byte of the log is flipped, and Open finds nothing")
		}
		if !errors.Is(err, file.ErrLostTail) {
			continue // so early in the log that there is no database at all
		}
		if !strings.Contains(err.Error(), "acceptLoss") {
			t.Errorf("error %q does not say how to go on", err)
		}
		again, err := file.Open(t.Context(), &file.Options{DataDir: damaged, AcceptLoss: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		checkDir(t, damaged)
	}
}

// TestRowChecksums changes rows so that the checksums of their pages are right.
func TestRowChecksums(t *testing.T) {
	t.Parallel()
	b, dir := filled(t)
	defer b.Close()
	db, err := driver.Open(b.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for what, damage := range map[string]struct {
		sql  string
		read func(ctx context.Context) error
	}{
		"job": {"UPDATE jobs SET data = '{}' WHERE id = '7'", func(ctx context.Context) error {
			_, err := b.Queue().Lookup(ctx, "q", "7")
			return err
		}},
		"big data of a job": {"UPDATE job_data SET data = '{}' WHERE n = (SELECT n FROM jobs WHERE id = '149')", func(ctx context.Context) error {
			_, err := b.Queue().Lookup(ctx, "q", "149")
			return err
		}},
		"document": {`UPDATE docs SET body = '{"kind":"x","n":2}' WHERE id = '7'`, func(ctx context.Context) error {
			_, err := b.Store().Get(ctx, "things", "7")
			return err
		}},
		"record": {"UPDATE records SET type = 'u' WHERE log = (SELECT id FROM logs WHERE subject = '7')", func(ctx context.Context) error {
			_, err := b.Store().Read(ctx, "7", adapter.Range{})
			return err
		}},
		"key": {"UPDATE keys SET value = '1' WHERE key = '7'", func(ctx context.Context) error {
			_, err := b.Store().KV().Get(ctx, "7")
			return err
		}},
		"message": {"UPDATE messages SET data = '1' WHERE n = 150", func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			return b.Stream().Subscribe(ctx, "t", adapter.SubscribeOptions{From: "149", Ready: cancel}, nil)
		}},
	} {
		if err := execSQL(t.Context(), db, damage.sql); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := damage.read(t.Context()); !errors.Is(err, file.ErrCorrupt) && what != "message" { // see Check below
			t.Errorf("read a damaged %s: %v, want ErrCorrupt", what, err)
		}
	}
	r, err := file.Check(t.Context(), dir)
	if !errors.Is(err, file.ErrCorrupt) || len(r.Problems) < 6 {
		t.Errorf("check: %v, problems %q, want one for each", err, r.Problems)
	}
}

func execSQL(ctx context.Context, db *sql.DB, query string) error {
	r, err := db.ExecContext(ctx, query)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("%q changed %d rows, %w", query, n, err)
	}
	return nil
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	b, dir := filled(t)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	foreign := t.TempDir()
	db, err := driver.Open(filepath.Join(foreign, "nvent.db"))
	if err == nil {
		_, err = db.ExecContext(t.Context(), "CREATE TABLE mine (n)")
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	noDatabase := t.TempDir()
	if err := os.WriteFile(filepath.Join(noDatabase, "nvent.db"), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := copyDir(t, dir, ".db", ".commits")
	db, err = driver.Open("file:" + filepath.Join(newer, "nvent.db"))
	if err == nil {
		_, err = db.ExecContext(t.Context(), "PRAGMA user_version = 99")
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	inFile := filepath.Join(noDatabase, "nvent.db")
	for what, tt := range map[string]struct {
		dir  string
		is   error
		says string
	}{
		"another program's": {foreign, file.ErrForeign, "another program"},
		"no database":       {noDatabase, file.ErrForeign, "no SQLite database"},
		"newer schema":      {newer, file.ErrNewer, "schema 99"},
		"missing path":      {filepath.Join(dir, "not", "there"), adapter.ErrInvalid, "does not exist"},
		"a file":            {inFile, adapter.ErrInvalid, "is a file"},
	} {
		b, err := file.Open(t.Context(), &file.Options{DataDir: tt.dir})
		if err == nil {
			b.Close()
		}
		if !errors.Is(err, tt.is) || !strings.Contains(fmt.Sprint(err), tt.says) {
			t.Errorf("%s: error %v, want one that says %q", what, err, tt.says)
		}
		if _, err := file.Check(t.Context(), tt.dir); err == nil {
			t.Errorf("%s: Check finds nothing", what)
		}
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	b, dir := filled(t)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		// The superuser may write anywhere, but not make a file where there is a directory of its name.
		if err := os.Remove(filepath.Join(dir, "nvent.lock")); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, "nvent.lock"), 0o700); err != nil {
			t.Fatal(err)
		}
	} else if err := os.Chmod(filepath.Join(dir, "nvent.lock"), 0o400); err != nil {
		t.Fatal(err)
	}
	b, err := file.Open(t.Context(), &file.Options{DataDir: dir})
	if err == nil {
		b.Close()
		t.Fatal("opened what cannot be written")
	}
	if !strings.Contains(err.Error(), "nvent.lock") {
		t.Errorf("error %v does not say what cannot be opened", err)
	}
}

// TestBackup copies a directory while it is written to, and restores the copy.
func TestBackup(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	b, err := file.Open(t.Context(), &file.Options{DataDir: dir, KeepCompletedCount: 1_000_000})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	a, before := &acked{docs: map[string]adapter.Version{}}, &acked{docs: map[string]adapter.Version{}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = busy(ctx, b, a) }()
	for enough := false; !enough; {
		a.mu.Lock()
		if enough = len(a.jobs) > 200; enough {
			before.jobs = append(before.jobs, a.jobs...)
		}
		a.mu.Unlock()
	}
	to := filepath.Join(t.TempDir(), "backup")
	err = file.Backup(t.Context(), dir, to)
	cancel()
	<-done
	if err != nil {
		t.Fatal(err)
	}
	before.has(t, to)
	if err := file.Backup(t.Context(), dir, to); !errors.Is(err, adapter.ErrInvalid) {
		t.Errorf("back up to where something is: %v, want ErrInvalid", err)
	}
}
