package stream

import (
	"strings"
)

// keys names what is stored.
type keys struct{ prefix string }

var braces = strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D")

// base returns what all keys of a topic begin with.
func (k keys) base(topic string) string { return k.prefix + ":{t:" + braces.Replace(topic) + "}:" }

// stream returns the key of a topic's messages: scripts derive the others from it.
func (k keys) stream(topic string) string { return k.base(topic) + "s" }

func (k keys) members(topic string) string { return k.base(topic) + "m" }

// wake returns the channel of a topic.
func (k keys) wake(topic string) string { return k.base(topic) + "w" }

// topics returns the key of the hash of all topics' names.
func (k keys) topics() string { return k.prefix + ":{t}:topics" }
