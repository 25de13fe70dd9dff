package interop_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const patience = 30 * time.Second

// versions are the versions of bullmq that everything is tested with: node/package.json pins them.
var versions = []string{"5", "6"}

// install puts bullmq where the driver finds it, once.
var install = sync.OnceValue(func() error {
	lock, err := os.ReadFile("node/package-lock.json")
	if err != nil {
		return err
	}
	const mark = "node/node_modules/.nvent-lock"
	if have, err := os.ReadFile(mark); err == nil && slices.Equal(have, lock) {
		return nil
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = "node"
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return os.WriteFile(mark, lock, 0o600)
})

// node is a process that runs bullmq.
type node struct {
	t     testing.TB
	cmd   *exec.Cmd
	in    io.WriteCloser
	ended chan struct{}

	mu     sync.Mutex
	last   int
	calls  map[int]chan answer
	events []event
}

type answer struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error"`
}

// event is what happened in the process by itself.
type event struct {
	Event, ID, Queue, Name, Error string
	Attempt                       int
	Args                          []json.RawMessage
	Data                          json.RawMessage
}

// startNode starts a process with a version of bullmq. Without Node the test is skipped, or fails if NVENT_REQUIRE names node.
func startNode(t testing.TB, version, url, prefix string) *node {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		if strings.Contains(","+os.Getenv("NVENT_REQUIRE")+",", ",node,") {
			t.Fatal("NVENT_REQUIRE names node, but there is none")
		}
		t.Skip("no node: bullmq cannot be tested")
	}
	if err := install(); err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, ended: make(chan struct{}), calls: map[int]chan answer{}}
	n.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), "node", "driver.mjs", version, url, prefix)
	n.cmd.Dir, n.cmd.Stderr = "node", os.Stderr
	var err error
	if n.in, err = n.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go n.read(out)
	t.Cleanup(n.kill)
	return n
}

// kill ends the process as kill -9 does.
func (n *node) kill() {
	_ = n.cmd.Process.Kill() // it may have ended
	<-n.ended
	_ = n.cmd.Wait() // it was killed
}

func (n *node) read(out io.Reader) {
	defer close(n.ended)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var both struct {
			answer
			Event string `json:"event"`
		}
		if json.Unmarshal(lines.Bytes(), &both) == nil && both.Event == "" {
			n.mu.Lock()
			c := n.calls[both.ID]
			delete(n.calls, both.ID)
			n.mu.Unlock()
			if c != nil {
				c <- both.answer
			}
			continue
		}
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			e = event{Event: "malformed", Error: err.Error() + ": " + lines.Text()}
		}
		n.mu.Lock()
		n.events = append(n.events, e)
		n.mu.Unlock()
	}
}

type args map[string]any

// start sends a call; the returned function waits for its answer.
func (n *node) start(op string, a args) func() (json.RawMessage, error) {
	n.mu.Lock()
	n.last++
	id, c := n.last, make(chan answer, 1)
	n.calls[id] = c
	n.mu.Unlock()
	full := args{"id": id, "op": op}
	maps.Copy(full, a)
	raw, err := json.Marshal(full)
	if err == nil {
		_, err = n.in.Write(append(raw, '\n'))
	}
	return func() (json.RawMessage, error) {
		if err != nil {
			return nil, err
		}
		select {
		case a := <-c:
			if a.Error != "" {
				return nil, errors.New(a.Error)
			}
			return a.Result, nil
		case <-n.ended:
			return nil, errors.New("node has ended")
		case <-time.After(patience):
			return nil, errors.New(op + ": no answer")
		}
	}
}

// call calls an operation of the driver, which must succeed.
func (n *node) call(op string, a args) json.RawMessage {
	n.t.Helper()
	result, err := n.start(op, a)()
	if err != nil {
		n.t.Fatalf("node: %s: %v", op, err)
	}
	return result
}

// seen returns the events of a kind so far.
func (n *node) seen(kind string) []event {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(n.events), func(e event) bool { return e.Event != kind })
}

// names returns the names of the queue events of a job so far.
func (n *node) names(job string) []string {
	var names []string
	for _, e := range n.seen("queueEvent") {
		var a struct {
			JobID string `json:"jobId"`
		}
		if len(e.Args) > 0 && json.Unmarshal(e.Args[0], &a) == nil && a.JobID == job {
			names = append(names, e.Name)
		}
	}
	return names
}

// until waits for a condition.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after %v", what, patience)
		}
		<-time.After(10 * time.Millisecond)
	}
}
