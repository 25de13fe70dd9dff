package redistest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

const slots = 16384

// Cluster is a Redis Cluster of a test's own.
type Cluster struct {
	Nodes []*Server
}

// StartCluster starts a cluster of n primaries that is stopped with the test. Where there is no redis-server see [Start].
func StartCluster(t testing.TB, n int, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{}
	for range n {
		port := FreePort(t)
		for port > 55_000 { // the nodes talk to one another on this port + 10,000
			port = FreePort(t)
		}
		c.Nodes = append(c.Nodes, startOn(t, port, append([]string{"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
			"--cluster-node-timeout", "2000"}, args...)))
	}
	for i, node := range c.Nodes {
		own := []string{"CLUSTER", "ADDSLOTS"}
		for slot := i * slots / n; slot < (i+1)*slots/n; slot++ {
			own = append(own, strconv.Itoa(slot))
		}
		node.Command(t, own...)
		node.Command(t, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for _, node := range c.Nodes[1:] {
		c.Nodes[0].Command(t, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(node.Port))
	}
	deadline := time.Now().Add(30 * time.Second)
	for !c.agreed(t) {
		if time.Now().After(deadline) {
			t.Fatal("the nodes of the cluster do not agree")
		}
		pause(50 * time.Millisecond)
	}
	return c
}

// agreed reports whether every node sees all nodes and all slots.
func (c *Cluster) agreed(t testing.TB) bool {
	for _, node := range c.Nodes {
		info := node.Command(t, "CLUSTER", "INFO")
		if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", len(c.Nodes))) {
			return false
		}
	}
	return true
}

// URL returns the URL of the cluster, by all its nodes.
func (c *Cluster) URL() string {
	addresses := make([]string, 0, len(c.Nodes))
	for _, node := range c.Nodes {
		addresses = append(addresses, "addr=127.0.0.1:"+strconv.Itoa(node.Port))
	}
	return c.Nodes[0].URL() + "?" + strings.Join(addresses[1:], "&")
}

// Command runs a command on this server, or node of a cluster, and returns its answer.
func (s *Server) Command(t testing.TB, words ...string) string {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:" + strconv.Itoa(s.Port)}, DisableCache: true,
		ForceSingleClient: true})
	if err != nil {
		t.Fatalf("connect to a node: %v", err)
	}
	defer client.Close()
	answer, err := client.Do(context.WithoutCancel(t.Context()), client.B().Arbitrary(words...).Build()).ToAny()
	if err != nil {
		t.Fatalf("%s: %v", strings.Join(words[:min(len(words), 3)], " "), err)
	}
	return fmt.Sprint(answer)
}

// Owner returns the node that a slot was given to at the start, and another one.
func (c *Cluster) Owner(slot int) (owner, other *Server) {
	for i := range c.Nodes {
		if slot < (i+1)*slots/len(c.Nodes) {
			return c.Nodes[i], c.Nodes[(i+1)%len(c.Nodes)]
		}
	}
	return nil, nil
}
