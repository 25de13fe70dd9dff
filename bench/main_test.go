package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCalledWrongly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"no suite", nil, "bench: no suite is named: name one or more of memory, flows, file, redis, such as: go run ./bench memory\n"},
		{"unknown suite", []string{"memroy"}, "bench: unknown suite \"memroy\": there is memory, flows, file, redis\n"},
		{"unknown suite after a known one", []string{"memory", "--json", "redys"}, "bench: unknown suite \"redys\": there is memory, flows, file, redis\n"},
		{"unknown measure", []string{"memory", "--only", "job"},
			"bench: suite \"memory\" has no measure \"job\": there is jobs, flow3, publish, enqueue\n"},
		{"unknown flag", []string{"memory", "--fast"}, "bench: flag provided but not defined: -fast; --help lists the flags\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			if code := run(t.Context(), tt.args, &out, &errs); code != exitUsage || out.Len() > 0 || errs.String() != tt.want {
				t.Errorf("exit %d, output %q, error %q; want exit %d, no output, %q", code, &out, &errs, exitUsage, tt.want)
			}
		})
	}
}

func TestHelpListsSuitesAndFlags(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"memory", "--help"}, &out, &errs); code != exitOK || errs.Len() > 0 {
		t.Errorf("exit %d, error %q; want 0 and none", code, &errs)
	}
	for _, want := range []string{"  memory ", "--json", "--quick", "--only MEASURE", "--profile FILE", "--help"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("help does not mention %q:\n%s", want, &out)
		}
	}
}

func TestFlagsBeforeAndAfterSuites(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"--quick", "memory", "-json", "--profile", "cpu.out"})
	if err != nil || len(o.suites) != 1 || o.suites[0] != &memorySuite || !o.quick || !o.json || o.profile != "cpu.out" {
		t.Errorf("parsed %+v, %v", o, err)
	}
}

func TestOnlyOneMeasure(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"memory", "--only", "publish"})
	if err != nil {
		t.Fatal(err)
	}
	if m := o.suites[0].measures(quickScale); len(m) != 1 || m[0].name != "publish" {
		t.Errorf("measures %+v, want publish alone", m)
	}
}

func TestProfileThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	path := filepath.Join(t.TempDir(), "none", "cpu.out")
	code := run(t.Context(), []string{"memory", "--profile", path}, &out, &errs)
	if code != exitFailed || !strings.HasPrefix(errs.String(), "bench: write profile: ") {
		t.Errorf("exit %d, error %q; want exit %d", code, &errs, exitFailed)
	}
}

// TestMemorySuite runs all contestants on very little work.
func TestMemorySuite(t *testing.T) {
	t.Parallel()
	var progress, out bytes.Buffer
	results, err := memorySuite.run(t.Context(), scale{rounds: 2, jobs: 2000, runs: 20, slowRuns: 4, samples: 10}, &progress)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeJSON(&out, results); err != nil {
		t.Fatal(err)
	}
	peers := map[string]string{
		"memory/jobs.throughput": "", "memory/jobs.cpu": "", "memory/jobs.allocs": "",
		"memory/flow3.throughput": "go-workflows", "memory/flow3.cpu": "go-workflows", "memory/flow3.allocs": "go-workflows",
		"memory/publish.p50": "watermill-gochannel", "memory/publish.p99": "watermill-gochannel",
		"memory/enqueue.p50": "", "memory/enqueue.p99": "",
	}
	dec := json.NewDecoder(&out)
	for dec.More() {
		var line struct {
			Name  string
			Value float64
			Peers map[string]float64
			Ratio *float64
		}
		if err := dec.Decode(&line); err != nil {
			t.Fatal(err)
		}
		peer, known := peers[line.Name]
		delete(peers, line.Name)
		if !known || line.Value <= 0 || (line.Ratio != nil) != (peer != "") || (peer != "" && line.Peers[peer] <= 0) {
			t.Errorf("line %+v; want a value, and the peer %q with a ratio", line, peer)
		}
	}
	for name := range peers {
		t.Errorf("%s is missing", name)
	}
	if got := strings.Count(progress.String(), "\n"); got != 2*6 {
		t.Errorf("%d lines of progress, want one for each turn:\n%s", got, &progress)
	}
}

func TestSuiteEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := memorySuite.run(ctx, quickScale, new(bytes.Buffer)); err == nil {
		t.Error("a suite that was cancelled has results")
	}
}

func TestProfileIsWritten(t *testing.T) { // not parallel: there is one profile of a process at a time
	path := filepath.Join(t.TempDir(), "cpu.out")
	stop, err := startProfile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || len(data) == 0 {
		t.Errorf("profile has %d bytes, %v", len(data), err)
	}
}
