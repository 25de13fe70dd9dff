package queue_test

import (
	"testing"

	"github.com/nvent-go/nvent/adapter/adaptertest"
	"github.com/nvent-go/nvent/adapters/redis/internal/redistest"
)

// TestClusterConformance runs the suite on a cluster of three nodes, where each queue is in one slot.
func TestClusterConformance(t *testing.T) {
	adaptertest.TestQueue(t, harness(t, redistest.StartCluster(t, 3).URL()))
}
