package adapter

import "strings"

// Shards is the number of shards that partitions are spread over. It is fixed for ever: data is found by it.
const Shards = 256

// Partition returns the partition that a document ID or a log subject belongs to: the part before the first slash, or all of
// it. "0197c7/g7/3" and "0197c7" share the partition "0197c7" and can be written in one batch.
func Partition(id string) string {
	p, _, _ := strings.Cut(id, "/")
	return p
}

// Shard returns the shard of a partition: FNV-1a (64 bit) of its bytes, modulo [Shards].
func Shard(partition string) int {
	h := uint64(14695981039346656037)
	for i := range len(partition) {
		h ^= uint64(partition[i])
		h *= 1099511628211
	}
	return int(h % Shards)
}
