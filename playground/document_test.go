package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/playground/demos"
)

// documentsDir tells the child process of TestDemosRunFromTheirDocuments where the documents are.
const documentsDir = "NVENT_PLAYGROUND_DOCUMENTS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(documentsDir); dir != "" {
		if err := runDocuments(context.Background(), dir, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestDemosRunFromTheirDocuments saves every demo as YAML, runs it from there in a fresh process that has only the handlers,
// and compares the logs: promise 7, same flow, same log.
func TestDemosRunFromTheirDocuments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, d := range demos.All() {
		for _, f := range d.Flows() {
			doc, err := f.Wiring().YAML()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, f.Name()+".yaml"), doc, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	var want bytes.Buffer
	var defs []any
	for _, d := range demos.All() {
		for _, f := range d.Flows() {
			defs = append(defs, f)
		}
	}
	if err := logs(t.Context(), &want, defs); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), exe)
	child.Env = append(os.Environ(), documentsDir+"="+dir)
	var stderr bytes.Buffer
	child.Stderr = &stderr
	got, err := child.Output()
	if err != nil {
		t.Fatalf("child: %v: %s", err, &stderr)
	}
	if string(got) != want.String() {
		t.Errorf("logs differ.\nfrom documents:\n%s\nfrom Go:\n%s", got, &want)
	}
	if strings.Count(want.String(), "flow.completed") != 9 || strings.Count(want.String(), "flow.failed") != 2 {
		t.Errorf("the demos did not do what they show:\n%s", &want)
	}
}

// runDocuments is the child: it knows the handlers by name, and the flows only from the documents.
func runDocuments(ctx context.Context, dir string, w io.Writer) error {
	var defs []any
	for _, d := range demos.All() {
		for _, f := range d.Flows() {
			for _, h := range f.Handlers() {
				defs = append(defs, h)
			}
			file := filepath.Join(dir, f.Name()+".yaml")
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			wiring, err := flow.ParseWiring(data, file)
			if err != nil {
				return err
			}
			defs = append(defs, wiring)
		}
	}
	return logs(ctx, w, defs)
}

// logs runs every demo and writes its log as a partial order: each record with what caused it, without what depends on
// timing.
func logs(ctx context.Context, w io.Writer, defs []any) (err error) {
	app, err := nvent.New(ctx, nvent.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() {
		if cerr := app.Close(ctx); err == nil {
			err = cerr
		}
	}()
	if err := app.Add(defs...); err != nil {
		return err
	}
	if err := app.Start(ctx); err != nil {
		return err
	}
	for _, d := range demos.All() {
		names := map[uint64]string{}
		var lines []string
		_, err := d.Play(ctx, app, func(r nvent.Record) {
			names[r.Seq] = r.Type + " " + r.Scope + " " + r.Step + " " + r.Key
			if r.Type == flow.RecordStepStarted {
				return
			}
			line := fmt.Sprintf("%s %s %s %s %d", r.Type, r.Scope, r.Step, r.Key, r.Attempt)
			switch r.Type {
			case flow.RecordFlowCompleted, flow.RecordFlowFailed: // they hold seqs
			case flow.RecordAwaitRegistered: // it holds a time
			default:
				line += " " + compact(r.Data)
			}
			var causes []string
			for _, c := range r.Causes {
				causes = append(causes, names[c])
			}
			slices.Sort(causes)
			lines = append(lines, fmt.Sprint(line, " ← ", causes))
		})
		if err != nil && (!d.Fails || !errors.Is(err, nvent.ErrRunFailed)) {
			return err
		}
		slices.Sort(lines)
		fmt.Fprintf(w, "%s\n%s\n", d.Name, strings.Join(lines, "\n"))
	}
	return nil
}

func compact(data json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, data) != nil {
		return string(data)
	}
	return b.String()
}
