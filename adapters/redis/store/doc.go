// Package store is nvent's store on Redis 6.2 or later, or Valkey: logs, versioned documents and keys.
//
// # Layout
//
// A partition lives in the shard that [adapter.Shard] names, with its logs and its part of every index. The shard is the hash
// tag of all its keys, so that on a Cluster a commit stays on one node. Behind the prefix and the tag, as in nvent:{nv:17}:
//
//	p:<partition>                hash: v<doc> "version,expiry", b<doc> body, i<doc> places in indexes, l<log> "last,first",
//	                             @ "expiry of documents,of logs". <doc> is collection:rest of the ID, <log> the rest of the subject.
//	l:<subject>                  list: the records of a log
//	z:<collection>               sorted set: the IDs of its documents
//	z:<collection>:<n>:<values>  sorted set: the documents with these values in index n, in its order
//	due                          sorted set: what expires, by time
//	s                            hash: the last version, and which indexes every writer has to know
//	k:<key>, keys                a value of KV, and a sorted set of their names
//
// The hash <prefix>:{nv:catalog} holds the declared collections. Times are microseconds.
//
// # Guarantees
//
// A commit is one script: it is applied as a whole, or not at all. What is kept when the server crashes is what its persistence
// keeps: see Info. On a Cluster the clock is that of the node of the shard; keep the nodes' clocks together.
package store
