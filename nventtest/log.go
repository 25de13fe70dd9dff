package nventtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

// Log is the log of a run. It prints itself as a table.
type Log []nvent.Record

// Log returns the run's log as it is now. It lets no time pass.
func (r *Run[Out]) Log() Log {
	r.app.t.Helper()
	synctest.Wait()
	until := r.app.state(r.ID()).Seq
	if until == 0 {
		return nil
	}
	var log Log
	for rec, err := range r.Events(context.Background(), 0) {
		if err != nil {
			r.app.t.Fatalf("%v", err)
		}
		if log = append(log, rec); rec.Seq >= until {
			break
		}
	}
	return log
}

// Of returns the records of a type and of a step, in their order. An empty type or step stands for all.
func (l Log) Of(typ, step string) Log {
	var found Log
	for _, rec := range l {
		if (typ == "" || rec.Type == typ) && (step == "" || rec.Step == step) {
			found = append(found, rec)
		}
	}
	return found
}

// WantRecords reports a log that does not have exactly n records of a type and of a step (empty: of any), and returns those
// that it has. The types are constants of package flow, such as [flow.RecordStepRetry].
func (r *Run[Out]) WantRecords(n int, typ, step string) Log {
	r.app.t.Helper()
	found := r.Log().Of(typ, step)
	if len(found) != n {
		r.app.t.Errorf("%d records of type %q and step %q, want %d\n%s", len(found), typ, step, n, r.describe())
	}
	return found
}

// WantOrder reports a log in which these steps have not completed in this order. Others may have completed in between.
func (r *Run[Out]) WantOrder(steps ...string) {
	r.app.t.Helper()
	var done []string
	for _, rec := range r.Log().Of(flow.RecordStepCompleted, "") {
		done = append(done, rec.Step)
	}
	next := 0
	for _, step := range done {
		if next < len(steps) && step == steps[next] {
			next++
		}
	}
	if next < len(steps) {
		why := "has not completed"
		if slices.Contains(done, steps[next]) {
			why = "has not completed after those before it"
		}
		r.app.t.Errorf("step %q %s; steps completed in the order %q, want %q\n%s", steps[next], why, done, steps, r.describe())
	}
}

// describe returns what a failure shows of the run.
func (r *Run[Out]) describe() string {
	r.app.t.Helper()
	s := r.app.state(r.ID())
	status := string(s.Status)
	if s.Paused {
		status += ", paused"
	}
	return fmt.Sprintf("run %s of flow %q: %s, epoch %d\n%s", r.ID(), s.Flow, status, s.Epoch, r.Log())
}

// maxShown bounds the columns of the table, in characters.
const maxShown = 60

// String returns the log as a table: one line per record, with the time since the first.
func (l Log) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "seq\tafter\ttype\tscope\tstep\tattempt\tkey\tdata\tcauses")
	for _, rec := range l {
		attempt := ""
		if rec.Attempt > 0 {
			attempt = fmt.Sprint(rec.Attempt)
		}
		if rec.Iteration > 0 {
			attempt += fmt.Sprintf(" of iteration %d", rec.Iteration)
		}
		causes := ""
		if len(rec.Causes) > 0 {
			causes = strings.Trim(fmt.Sprint(rec.Causes), "[]")
		}
		data := short(string(rec.Data))
		if rec.Type == flow.RecordStepStarted {
			data = "" // which worker says nothing here
		}
		fmt.Fprintf(w, "%d\t%v\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", rec.Seq, rec.At.Sub(l[0].At).Round(time.Millisecond), rec.Type,
			rec.Scope, rec.Step, attempt, short(rec.Key), data, causes)
	}
	if err := w.Flush(); err != nil {
		return err.Error() // a strings.Builder takes everything
	}
	return b.String()
}

// short cuts what is too long for a column, and what would break a line.
func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if chars := []rune(s); len(chars) > maxShown {
		return string(chars[:maxShown-1]) + "…"
	}
	return s
}
