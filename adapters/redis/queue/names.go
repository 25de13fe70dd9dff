package queue

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// base returns what the keys of a queue begin with: "{prefix}:{queue}:". All keys of a queue must be in one slot of a Cluster,
// so there the queue's name becomes the hash tag, unless prefix or name have one.
func (q *Queue) base(op, queue string) (string, error) {
	if queue == "" || strings.Contains(queue, ":") {
		return "", conn.Invalid(op, fmt.Sprintf("queue name %q", queue), "BullMQ's layout needs a name without colons")
	}
	if q.client.Mode() == rueidis.ClientModeCluster && !tagged(q.o.Prefix) && !tagged(queue) {
		queue = "{" + queue + "}"
	}
	return q.o.Prefix + ":" + queue + ":", nil
}

func tagged(s string) bool {
	_, rest, ok := strings.Cut(s, "{")
	return ok && strings.Index(rest, "}") > 0
}

// queuesKey is the set of the queues that this adapter has written to.
func (q *Queue) queuesKey() string { return q.o.Prefix + "::queues" }

// maxPriority is BullMQ's bound.
const maxPriority = 1<<21 - 1

// checkJob refuses what BullMQ would refuse, or misread.
func checkJob(j *adapter.NewJob) error {
	switch _, err := strconv.ParseInt(j.ID, 10, 64); {
	case j.ID == "":
		return conn.Invalid("enqueue", "a job has no ID", "set NewJob.ID to a UUID")
	case err == nil || strings.Contains(j.ID, ":"):
		return conn.Invalid("enqueue", fmt.Sprintf("job ID %q", j.ID), "BullMQ's layout needs IDs that are no integers and have no colons")
	case j.Priority > maxPriority || j.Priority < -maxPriority:
		return conn.Invalid("enqueue", fmt.Sprintf("priority %d", j.Priority), fmt.Sprintf("it may be from %d to %d", -maxPriority, maxPriority))
	}
	return nil
}
