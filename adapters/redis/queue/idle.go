package queue

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

const (
	// drainDelay is how long an idle consumer waits for the marker before it looks for itself, as in BullMQ.
	drainDelay = 5 * time.Second
	// maxBlock bounds the wait for a delayed job.
	maxBlock = 10 * time.Second
	// watchdog is how much longer than it said a blocking read may take before its connection counts as dead.
	watchdog = 2 * time.Second
)

// waitForJobs waits on the marker whenever the consumer has room and nothing to take. It has a connection of its own, which
// bears the name by which BullMQ finds workers.
func (c *consumer) waitForJobs() {
	var line *line
	defer func() { line.close() }()
	for {
		select {
		case <-c.halt.Done():
			return
		case <-c.idle:
		}
		c.mu.Lock()
		rests := !c.hungry && c.room() > 0
		next := c.next
		c.mu.Unlock()
		if !rests {
			continue
		}
		var err error
		if line == nil {
			if line, err = c.openLine(); err == nil {
				// The reply that sent us here may be old by now.
				err = c.block(line, next)
			}
		} else {
			err = c.block(line, next)
		}
		if err != nil {
			line.close()
			line = nil
			if c.halt.Err() != nil {
				c.handOn()
				return
			}
			pause(c.halt, 100*time.Millisecond) // the take that follows finds out what is wrong, and says so
		}
		limit := c.askLimit()
		c.mu.Lock()
		c.most = limit
		c.hungry = true
		full := c.room() == 0
		c.pump()
		c.mu.Unlock()
		if full {
			c.handOn()
		}
	}
}

// handOn wakes another consumer, for what this one was woken for and cannot take.
func (c *consumer) handOn() {
	ctx, cancel := context.WithTimeout(context.Background(), watchdog)
	defer cancel()
	key := c.base + "marker"
	add := c.q.client.B().Zadd().Key(key).ScoreMember().ScoreMember(0, "0").Build()
	if c.q.closed() {
		return // the client may be closed as well; others look for themselves after drainDelay
	}
	if err := c.q.client.Do(ctx, add).Error(); err != nil {
		c.q.o.Logger.Debug("redis: cannot wake another consumer; it looks for itself soon", "queue", c.queue, "error", conn.Error(ctx, "wake", err))
	}
}

// block waits until there may be jobs.
func (c *consumer) block(l *line, next time.Time) error {
	wait := drainDelay
	for {
		if !next.IsZero() {
			wait = min(maxBlock, max(time.Until(next), 2*time.Millisecond))
		}
		due, err := l.popMarker(c.halt, c.base+"marker", wait)
		if err != nil {
			return err
		}
		if due.IsZero() || !due.After(time.Now()) {
			return nil
		}
		next = due // of a delayed job: nobody else knows it now
	}
}

// line is a dedicated connection.
type line struct {
	client rueidis.DedicatedClient
	giveUp func()
}

func (c *consumer) openLine() (*line, error) {
	client, release := c.q.client.Dedicate()
	l := &line{client, release}
	ctx, cancel := context.WithTimeout(c.halt, drainDelay)
	defer cancel()
	name := c.q.o.Prefix + ":" + base64.StdEncoding.EncodeToString([]byte(c.bullName()))
	if worker := clientName(c.o.Consumer); worker != "" {
		name += ":w:" + worker
	}
	// In a Cluster the first command's key chooses the node.
	if err := client.Do(ctx, client.B().Exists().Key(c.base+"meta").Build()).Error(); err != nil {
		l.close()
		return nil, err
	}
	if err := client.Do(ctx, client.B().ClientSetname().ConnectionName(name).Build()).Error(); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// bullName is the queue's name as BullMQ knows it, with the hash tag that a Cluster needs.
func (c *consumer) bullName() string {
	return strings.TrimSuffix(strings.TrimPrefix(c.base, c.q.o.Prefix+":"), ":")
}

// clientName leaves out what the server refuses in names of connections.
func clientName(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}

// close closes the connection; a blocking read must not stay behind on it.
func (l *line) close() {
	if l == nil {
		return
	}
	l.client.Close()
	l.giveUp()
}

// popMarker waits for the marker. It returns when a delayed job is due, if that is what the marker says, else zero. The end of
// the wait is no error.
func (l *line) popMarker(ctx context.Context, key string, wait time.Duration) (time.Time, error) {
	ctx, cancel := conn.Blocking(ctx, wait+watchdog)
	defer cancel()
	cmd := l.client.B().Bzpopmin().Key(key).Timeout(wait.Seconds()).Build()
	reply, err := l.client.Do(ctx, cmd).ToArray()
	if rueidis.IsRedisNil(err) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	if len(reply) != 3 {
		return time.Time{}, fmt.Errorf("marker has %d values", len(reply))
	}
	if text(reply[1]) != "1" {
		return time.Time{}, nil
	}
	score, err := reply[2].AsFloat64()
	if err != nil {
		score, err = strconv.ParseFloat(text(reply[2]), 64)
	}
	return time.UnixMilli(int64(score)), err
}
