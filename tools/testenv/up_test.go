package main

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
)

// listener pretends to be a server, or not.
func listener(t *testing.T, answer string) string {
	t.Helper()
	var c net.ListenConfig
	l, err := c.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 64)
			if _, err := conn.Read(buf); err == nil {
				_, _ = conn.Write([]byte(answer))
			}
			conn.Close()
		}
	}()
	return "redis://" + l.Addr().String()
}

func TestTheVariableGoesFirst(t *testing.T) {
	good, bad := listener(t, "+PONG\r\n"), listener(t, "HTTP/1.1 400\r\n")
	for url, works := range map[string]bool{good: true, bad: false, "redis://127.0.0.1:1": false} {
		t.Setenv(redis.variable, url)
		got, stop, err := redis.up(t.Context())
		if (err == nil) != works || works && (got != url || stop != nil) {
			t.Errorf("%s: %q, %v", url, got, err)
		}
	}
}

func TestWhatWasStartedIsStopped(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no docker here
	s := service{name: "fake", variable: "NVENT_TEST_FAKE_URL", check: func(context.Context, string) error { return nil }}
	var dir string
	stopped := false
	s.start = func(_ context.Context, d string) (string, func() error, error) {
		dir = d
		return "fake://", func() error { stopped = true; return nil }, nil
	}
	url, stop, err := s.up(t.Context())
	if err != nil || url != "fake://" {
		t.Fatalf("up: %q, %v", url, err)
	}
	if err := stop(); err != nil || !stopped {
		t.Errorf("stop: %v, stopped %v", err, stopped)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its directory is left: %v", err)
	}
}

func TestRequired(t *testing.T) {
	t.Setenv("NVENT_REQUIRE", "race,redis")
	if !required("redis") || required("red") {
		t.Error("NVENT_REQUIRE is a list of names")
	}
}
