package file_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter/file"
	"github.com/nvent-go/nvent/flow"
)

// A worker is a child process that starts runs and works on them, until it is killed or its standard input ends.

const crashItems = 5 // of a fan-out

// runsEnv is how many runs of each flow there are: so many that they last until the last process is killed.
const runsEnv = "NVENT_TEST_FILE_RUNS"

var crashRuns, _ = strconv.Atoi(os.Getenv(runsEnv))

// workerOptions are those of a directory whose processes are killed.
func workerOptions(dir string) *file.Options {
	return &file.Options{DataDir: filepath.Join(dir, "data"), DefaultLease: time.Second,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
}

// ledger is a file beside the database, with a line for each time that a handler ran.
type ledger struct{ f *os.File }

func openLedger(dir string) (*ledger, error) {
	f, err := os.OpenFile(filepath.Join(dir, "ledger"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return &ledger{f}, err
}

// effect notes that something has happened, and returns its name.
func (l *ledger) effect() (string, error) {
	var raw [8]byte
	rand.Read(raw[:])
	id := "effect-" + hex.EncodeToString(raw[:])
	timer := time.NewTimer(time.Duration(mrand.IntN(10)) * time.Millisecond)
	defer timer.Stop()
	<-timer.C                            // so that many are killed half-way
	_, err := l.f.WriteString(id + "\n") // one write to the end of the file
	return id, err
}

var (
	crashPlaced  = flow.NewEvent[string]("placed")
	crashCharged = flow.NewEvent[string]("charged")
	crashPacked  = flow.NewEvent[string]("packed")
	crashPart    = flow.NewEvent[int]("part")
	crashDone    = flow.NewEvent[string]("done")
	crashMail    = nvent.Job[string]("mail", "send")
)

// crashFlows are a flow with a fan-in, one with a dynamic fan-out, and a job that a flow enqueues.
func crashFlows(l *ledger) []any {
	emitting := func(ctx context.Context, e *flow.Event[string]) (string, error) {
		id, err := l.effect()
		if err != nil {
			return "", err
		}
		return id, e.Emit(ctx, id)
	}
	one := flow.New[string, string]("fan-in")
	flow.Start(one, "place", func(ctx context.Context, _ string) (string, error) { return emitting(ctx, crashPlaced) }, flow.Emits(crashPlaced))
	flow.On(one, "charge", crashPlaced, func(ctx context.Context, _ string) (string, error) { return emitting(ctx, crashCharged) },
		flow.Emits(crashCharged))
	flow.On(one, "pack", crashPlaced, func(ctx context.Context, _ string) (string, error) { return emitting(ctx, crashPacked) },
		flow.Emits(crashPacked))
	flow.Returns(one, flow.Join2(one, "ship", crashCharged, crashPacked, func(_ context.Context, a, b string) (string, error) {
		id, err := l.effect()
		return strings.Join([]string{a, b, id}, "+"), err
	}))

	many := flow.New[string, int]("fan-out")
	flow.Start(many, "split", func(ctx context.Context, _ string) (string, error) {
		id, err := l.effect()
		if err != nil {
			return "", err
		}
		return id, crashPart.EmitAll(ctx, func(yield func(int) bool) {
			for i := 0; i < crashItems && yield(i); i++ {
			}
		})
	}, flow.EmitsAll(crashPart))
	flow.On(many, "work", crashPart, func(ctx context.Context, _ int) (string, error) { return emitting(ctx, crashDone) },
		flow.Emits(crashDone))
	flow.Returns(many, flow.Collect(many, "gather", crashDone, func(_ context.Context, g flow.Group[string]) (int, error) {
		n := 0
		for _, err := range g.Values() {
			if err != nil {
				return 0, err
			}
			n++
		}
		return n, nil
	}))
	return []any{one, many, crashMail.Handle(func(context.Context, string) error { _, err := l.effect(); return err })}
}

// openApp opens an App over a directory.
func openApp(ctx context.Context, dir string, l *ledger) (app *nvent.App, b *file.Backend, err error) {
	if b, err = file.Open(ctx, workerOptions(dir)); err != nil {
		return nil, nil, err
	}
	app, err = nvent.New(ctx, nvent.Config{
		Queue: nvent.QueueConfig{Driver: b.Queue()}, Stream: nvent.StreamConfig{Driver: b.Stream()}, Store: nvent.StoreConfig{Driver: b.Store()},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err == nil {
		err = app.Add(crashFlows(l)...)
	}
	if err != nil {
		return nil, nil, err
	}
	return app, b, app.Start(ctx)
}

// work is the main function of a worker.
func work(ctx context.Context, dir string) error {
	l, err := openLedger(dir)
	if err != nil {
		return err
	}
	defer func() { _ = l.f.Close() }()
	app, b, err := openApp(ctx, dir, l)
	if err != nil {
		return err
	}
	go func() { _ = startAll(ctx, app, 200*time.Millisecond) }() // what it has not started when it is killed others start
	_, _ = io.Copy(io.Discard, os.Stdin)                         // until the parent is gone
	closing, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := app.Close(closing); err != nil {
		return err
	}
	return b.Close()
}

// startAll starts all runs, and enqueues all jobs, that nobody has yet, with a pause after each that is new.
func startAll(ctx context.Context, app *nvent.App, wait time.Duration) error {
	for i := range crashRuns {
		key := fmt.Sprint(i)
		for _, name := range []string{"fan-in", "fan-out"} {
			run, err := app.StartFlow(ctx, name, key, nvent.WithKey(key))
			if err != nil {
				return fmt.Errorf("start run %s of %s: %w", key, name, err)
			}
			if !run.Existing() {
				timer := time.NewTimer(wait)
				<-timer.C
			}
		}
		if _, err := crashMail.Enqueue(ctx, app, key, nvent.Unique("mail-"+key)); err != nil {
			return fmt.Errorf("enqueue job %s: %w", key, err)
		}
	}
	return nil
}
