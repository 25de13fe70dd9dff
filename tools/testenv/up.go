package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// up makes a service available. stop may be nil.
func (s *service) up(ctx context.Context) (url string, stop func() error, err error) {
	if s.variable != "" {
		if url := os.Getenv(s.variable); url != "" {
			if err := s.check(ctx, url); err != nil {
				return "", nil, fmt.Errorf("%s names a server that does not answer: %w", s.variable, err)
			}
			return url, nil, nil
		}
		if url, stop, err := s.compose(ctx); err == nil {
			return url, stop, nil
		}
	}
	if err := s.install(ctx); err != nil {
		return "", nil, err
	}
	if s.start == nil {
		return "", nil, nil
	}
	dir, err := os.MkdirTemp("", "testenv-"+s.name+"-")
	if err != nil {
		return "", nil, err
	}
	url, halt, err := s.start(ctx, dir)
	if err == nil {
		if err = s.wait(ctx, url); err != nil {
			err = errors.Join(err, halt())
		}
	}
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return url, func() error { return errors.Join(halt(), os.RemoveAll(dir)) }, nil
}

// wait waits until a server answers.
func (s *service) wait(ctx context.Context, url string) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := s.check(ctx, url)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("%s was started, but does not answer: %w", s.name, err)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// compose starts the service of compose.yaml, in a project of its own.
func (s *service) compose(ctx context.Context) (url string, stop func() error, err error) {
	if err := exec.CommandContext(ctx, "docker", "compose", "version").Run(); err != nil {
		return "", nil, fmt.Errorf("no docker compose: %w", err)
	}
	if err := exec.CommandContext(ctx, "docker", "info").Run(); err != nil {
		return "", nil, fmt.Errorf("no docker: %w", err)
	}
	project := fmt.Sprintf("nvent-test-%d", os.Getpid())
	docker := func(ctx context.Context, args ...string) (string, error) {
		all := append([]string{"compose", "-p", project, "-f", filepath.Join("tools", "testenv", "compose.yaml")}, args...)
		return output(exec.CommandContext(ctx, "docker", all...))
	}
	stop = func() error {
		_, err := docker(context.Background(), "down", "--volumes", "--timeout", "2")
		return err
	}
	if _, err := docker(ctx, "up", "-d", "--wait", s.name); err != nil {
		return "", nil, errors.Join(err, stop())
	}
	address, err := docker(ctx, "port", s.name, s.port)
	if err == nil {
		url = s.url(strings.TrimSpace(address))
		err = s.wait(ctx, url)
	}
	if err != nil {
		return "", nil, errors.Join(err, stop())
	}
	return url, stop, nil
}

// install installs the service's packages, if a command is missing and this is root on Debian. No service of the distribution
// is started: policy-rc.d forbids that while it lasts.
func (s *service) install(ctx context.Context) error {
	missing := ""
	for _, c := range s.commands {
		if _, err := exec.LookPath(c); err != nil {
			missing = c
		}
	}
	if missing == "" {
		return nil
	}
	if _, err := os.Stat("/etc/debian_version"); err != nil || os.Getuid() != 0 {
		return fmt.Errorf("there is no %s, and only root on Debian can install it (%s)", missing, strings.Join(s.packages, ", "))
	}
	fmt.Fprintf(os.Stderr, "testenv: installing %s\n", strings.Join(s.packages, ", "))
	const policy = "/usr/sbin/policy-rc.d"
	if _, err := os.Stat(policy); os.IsNotExist(err) {
		if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil { //nolint:gosec // it has to be executable
			return err
		}
		defer os.Remove(policy) //nolint:errcheck // it keeps services from being started, as it did
	}
	for _, args := range [][]string{{"update", "-qq"}, append([]string{"install", "-qq", "-y", "--no-install-recommends"}, s.packages...)} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if _, err := output(cmd); err != nil {
			return err
		}
	}
	return nil
}

// output runs a command and returns what it prints; an error carries that, too.
func output(cmd *exec.Cmd) (string, error) {
	var out, all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &all
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, out.String(), all.String())
	}
	return out.String(), nil
}

// daemon starts a server that runs until it is stopped: asked at first, then killed.
func daemon(name string, args ...string) (stop func() error, err error) {
	cmd := exec.Command(name, args...) //nolint:noctx // it outlives the context: stop ends it
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // however it ends, it is gone
		close(ended)
	}()
	return func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		select {
		case <-ended:
			return nil
		case <-time.After(10 * time.Second):
		}
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		<-ended
		return nil
	}, nil
}

// freePort returns a port of the loopback interface that nobody listens on.
func freePort(ctx context.Context) (string, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}
