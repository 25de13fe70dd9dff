package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Sentinel is a primary with a replica that a Sentinel of a test's own watches.
type Sentinel struct {
	Primary, Replica, watch *Server
}

// StartSentinel starts a primary, its replica and a Sentinel, all stopped with the test. Where there is no redis-server see
// [Start].
func StartSentinel(t testing.TB, args ...string) *Sentinel {
	t.Helper()
	g := &Sentinel{Primary: Start(t, args...)}
	g.Replica = Start(t, append([]string{"--replicaof", "127.0.0.1 " + strconv.Itoa(g.Primary.Port), "--repl-diskless-sync-delay", "0"}, args...)...)
	until(t, "the replica follows", func() bool {
		return strings.Contains(g.Replica.Command(t, "INFO", "replication"), "master_link_status:up")
	})
	config := filepath.Join(t.TempDir(), "sentinel.conf") // Sentinel writes what it learns into it
	text := fmt.Sprintf("sentinel monitor nvent 127.0.0.1 %d 1\nsentinel down-after-milliseconds nvent 500\n"+
		"sentinel failover-timeout nvent 5000\n", g.Primary.Port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g.watch = &Server{t: t, dir: t.TempDir(), first: []string{config, "--sentinel"}, Port: FreePort(t)}
	t.Cleanup(g.watch.Stop)
	g.watch.Run()
	until(t, "the Sentinel knows the replica", func() bool {
		return strings.Contains(g.watch.Command(t, "SENTINEL", "REPLICAS", "nvent"), strconv.Itoa(g.Replica.Port))
	})
	return g
}

// URL returns the URL of the group, by its Sentinel.
func (g *Sentinel) URL() string { return g.watch.URL() + "?master_set=nvent" }

// Promoted reports whether the Sentinel has made the replica the primary.
func (g *Sentinel) Promoted() bool {
	return strings.Contains(g.watch.Command(g.watch.t, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "nvent"), strconv.Itoa(g.Replica.Port)) &&
		strings.Contains(g.Replica.Command(g.watch.t, "INFO", "replication"), "role:master")
}

func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !cond(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after 30 s", what)
		}
		pause(20 * time.Millisecond)
	}
}
