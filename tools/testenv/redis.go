package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

var redis = service{
	name:     "redis",
	variable: "NVENT_TEST_REDIS_URL",
	packages: []string{"redis-server"},
	commands: []string{"redis-server"},
	check:    pingRedis,
	port:     "6379",
	url:      func(address string) string { return "redis://" + address },
	start: func(ctx context.Context, dir string) (string, func() error, error) {
		port, err := freePort(ctx)
		if err != nil {
			return "", nil, err
		}
		stop, err := daemon("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no",
			"--daemonize", "no", "--logfile", dir+"/log")
		return "redis://127.0.0.1:" + port, stop, err
	},
}

// pingRedis asks a server whether it is there. One that wants a password is.
func pingRedis(ctx context.Context, raw string) (err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("malformed URL")
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "6379")
	}
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if u.Scheme == "rediss" {
		return nil // it listens; the tests speak TLS
	}
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "+PONG") && !strings.HasPrefix(line, "-NOAUTH") {
		err = fmt.Errorf("answer to PING is %q", line)
	}
	return err
}
