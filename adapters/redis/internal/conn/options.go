// Package conn is how the queue, the stream and the store reach Redis: options, connecting, what the server can promise, and
// errors in the words of package adapter.
package conn

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// Options say how to reach a server, a Sentinel group, or a Cluster.
type Options struct {
	// URL is redis://user:password@host:port/db, or rediss:// for TLS, or unix://path. More nodes: ?addr=host:port&addr=...
	// A Sentinel group: ?master_set=name. The other fields go over it.
	URL string
	// Host and Port of a single server. Default: localhost and 6379.
	Host string
	Port int
	// Addrs are nodes of a Cluster, or the Sentinels of Master, as host:port.
	Addrs    []string
	Username string
	Password string
	// DB is the number of the database. A Cluster has only 0.
	DB int
	// Master is the name of the group that the Sentinels at Addrs watch.
	Master           string
	SentinelUsername string
	SentinelPassword string
	// TLS turns on TLS, with the certificates of the system.
	TLS bool
	// DialTimeout bounds one attempt to connect. Default: 5 s.
	DialTimeout time.Duration
	// CommandTimeout is how long a connection may keep silent before it counts as dead, and is replaced. Default: 10 s.
	CommandTimeout time.Duration
}

// clientOption translates to what the client library wants.
func (o Options) clientOption() (rueidis.ClientOption, error) {
	var c rueidis.ClientOption
	if o.URL != "" {
		var err error
		if c, err = rueidis.ParseURL(o.URL); err != nil {
			// The error quotes the URL, and with it perhaps a password.
			return c, errors.New("parse url: want redis://user:password@host:port/db, rediss:// or unix://")
		}
	}
	switch {
	case len(o.Addrs) > 0:
		c.InitAddress = o.Addrs
	case o.Host != "" || o.Port != 0 || len(c.InitAddress) == 0:
		c.InitAddress = []string{net.JoinHostPort(cmp.Or(o.Host, "localhost"), strconv.Itoa(cmp.Or(o.Port, 6379)))}
	}
	c.Username, c.Password = cmp.Or(o.Username, c.Username), cmp.Or(o.Password, c.Password)
	c.SelectDB = cmp.Or(o.DB, c.SelectDB)
	c.Sentinel.MasterSet = cmp.Or(o.Master, c.Sentinel.MasterSet)
	c.Sentinel.Username = cmp.Or(o.SentinelUsername, c.Sentinel.Username)
	c.Sentinel.Password = cmp.Or(o.SentinelPassword, c.Sentinel.Password)
	if o.TLS && c.TLSConfig == nil {
		host, _, err := net.SplitHostPort(c.InitAddress[0])
		if err != nil {
			return c, fmt.Errorf("address %q: %w", c.InitAddress[0], err)
		}
		c.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	}
	if c.Sentinel.MasterSet != "" && c.Sentinel.TLSConfig == nil {
		c.Sentinel.TLSConfig = c.TLSConfig
	}
	c.Dialer.Timeout = cmp.Or(o.DialTimeout, c.Dialer.Timeout)
	c.ConnWriteTimeout = cmp.Or(o.CommandTimeout, c.ConnWriteTimeout)
	c.DisableCache = true // nothing is cached here, so the server need not track what we read
	c.DisableRetry = true // whoever calls decides what is tried again, and for how long
	return c, nil
}
