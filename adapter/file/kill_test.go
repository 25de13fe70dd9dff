package file_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file"
	"github.com/nvent-go/nvent/enginetest"
	"github.com/nvent-go/nvent/flow"
)

// killsEnv is how many processes TestKilledProcesses kills; make soak asks for more.
const killsEnv = "NVENT_FILE_KILLS"

// child is a worker process.
type child struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr bytes.Buffer
	ended  chan struct{}
}

func startWorker(t *testing.T, binary, dir string) *child {
	t.Helper()
	c := &child{cmd: exec.CommandContext(t.Context(), binary), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), childEnv+"="+dir, fmt.Sprint(runsEnv, "=", crashRuns))
	c.cmd.Stderr = &c.stderr
	stdin, err := c.cmd.StdinPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	c.stdin = stdin
	go func() {
		defer close(c.ended)
		_ = c.cmd.Wait() // how it ended is looked at in ProcessState
	}()
	return c
}

// died fails the test if a worker has ended by itself.
func (c *child) died(t *testing.T) {
	t.Helper()
	select {
	case <-c.ended:
		t.Fatalf("a worker ended by itself: %v\n%s", c.cmd.ProcessState, c.stderr.Bytes())
	default:
	}
}

func (c *child) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func pause(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
		t.Fatal(context.Cause(t.Context()))
	}
}

// TestKilledProcesses kills processes that work on runs, at random moments, and stops some of them for longer than their
// leases. In the end every run must have ended well, with one outcome for each iteration, all of which happened; no job may
// be lost, and the database must be sound.
func TestKilledProcesses(t *testing.T) {
	kills := 200
	if text := os.Getenv(killsEnv); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	crashRuns = 4 * kills
	dir, binary := t.TempDir(), childBinary(t)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	children := make([]*child, 4)
	for i := range children {
		children[i] = startWorker(t, binary, dir)
	}
	for n := range kills {
		// A worker needs some 50 ms to begin; some are killed while they open the directory.
		pause(t, time.Duration(10+random.IntN(190))*time.Millisecond)
		i := random.IntN(len(children))
		c := children[i]
		c.died(t)
		if n%20 == 19 {
			c.signal(t, syscall.SIGSTOP)
			pause(t, 2500*time.Millisecond)
			c.signal(t, syscall.SIGCONT)
			pause(t, 100*time.Millisecond)
			c.died(t)
		}
		c.signal(t, syscall.SIGKILL)
		<-c.ended
		children[i] = startWorker(t, binary, dir)
	}
	if done := len(effects(t, dir)); done > 9*crashRuns {
		t.Errorf("all %d effects had happened before the last process was killed: the test tests nothing", done)
	}
	for _, c := range children {
		c.died(t)
		_ = c.stdin.Close()
	}
	for _, c := range children {
		select {
		case <-c.ended:
		case <-time.After(30 * time.Second):
			t.Fatal("a worker does not close")
		}
		if !c.cmd.ProcessState.Success() {
			t.Errorf("a worker failed to close: %v\n%s", c.cmd.ProcessState, c.stderr.Bytes())
		}
	}
	verify(t, dir)
}

// verify lets what is left come to its end, and looks at everything that was done.
func verify(t *testing.T, dir string) {
	t.Helper()
	l, err := openLedger(dir)
	if err != nil {
		t.Fatal(err)
	}
	app, b, err := openApp(t.Context(), dir, l)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := app.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		r := checkDir(t, filepath.Join(dir, "data"))
		t.Logf("%d commits, %d records, jobs %v", r.Commits, r.Records, r.Jobs)
	}()
	if err := startAll(t.Context(), app, 0); err != nil {
		t.Fatal(err)
	}
	patience, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	accepted := map[string]string{}
	for i := range crashRuns {
		for _, name := range []string{"fan-in", "fan-out"} {
			run, err := app.StartFlow(patience, name, fmt.Sprint(i), nvent.WithKey(fmt.Sprint(i)))
			if err != nil {
				t.Fatal(err)
			}
			result, err := run.Wait(patience)
			if err != nil {
				t.Errorf("run %s of %s: %v", run.ID(), name, err)
				continue
			}
			verifyRun(t, b, run.ID(), name, string(result), accepted)
		}
	}
	happened := effects(t, dir)
	for id, where := range accepted {
		if happened[id] != 1 {
			t.Errorf("%s, recorded by %s, is in the ledger %d times", id, where, happened[id])
		}
	}
	verifyJobs(patience, t, b)
}

var effectID = regexp.MustCompile(`effect-[0-9a-f]{16}`)

// effects returns what is in the ledger, and how many times.
func effects(t *testing.T, dir string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for line := range strings.Lines(string(text)) {
		found[strings.TrimSpace(line)]++
	}
	return found
}

func verifyRun(t *testing.T, b *file.Backend, run, name, result string, accepted map[string]string) {
	t.Helper()
	records, err := b.Store().Read(t.Context(), run, adapter.Range{Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	if err := enginetest.CheckLog(records); err != nil {
		t.Errorf("run %s of %s: %v", run, name, err)
	}
	outcomes := map[string]int{}
	for i := range records {
		if records[i].Type != flow.RecordStepCompleted {
			continue
		}
		outcomes[records[i].Step]++
		ids := effectID.FindAllString(string(records[i].Data), -1)
		if len(ids) == 0 {
			continue
		}
		id := ids[len(ids)-1] // its own: that of ship comes after those that it got
		if where, twice := accepted[id]; twice {
			t.Errorf("%s is recorded twice: by %s and by run %s, step %s", id, where, run, records[i].Step)
		}
		accepted[id] = "run " + run + ", step " + records[i].Step
	}
	want := map[string]int{"place": 1, "charge": 1, "pack": 1, "ship": 1}
	wellFormed := len(effectID.FindAllString(result, -1)) == 3
	if name == "fan-out" {
		want = map[string]int{"split": 1, "work": crashItems, "gather": 1}
		wellFormed = result == fmt.Sprint(crashItems)
	}
	if fmt.Sprint(outcomes) != fmt.Sprint(want) || !wellFormed {
		t.Errorf("run %s of %s: outcomes %v, want %v; result %s", run, name, outcomes, want, result)
	}
}

// verifyJobs waits until all jobs are done.
func verifyJobs(ctx context.Context, t *testing.T, b *file.Backend) {
	t.Helper()
	for {
		stats, err := b.Queue().Stats(ctx, "mail")
		if err != nil {
			t.Fatal(err)
		}
		counts := stats[0].Counts
		if counts[adapter.JobCompleted] == int64(crashRuns) {
			return
		}
		if counts[adapter.JobFailed] > 0 || ctx.Err() != nil {
			t.Fatalf("jobs: %v, want %d completed", counts, crashRuns)
		}
		pause(t, 50*time.Millisecond)
	}
}
