// Package stream is nvent's stream on Redis Streams, for Redis 6.2 or later, or Valkey.
//
// # Layout
//
// The keys of a topic share the hash tag {t:<topic>}, so that on a Cluster they live together. Behind the prefix and the tag:
//
//	s  stream: the messages, with fields k (key), d (data), h (headers) and l (labels), the latter two as JSON
//	m  sorted set: the subscriptions in place, by the time at which they count as dead
//	g  hash: last (ID), s:<subscription> how far one without a group has got, e:<group> it is ephemeral, x:<group> who gets the
//	   messages of an exclusive one, i:<group> when it last had a member, keep: there is a group that keeps its place
//	w  the channel on which those who wait are told of news
//
// The hash <prefix>:{t}:topics has the names of the topics.
//
// # Guarantees
//
// Messages are in the stream before Publish returns, and read from there: Pub/Sub only says that there is something to read.
// A lost notification costs time, no message: every subscription looks by itself each third of Options.Lease, and after a
// reconnect. What is kept when the server crashes is what its persistence keeps: see Info.
//
// A message that somebody has yet to get is not trimmed, be it a durable group or a subscription in place. When a topic has
// Options.Backlog messages Publish returns [adapter.ErrUnavailable].
//
// An instance has one connection to wait on and one goroutine that keeps its subscriptions alive, whatever their number.
package stream
