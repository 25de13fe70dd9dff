// Command playground is the demo of nvent: flows that run on real input.
//
// It shows a few small flows, and then reads orders from a file or directory of newline-delimited JSON, settles each of them
// with a flow, and writes a report. It ends with 0 when every order was settled, 1 when a run failed, 2 when it was called
// wrongly or could not read its input, and, with -strict, 3 when lines were malformed.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/playground/demos"
	"github.com/nvent-go/nvent/playground/orders"
)

// The exit codes.
const (
	exitOK        = 0
	exitFailed    = 1
	exitUsage     = 2
	exitMalformed = 3
)

//go:embed testdata/orders.ndjson
var sample []byte

type options struct {
	input, report       string
	json, strict, quiet bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	fs := flag.NewFlagSet("playground", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.input, "input", "", "file or directory of newline-delimited JSON orders (default: the sample of 1,000 lines)")
	fs.StringVar(&o.report, "report", "", "write the report as JSON to this file")
	fs.BoolVar(&o.json, "json", false, "print one JSON object and nothing else")
	fs.BoolVar(&o.strict, "strict", false, "end with 3 when lines are malformed")
	fs.BoolVar(&o.quiet, "quiet", false, "no demos, no progress")
	if err := fs.Parse(args); err != nil {
		return exitUsage
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(stderr, "playground: unexpected argument %q; name the input with -input\n", fs.Arg(0))
		return exitUsage
	}
	code, err := play(ctx, o, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "playground:", err)
	}
	return code
}

// play runs the app, the demos and the orders.
func play(ctx context.Context, o options, stdout, stderr io.Writer) (code int, err error) {
	files, cleanup, err := inputs(o.input)
	if err != nil {
		return exitUsage, err
	}
	defer cleanup()
	app, err := nvent.New(ctx, nvent.Config{Logger: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return exitUsage, err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if cerr := app.Close(closing); cerr != nil && err == nil {
			code, err = exitFailed, cerr
		}
	}()
	defs := []any{orders.Flow()}
	for _, d := range demos.All() {
		for _, f := range d.Flows() {
			defs = append(defs, f)
		}
	}
	if err := app.Add(defs...); err != nil {
		return exitUsage, err
	}
	if err := app.Start(ctx); err != nil {
		return exitFailed, err
	}
	show := stdout
	if o.json || o.quiet {
		show = io.Discard
	}
	if err := showDemos(ctx, app, show); err != nil {
		return exitFailed, err
	}
	var p orders.Progress
	stopProgress := showProgress(&p, show, isTerminal(stdout))
	rep, err := orders.Process(ctx, app, files, &p)
	stopProgress()
	if err != nil {
		return exitFailed, err
	}
	if o.input == "" {
		rep.Files = []string{"the sample"}
		for i := range rep.Malformed {
			rep.Malformed[i].File = "sample"
		}
	}
	if err := write(rep, o, stdout); err != nil {
		return exitFailed, err
	}
	switch {
	case len(rep.Failed) > 0:
		return exitFailed, fmt.Errorf("%d runs failed", len(rep.Failed))
	case o.strict && len(rep.Malformed) > 0:
		return exitMalformed, nil
	}
	return exitOK, nil
}

// inputs returns the files to read. The sample is written to a temporary one.
func inputs(path string) (files []string, cleanup func(), err error) {
	cleanup = func() {}
	if path != "" {
		files, err = orders.Files(path)
		return files, cleanup, err
	}
	dir, err := os.MkdirTemp("", "nvent-playground-")
	if err != nil {
		return nil, cleanup, err
	}
	cleanup = func() { _ = os.RemoveAll(dir) } // a leftover in the temporary directory harms nobody
	file := filepath.Join(dir, "orders.ndjson")
	return []string{file}, cleanup, os.WriteFile(file, sample, 0o600)
}

// write prints the report, and writes it to a file if that was asked for.
func write(rep *orders.Report, o options, stdout io.Writer) error {
	data, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if o.report != "" {
		if err := os.MkdirAll(filepath.Dir(o.report), 0o750); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
		if err := os.WriteFile(o.report, append(data, '\n'), 0o600); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	if o.json {
		_, err = fmt.Fprintf(stdout, "%s\n", data)
		return err
	}
	return table(rep, o, stdout)
}
