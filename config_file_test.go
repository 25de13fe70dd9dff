//go:build !nvent_nofile

package nvent_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

// fileConfig keeps everything in a directory, as nvent.yaml would say it.
func fileConfig(dir string) nvent.Config {
	return nvent.Config{
		Queue: nvent.QueueConfig{Adapter: "file"}, Stream: nvent.StreamConfig{Adapter: "file"}, Store: nvent.StoreConfig{Adapter: "file"},
		Connections: map[string]nvent.Options{"file": {"dataDir": dir}},
	}
}

// TestFileAdapterByConfiguration runs a flow, and looks at its run with an App that comes after.
func TestFileAdapterByConfiguration(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	open := func() *nvent.App {
		app, err := nvent.New(t.Context(), fileConfig(dir))
		if err != nil {
			t.Fatal(err)
		}
		f := flow.New[int, int]("double")
		flow.Returns(f, flow.Start(f, "twice", func(_ context.Context, n int) (int, error) { return 2 * n, nil }))
		if err := app.Add(f); err != nil {
			t.Fatal(err)
		}
		if err := app.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		return app
	}
	first := open()
	run, err := first.StartFlow(t.Context(), "double", 21, nvent.WithKey("k"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := run.Wait(t.Context()); err != nil || string(got) != "42" {
		t.Fatalf("result %s, %v", got, err)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := open()
	defer func() {
		if err := second.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	again, err := second.StartFlow(t.Context(), "double", 0, nvent.WithKey("k"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Wait(t.Context()); err != nil || string(got) != "42" || !again.Existing() {
		t.Errorf("the run of yesterday: result %s, existing %v, %v", got, again.Existing(), err)
	}
}

func TestFileAdapterSaysWhereItCannotBe(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "not", "there")
	_, err := nvent.New(t.Context(), fileConfig(missing))
	if err == nil || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), "connections.file.dataDir") {
		t.Errorf("error %v, want one that names %s and the key", err, missing)
	}
}
