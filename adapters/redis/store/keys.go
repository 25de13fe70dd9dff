package store

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nvent-go/nvent/adapter"
)

// keys names what is stored.
type keys struct {
	catalog string
	shards  [adapter.Shards]string // "prefix:{nv:17}:"
}

func newKeys(prefix string) *keys {
	k := &keys{catalog: prefix + ":{nv:catalog}"}
	for i := range k.shards {
		k.shards[i] = prefix + ":{nv:" + strconv.Itoa(i) + "}:"
	}
	return k
}

// of returns what all keys of an ID's or a subject's shard begin with.
func (k *keys) of(id string) string { return k.shards[adapter.Shard(adapter.Partition(id))] }

// partition returns the key of the hash that holds an ID's or a subject's partition.
func (k *keys) partition(id string) string { return k.of(id) + "p:" + adapter.Partition(id) }

// log returns the key of a subject's records.
func (k *keys) log(subject string) string { return k.of(subject) + "l:" + subject }

// rest returns an ID or a subject without its partition.
func rest(id string) string { return id[len(adapter.Partition(id)):] }

// escaped returns a collection's name without what has a meaning in keys.
func escaped(collection string) string {
	if !strings.ContainsAny(collection, "%:{}\x00") {
		return collection
	}
	var b strings.Builder
	for i := range len(collection) {
		if c := collection[i]; strings.IndexByte("%:{}\x00", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
