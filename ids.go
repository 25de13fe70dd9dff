package nvent

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
)

// newID returns a UUIDv7: unique, and nearly in the order of creation, which keeps indexes of databases dense. The 12 bits
// after the milliseconds continue the time, to a quarter of a microsecond; the other 62 bits are random. They come from the
// runtime's ChaCha8 generators, one for each thread and seeded by the system: an ID is hard to guess, but it is no secret.
func newID(now time.Time) string {
	const parts = 1 << 12
	ms := now.UnixMilli()
	fraction := uint64(now.Nanosecond()%int(time.Millisecond)) * parts / uint64(time.Millisecond)
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(ms)<<16|7<<12|fraction)
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()>>2|1<<63)
	return id.String()
}

// jobKeySpace is the namespace of the UUIDv5 of jobs with a key of their own.
var jobKeySpace = uuid.MustParse("5b0f6f6e-0d8f-5c1c-9d0a-4f6b8f0c2a77")

// JobID returns the ID of the job of a queue that was enqueued with a key (see [Unique]). It is a UUIDv5, because not every
// backend takes any string. Names of queues hold no "/", so no two pairs share an ID.
func JobID(queue, key string) string {
	return uuid.NewSHA1(jobKeySpace, []byte(queue+"/"+key)).String()
}
