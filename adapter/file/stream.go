package file

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// Stream is the streams of an open directory, with the subscriptions of this process. It is an [adapter.Stream].
type Stream struct {
	b    *Backend
	done chan struct{} // closed by Close and Kill

	mu     sync.Mutex
	closed bool // for good: by Close
	dead   bool // by Close or Kill
	topics map[string]*localTopic
	beatAt int64 // when the subscriptions show that they live, in microseconds
}

func newStream(b *Backend) *Stream {
	return &Stream{b: b, done: make(chan struct{}), topics: map[string]*localTopic{}}
}

// Info returns what the stream claims.
func (in *Stream) Info() adapter.Info { return in.b.info(adapter.CapReplay) }

func (in *Stream) usable(ctx context.Context, op string) error { return usable(ctx, in.done, op) }

// topicRow is a topic as it is stored.
type topicRow struct {
	id, first, next int64
	name            string
}

func readTopic(c *sqlite.Conn, name string) (t topicRow, err error) {
	_, err = c.One("SELECT id, first, next, name FROM topics WHERE name = ?", func(r sqlite.Row) {
		t = topicRow{r.Int(0), r.Int(1), r.Int(2), r.Text(3)}
	}, name)
	return t, err
}

// topic returns a topic, which it makes if need be.
func topic(tx *sqlite.Tx, name string) (topicRow, error) {
	t, err := readTopic(tx.Conn, name)
	if err != nil || t.id != 0 {
		return t, err
	}
	if _, err := tx.Exec("INSERT INTO topics (name, first, next) VALUES (?, 1, 1)", name); err != nil {
		return t, err
	}
	return readTopic(tx.Conn, name)
}

// preparedMessage is a message on its way into the database.
type preparedMessage struct {
	*adapter.Message
	headers, labels json.RawMessage
}

// Publish sends messages, in one transaction: all of them or, on an error, none. When a subscription is too far behind, see
// Options.Backlog, it returns [adapter.ErrUnavailable]. See [adapter.Stream].
func (in *Stream) Publish(ctx context.Context, messages ...adapter.Message) error {
	if err := in.usable(ctx, "publish"); err != nil {
		return err
	}
	list := make([]preparedMessage, len(messages))
	for i := range messages {
		m := &messages[i]
		if m.Topic == "" {
			return invalid("publish", fmt.Sprintf("message %d of %d has no topic", i+1, len(messages)), "set Message.Topic")
		}
		list[i].Message = m
		var err error
		if list[i].headers, err = encodeMap(m.Headers); err != nil {
			return fail("publish", err)
		}
		if list[i].labels, err = encodeMap(m.Labels); err != nil {
			return fail("publish", err)
		}
	}
	if len(list) == 0 {
		return nil
	}
	if err := in.b.db.Write(ctx, false, func(tx *sqlite.Tx) error { return in.publish(tx, list) }); err != nil {
		return fail("publish", err)
	}
	return nil
}

func (in *Stream) publish(tx *sqlite.Tx, list []preparedMessage) error {
	count := map[string]int64{}
	for i := range list {
		count[list[i].Topic]++
	}
	rows := map[string]*topicRow{}
	for name, n := range count {
		t, err := topic(tx, name)
		if err != nil {
			return err
		}
		if err := in.room(tx, &t, n); err != nil {
			return err
		}
		rows[name] = &t
	}
	for i := range list {
		m, t := &list[i], rows[list[i].Topic]
		_, err := tx.Exec("INSERT INTO messages (topic, n, at, key, data, headers, labels, sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			t.id, t.next, tx.Now, m.Key, m.Data, m.headers, m.labels, messageSum(t.id, t.next, tx.Now, m.Key, m.Data, m.headers, m.labels))
		if err != nil {
			return err
		}
		t.next++
	}
	for name, t := range rows {
		if _, err := tx.Exec("UPDATE topics SET next = ? WHERE id = ?", t.next, t.id); err != nil {
			return err
		}
		workOf(tx).topics[t.id] = true
		tx.After(func() { in.wake(name, t.next) })
		if t.next-t.first > int64(max(in.b.o.KeepMessagesCount, 0))*5/4+64 {
			if err := in.trim(tx, t); err != nil {
				return err
			}
		}
	}
	tx.News()
	return nil
}

// room returns an error if a subscription in place would be too far behind.
func (in *Stream) room(tx *sqlite.Tx, t *topicRow, n int64) error {
	if t.next-t.first+n <= int64(in.b.o.Backlog) { // as far as any can be behind
		return nil
	}
	low, err := behind(tx.Conn, t, tx.Now)
	if err != nil {
		return err
	}
	if far := t.next - low; far > 0 && far+n > int64(in.b.o.Backlog) {
		return fmt.Errorf("%w: a subscription to topic %q is %d messages behind", adapter.ErrUnavailable, t.name, far)
	}
	return nil
}

// behind returns the number of the first message that some subscription in place has not got or not acknowledged yet.
func behind(c *sqlite.Conn, t *topicRow, now int64) (int64, error) {
	low := t.next
	for _, query := range []string{
		"SELECT min(next) FROM members WHERE topic = ?1 AND grp = 0 AND until > ?2",
		"SELECT min(g.next) FROM groups g WHERE g.topic = ?1 AND EXISTS (SELECT 1 FROM members WHERE topic = ?1 AND grp = g.id AND until > ?2)",
		"SELECT min(c.n) FROM groups g JOIN claims c ON c.grp = g.id WHERE g.topic = ?1 AND ?2 > 0",
	} {
		n, err := c.Int(query, t.id, now)
		if err != nil {
			return 0, err
		}
		if n > 0 {
			low = min(low, n)
		}
	}
	return low, nil
}

// trim removes messages that need not be kept any more.
func (in *Stream) trim(tx *sqlite.Tx, t *topicRow) error {
	first := t.next - int64(max(in.b.o.KeepMessagesCount, 0))
	old, err := tx.Int("SELECT n FROM messages WHERE topic = ? AND at > ? ORDER BY n LIMIT 1", t.id, tx.Now-in.b.o.KeepMessages.Microseconds())
	if err != nil {
		return err
	}
	if old == 0 {
		old = t.next
	}
	low, err := behind(tx.Conn, t, tx.Now)
	if err != nil {
		return err
	}
	if first = min(max(first, old), low); first <= t.first {
		return nil
	}
	first = min(first, t.first+maxTrimmed)
	if _, err := tx.Exec("DELETE FROM messages WHERE topic = ? AND n < ?", t.id, first); err != nil {
		return err
	}
	t.first = first
	_, err = tx.Exec("UPDATE topics SET first = ? WHERE id = ?", first, t.id)
	return err
}

// maxTrimmed is how many messages of a topic a transaction removes at most.
const maxTrimmed = 5000

func messageSum(topic, n, at int64, key string, data, headers, labels json.RawMessage) int64 {
	var s sum
	s.number(topic)
	s.number(n)
	s.number(at)
	sumText(&s, key)
	sumText(&s, data)
	sumText(&s, headers)
	sumText(&s, labels)
	return s.value()
}

// readMessages returns up to limit messages of a topic from a number on.
func readMessages(c *sqlite.Conn, id int64, name string, from int64, limit int) (list []*adapter.Message, numbers []int64, err error) {
	const query = "SELECT n, at, key, data, headers, labels, sum FROM messages WHERE topic = ? AND n >= ? ORDER BY n LIMIT ? + 0"
	err = c.Query(query, func(r sqlite.Row) error {
		n := r.Int(0)
		m := &adapter.Message{ID: strconv.FormatInt(n, 10), Topic: name, At: timeOf(r.Int(1)), Key: r.Text(2), Data: r.JSON(3)}
		headers, labels := r.JSON(4), r.JSON(5)
		if messageSum(id, n, r.Int(1), m.Key, m.Data, headers, labels) != r.Int(6) {
			return damaged("message %d of topic %q", n, name)
		}
		var err error
		if m.Headers, err = decodeMap(headers); err != nil {
			return err
		}
		if m.Labels, err = decodeMap(labels); err != nil {
			return err
		}
		list, numbers = append(list, m), append(numbers, n)
		return nil
	}, id, from, limit)
	return list, numbers, err
}

// Topics returns topics by prefix. See [adapter.Stream].
func (in *Stream) Topics(ctx context.Context, prefix string) (names []string, err error) {
	if err := in.usable(ctx, "list topics"); err != nil {
		return nil, err
	}
	err = in.b.db.Read(ctx, func(c *sqlite.Conn) error {
		query, args := "SELECT t.name FROM topics t WHERE t.name >= ?1", []any{prefix, in.now()}
		if end := after([]byte(prefix)); end != nil {
			query, args = query+" AND t.name < ?3", append(args, string(end))
		}
		return c.Query(query+" AND (t.first < t.next OR EXISTS (SELECT 1 FROM members WHERE topic = t.id AND until > ?2)) ORDER BY t.name",
			func(r sqlite.Row) error { names = append(names, r.Text(0)); return nil }, args...)
	})
	if err != nil {
		return nil, fail("list topics", err)
	}
	return names, nil
}

// Subscribers returns how many subscriptions to a topic are in place. See [adapter.Stream].
func (in *Stream) Subscribers(ctx context.Context, topic string) (int, error) {
	if err := in.usable(ctx, "count subscribers"); err != nil {
		return 0, err
	}
	var n int64
	err := in.b.db.Read(ctx, func(c *sqlite.Conn) (err error) {
		n, err = c.Int("SELECT count(*) FROM members WHERE topic = (SELECT id FROM topics WHERE name = ?) AND until > ?", topic, in.now())
		return err
	})
	if err != nil {
		return 0, fail("count subscribers", err)
	}
	return int(n), nil
}

func (in *Stream) now() int64 { return sqlite.Micros(in.b.o.Clock.Now()) }

// Close ends the subscriptions of this process: what their handlers have not acknowledged goes to other members at once, and
// their contexts end with [adapter.ErrClosed]. It does not wait for handlers: Subscribe does.
func (in *Stream) Close() error {
	in.mu.Lock()
	first, alive := !in.closed, !in.dead
	in.closed = true
	in.mu.Unlock()
	if !first {
		return nil
	}
	if alive {
		subs := in.end(adapter.ErrClosed)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = in.leave(ctx, subs...) // what is not handed back comes back when its lease ends
	}
	return in.b.release(in)
}

// Kill drops the stream as the crash of its process would: its methods return [adapter.ErrClosed], and nothing that its
// handlers still return counts. It is for tests.
func (in *Stream) Kill() { in.end(adapter.ErrLeaseLost) }

func (in *Stream) end(cause error) (subs []*subscription) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.dead {
		return nil
	}
	in.dead = true
	for _, t := range in.topics {
		for _, s := range t.subs {
			s.stopped = true
			s.cancel(cause)
			subs = append(subs, s)
		}
	}
	close(in.done)
	return subs
}
