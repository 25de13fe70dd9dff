// Command testenv runs a command with the servers that tests need:
//
//	go run ./tools/testenv -- go test ./...
//
// For each service it takes the first that works: the server that the service's variable names (NVENT_TEST_REDIS_URL); one of
// docker compose, from the compose.yaml beside this file; one that it starts from the machine's own programs, which it
// installs where it is root on Debian. What it starts listens on the loopback interface, on a free port, and is stopped when
// the command has ended. The command finds the server by the variable, and testenv ends with its exit code.
//
// A service that cannot be had is an error if NVENT_REQUIRE (a list with commas) names it; else its tests are skipped, and
// testenv says so.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// service is something that tests need. Each has a file of its own.
type service struct {
	name     string // as in NVENT_REQUIRE and compose.yaml
	variable string // the environment variable with its URL; empty for a program that only has to be installed
	packages []string
	commands []string // what the packages bring
	// check reports whether a server answers at a URL.
	check func(ctx context.Context, url string) error
	// start starts a server with its data in dir, and returns its URL and how to stop it.
	start func(ctx context.Context, dir string) (url string, stop func() error, err error)
	// port is the one within docker compose's container, and url makes a URL of an address.
	port string
	url  func(address string) string
}

var services = []*service{&redis, &node}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) (code int) {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: testenv -- command [argument...]")
		return 2
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	env := os.Environ()
	for _, s := range services {
		url, stop, err := s.up(ctx)
		if stop != nil {
			defer func() {
				if err := stop(); err != nil {
					fmt.Fprintf(os.Stderr, "testenv: stop %s: %v\n", s.name, err)
					code = max(code, 1)
				}
			}()
		}
		switch {
		case err == nil && s.variable != "":
			env = append(env, s.variable+"="+url)
		case err == nil:
		case required(s.name):
			fmt.Fprintf(os.Stderr, "testenv: NVENT_REQUIRE names %s, but there is none: %v\n", s.name, err)
			return 1
		default:
			fmt.Fprintf(os.Stderr, "testenv: no %s; what needs it is skipped: %v\n", s.name, err)
		}
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	}
	fmt.Fprintf(os.Stderr, "testenv: run %s: %v\n", args[0], err)
	return 1
}

func required(name string) bool {
	return slices.Contains(strings.Split(os.Getenv("NVENT_REQUIRE"), ","), name)
}
