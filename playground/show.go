package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/playground/demos"
	"github.com/nvent-go/nvent/playground/orders"
)

// showDemos runs each demo and prints its log.
func showDemos(ctx context.Context, app *nvent.App, w io.Writer) error {
	for _, d := range demos.All() {
		fmt.Fprintf(w, "\n%s: %s\n", d.Name, d.About)
		result, err := d.Play(ctx, app, func(r nvent.Record) { printRecord(w, r) })
		switch {
		case d.Fails && errors.Is(err, nvent.ErrRunFailed):
			fmt.Fprintln(w, "  → failed, as it should")
		case err != nil:
			return fmt.Errorf("demo %s: %w", d.Name, err)
		default:
			fmt.Fprintf(w, "  → %s\n", result)
		}
	}
	fmt.Fprintln(w)
	return nil
}

func printRecord(w io.Writer, r nvent.Record) {
	what := r.Step
	if r.Scope != flow.RootScope {
		what += " " + r.Scope
	}
	switch r.Type {
	case flow.RecordChildStarted:
		what += " runs " + r.Key
	case flow.RecordAwaitRegistered:
		what += " waits for a " + r.Key
	case flow.RecordEmit, flow.RecordEmitAll:
		what += " emits " + r.Key
	case flow.RecordStepRetry, flow.RecordStepFailed:
		var e struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(r.Data, &e) == nil {
			what += ": " + e.Error
		}
	case flow.RecordFlowCompleted, flow.RecordFlowFailed:
		var sum flow.Summary
		if json.Unmarshal(r.Data, &sum) == nil && len(sum.Skipped) > 0 {
			what = fmt.Sprint("skipped ", sum.Skipped)
		}
	}
	fmt.Fprintf(w, "  %2d  %-16s  %s\n", r.Seq, r.Type, what)
}

// showProgress prints how far the orders are, twice a second: on one line of a terminal, else line by line every 5 seconds.
func showProgress(p *orders.Progress, w io.Writer, terminal bool) (stop func()) {
	if w == io.Discard {
		return func() {}
	}
	every, begin, end := 5*time.Second, "", "\n"
	if terminal {
		every, begin, end = 500*time.Millisecond, "\r", ""
	}
	line := func() {
		fmt.Fprintf(w, "%sorders: %d lines read, %d runs started, %d settled%s", begin, p.Lines.Load(), p.Started.Load(), p.Ended.Load(), end)
	}
	tick, done, gone := time.NewTicker(every), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for {
			select {
			case <-tick.C:
				line()
			case <-done:
				return
			}
		}
	}()
	return func() {
		tick.Stop()
		close(done)
		<-gone
		line()
		if terminal {
			fmt.Fprintln(w)
		}
	}
}

// isTerminal reports whether w is one.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// maxShown bounds the lists of the summary; the report has everything.
const maxShown = 10

// table prints the summary of a report.
func table(rep *orders.Report, o options, w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(t, "  %s\t%v\n", name, value) }
	fmt.Fprintln(t, "\nSummary")
	row("lines", rep.Lines)
	row("malformed", len(rep.Malformed))
	row("duplicates", rep.Duplicates)
	row("runs", rep.Runs)
	row("shipped", rep.Status["shipped"])
	row("declined", rep.Status["declined"])
	row("retried", rep.Retried)
	row("failed", len(rep.Failed))
	row("revenue", fmt.Sprintf("%d.%02d", rep.Cents/100, rep.Cents%100))
	row("pieces", rep.Pieces)
	row("time", fmt.Sprintf("%.2f s (%.0f orders/s)", rep.Seconds, float64(rep.Runs)/rep.Seconds))
	if o.report != "" {
		row("report", o.report)
	}
	for i, b := range rep.Malformed {
		if i == 0 {
			fmt.Fprintln(t, "\nMalformed lines")
		}
		if i == maxShown {
			fmt.Fprintf(t, "  and %d more (-json lists all)\n", len(rep.Malformed)-i)
			break
		}
		fmt.Fprintf(t, "  %s:%d\t%.90s\n", b.File, b.Line, b.Error)
	}
	for i, f := range rep.Failed {
		if i == maxShown {
			break
		}
		fmt.Fprintf(t, "  failed: %s\n", f)
	}
	return t.Flush()
}
