// Package redistest gives tests a Redis server.
package redistest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// URL returns the URL of a server for tests: the one that NVENT_TEST_REDIS_URL names, or one that is started for t.
func URL(t testing.TB) string {
	t.Helper()
	if url := os.Getenv("NVENT_TEST_REDIS_URL"); url != "" {
		return url
	}
	return Start(t).URL()
}

// Client returns a client of the server at url, closed with the test.
func Client(t testing.TB, url string) rueidis.Client {
	t.Helper()
	o, err := rueidis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	o.DisableCache, o.DisableRetry = true, true
	c, err := rueidis.NewClient(o)
	if err != nil {
		t.Fatalf("connect to the test server: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// Server is a redis-server of a test's own, on a port of its own, which the test may stop and start.
type Server struct {
	t    testing.TB
	dir  string
	args []string
	// first are arguments that come before all others: the configuration of a Sentinel.
	first []string
	cmd   *exec.Cmd
	Port  int
}

// Start starts a server that is stopped with the test. args go over the defaults: no persistence, loopback only. Where there
// is no redis-server the test is skipped, or fails if NVENT_REQUIRE names redis.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return startOn(t, FreePort(t), args)
}

func startOn(t testing.TB, port int, args []string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if strings.Contains(","+os.Getenv("NVENT_REQUIRE")+",", ",redis,") {
			t.Fatal("NVENT_REQUIRE names redis, but there is neither NVENT_TEST_REDIS_URL nor a redis-server")
		}
		t.Skip("no redis: set NVENT_TEST_REDIS_URL, or install redis-server")
	}
	s := &Server{t: t, dir: t.TempDir(), args: args, Port: port}
	t.Cleanup(s.Stop)
	s.Run()
	return s
}

// URL returns the server's URL.
func (s *Server) URL() string { return "redis://127.0.0.1:" + strconv.Itoa(s.Port) }

// Run starts the server, if it does not run, and waits until it answers.
func (s *Server) Run() {
	s.t.Helper()
	if s.cmd != nil {
		return
	}
	args := slices.Concat(s.first, []string{"--port", strconv.Itoa(s.Port), "--bind", "127.0.0.1", "--dir", s.dir,
		"--daemonize", "no", "--logfile", s.dir + "/log"})
	if s.first == nil {
		args = append(args, "--save", "", "--appendonly", "no")
	}
	args = append(args, s.args...)
	s.cmd = exec.CommandContext(context.WithoutCancel(s.t.Context()), "redis-server", args...) //nolint:gosec // a test says how
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		s.t.Fatalf("start redis-server: %v", err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := ping(s.Port)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(s.dir + "/log")
			s.t.Fatalf("redis-server on port %d does not answer: %v\n%s", s.Port, err, text)
		}
		pause(10 * time.Millisecond)
	}
}

// Stop kills the server, as a power cut would.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended by itself
	_ = s.cmd.Wait()         // and then says that it was killed
	s.cmd = nil
}

// Signal sends a signal to the server's process.
func (s *Server) Signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal redis-server: %v", err)
	}
}

func ping(port int) error {
	var d net.Dialer
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // it was only asked
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "+PONG") {
		err = fmt.Errorf("answer %q", line)
	}
	return err
}

func pause(d time.Duration) { <-time.After(d) }

// FreePort returns a port that nobody listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	var c net.ListenConfig
	l, err := c.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // its port was only looked at
	return l.Addr().(*net.TCPAddr).Port
}
