package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestRedisSuite runs all contestants on very little work.
func TestRedisSuite(t *testing.T) {
	t.Parallel()
	for _, need := range []struct{ name, command string }{{"redis", "redis-server"}, {"node", "npm"}} {
		if _, err := exec.LookPath(need.command); err != nil {
			if strings.Contains(","+os.Getenv("NVENT_REQUIRE")+",", ","+need.name+",") {
				t.Fatalf("NVENT_REQUIRE names %s, but there is no %s", need.name, need.command)
			}
			t.Skipf("no %s", need.command)
		}
	}
	small := scale{rounds: 1, slowRuns: 4, redisJobs: 1000, redisRuns: 20, redisSamples: 5}
	results, err := redisSuite.measure(t.Context(), small, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	if want := 7*2 + 2 + 1 + 3; len(results) != want {
		t.Errorf("%d results, want %d", len(results), want)
	}
	for _, r := range results {
		if r.value < 0 || len(r.peers) == 0 {
			t.Errorf("%s is %v, with peers %v", r.name, r.value, r.peers)
		}
	}
}
