package conn

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
)

// Name is what configuration, errors and adapter.Info call these adapters.
const Name = "redis"

// Dial connects, and returns when the server has answered. The caller closes the client.
func Dial(ctx context.Context, o Options) (rueidis.Client, error) {
	c, err := o.clientOption()
	if err != nil {
		return nil, &adapter.Error{Op: "connect", Adapter: Name, Err: fmt.Errorf("%w: %w", adapter.ErrInvalid, err)}
	}
	if err := ctx.Err(); err != nil {
		return nil, Error(ctx, "connect", err)
	}
	client, err := rueidis.NewClient(c)
	if err != nil {
		return nil, &adapter.Error{Op: "connect", Adapter: Name, Err: fmt.Errorf("%w: %s: %w", adapter.ErrUnavailable,
			strings.Join(c.InitAddress, ", "), err), Hint: "is the server running, and are url, host, port and password right?"}
	}
	return client, nil
}

// Server is what a server says about itself.
type Server struct {
	Durability adapter.Durability
	// Eviction is the eviction policy; anything but noeviction may remove jobs and runs when memory is short. Empty: unknown.
	Eviction string
	Version  string
	Cluster  bool
}

// Inspect asks the server what it can promise. What it may not tell counts as the weaker answer.
func Inspect(ctx context.Context, client rueidis.Client) (Server, error) {
	info, err := client.Do(ctx, client.B().Info().Build()).ToString()
	if err != nil {
		return Server{}, Error(ctx, "inspect the server", err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(info) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[k] = v
		}
	}
	s := Server{Eviction: fields["maxmemory_policy"], Version: fields["redis_version"], Cluster: fields["cluster_enabled"] == "1"}
	if fields["aof_enabled"] != "1" {
		return s, nil
	}
	s.Durability = adapter.DurableLossy
	if s.Cluster || fields["role"] == "slave" || (fields["connected_slaves"] != "0" && fields["connected_slaves"] != "") {
		return s, nil // replicas follow asynchronously: a failover may lose the last writes
	}
	// CONFIG is often forbidden; then everysec, the default, is assumed.
	config, err := client.Do(ctx, client.B().ConfigGet().Parameter("appendfsync").Build()).AsStrMap()
	if err == nil && config["appendfsync"] == "always" {
		s.Durability = adapter.DurableSync
	}
	return s, nil
}

// Error wraps an error of the client library in an [adapter.Error], around a sentinel where one fits. nil stays nil.
func Error(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if _, known := errors.AsType[*adapter.Error](err); known {
		return err
	}
	e := &adapter.Error{Op: op, Adapter: Name, Err: err}
	if ctx.Err() != nil {
		e.Err = context.Cause(ctx)
		return e
	}
	if errors.Is(err, rueidis.ErrClosing) {
		e.Err = fmt.Errorf("%w: %w", adapter.ErrClosed, err)
		return e
	}
	answer, ok := rueidis.IsRedisErr(err)
	if !ok { // the network, a timeout, a reply that cannot be read
		e.Err = fmt.Errorf("%w: %w", adapter.ErrUnavailable, err)
		return e
	}
	switch text := answer.Error(); {
	case strings.HasPrefix(text, "OOM"):
		e.Err = fmt.Errorf("%w: %w", adapter.ErrUnavailable, err)
		e.Hint = "the server is at maxmemory: raise it, or keep less"
	case strings.HasPrefix(text, "READONLY"):
		e.Err = fmt.Errorf("%w: %w", adapter.ErrUnavailable, err)
		e.Hint = "this server is a replica: name the primary, or use Sentinel"
	case strings.HasPrefix(text, "NOAUTH"), strings.HasPrefix(text, "WRONGPASS"), strings.HasPrefix(text, "NOPERM"):
		e.Hint = "check username, password and ACL"
	case strings.HasPrefix(text, "CROSSSLOT"):
		e.Hint = "keys of one queue must share a hash tag"
	case passing(text):
		e.Err = fmt.Errorf("%w: %w", adapter.ErrUnavailable, err)
	}
	return e
}

// passing reports whether an answer of the server is about a state that ends.
func passing(text string) bool {
	for _, p := range []string{"LOADING", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "BUSY", "MISCONF", "NOREPLICAS", "MOVED", "ASK", "UNBLOCKED"} {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return strings.Contains(text, "access a non local key") // a script met a slot that is on the move
}

// Closed is the error of an operation after Close.
func Closed(op string) error { return &adapter.Error{Op: op, Adapter: Name, Err: adapter.ErrClosed} }

// Invalid is the error of a malformed argument.
func Invalid(op, what, hint string) error {
	return &adapter.Error{Op: op, Adapter: Name, Err: fmt.Errorf("%w: %s", adapter.ErrInvalid, what), Hint: hint}
}
