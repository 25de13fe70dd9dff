package redis

import (
	"time"

	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
	"github.com/nvent-go/nvent/adapters/redis/queue"
	"github.com/nvent-go/nvent/adapters/redis/stream"
)

// Options are the keys of connections.redis, queue.redis, stream.redis and store.redis: how to reach a server, a Sentinel group,
// or a Cluster, and what the queue and the stream do.
type Options struct {
	// URL is redis://user:password@host:port/db, or rediss:// for TLS, or unix://path. More nodes: ?addr=host:port&addr=...
	// A Sentinel group: ?master_set=name. The other fields go over it.
	URL string `json:"url,omitempty"`
	// Host and Port of a single server. Default: localhost and 6379.
	Host string `json:"host,omitempty"`
	Port int    `json:"port,omitempty"`
	// Addrs are nodes of a Cluster, or the Sentinels of Master, as host:port.
	Addrs    []string `json:"addrs,omitempty"`
	Username string   `json:"username,omitempty"`
	Password string   `json:"password,omitempty"`
	// DB is the number of the database. A Cluster has only 0.
	DB int `json:"db,omitempty"`
	// Master is the name of the group that the Sentinels at Addrs watch.
	Master           string `json:"master,omitempty"`
	SentinelUsername string `json:"sentinelUsername,omitempty"`
	SentinelPassword string `json:"sentinelPassword,omitempty"`
	// TLS turns on TLS, with the certificates of the system.
	TLS bool `json:"tls,omitempty"`
	// DialTimeout bounds one attempt to connect. Default: 5 s.
	DialTimeout time.Duration `json:"dialTimeout,omitempty"`
	// CommandTimeout is how long a connection may keep silent before it counts as dead, and is replaced. Default: 10 s.
	CommandTimeout time.Duration `json:"commandTimeout,omitempty"`

	// Jobs are options of the queue alone.
	Jobs queue.Options `json:"jobs"`
	// Streams are options of the stream alone: leases, and what topics keep.
	Streams stream.Options `json:"streams"`
}

func (o *Options) connection() conn.Options {
	return conn.Options{URL: o.URL, Host: o.Host, Port: o.Port, Addrs: o.Addrs, Username: o.Username, Password: o.Password, DB: o.DB,
		Master: o.Master, SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword, TLS: o.TLS,
		DialTimeout: o.DialTimeout, CommandTimeout: o.CommandTimeout}
}
