package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// maxArguments is what a server takes in one command, less those in front: it closes the connection on more.
const maxArguments = 1<<20 - 16

// Commit applies a batch with one script. See [adapter.Store].
func (s *Store) Commit(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
	const op = "commit"
	if err := s.usable(ctx, op); err != nil {
		return adapter.Committed{}, err
	}
	if err := checkBatch(&b); err != nil {
		return adapter.Committed{}, conn.Error(ctx, op, err)
	}
	for {
		m := message{s: s}
		if err := m.write(ctx, &b); err != nil {
			return adapter.Committed{}, conn.Error(ctx, op, err)
		}
		if len(m.args) > maxArguments {
			return adapter.Committed{}, &adapter.Error{Op: op, Adapter: conn.Name, Err: fmt.Errorf("%w: the batch makes a command of %d arguments",
				adapter.ErrTooLarge, len(m.args)), Hint: "commit it in parts"}
		}
		reply, err := s.run(ctx, commitScript, s.keys.of(b.Partition), m.args...).ToArray()
		if err != nil {
			return adapter.Committed{}, conn.Error(ctx, op, err)
		}
		done, again, err := m.read(reply, &b)
		if !again {
			return done, conn.Error(ctx, op, err)
		}
		s.forget(m.collections) // somebody has declared an index since they were read
	}
}

// checkBatch returns an error if something in the batch lies outside of its partition.
func checkBatch(b *adapter.Batch) error {
	if b.Partition == "" || strings.Contains(b.Partition, "/") {
		return fmt.Errorf("%w: partition %q must be an ID up to its first slash", adapter.ErrInvalid, b.Partition)
	}
	for _, docs := range [...][]adapter.Doc{b.Checks, b.Puts, b.Deletes} {
		for i := range docs {
			if adapter.Partition(docs[i].ID) != b.Partition {
				return fmt.Errorf("%w: document %s/%s is not in partition %q",
					adapter.ErrCrossPartition, docs[i].Collection, docs[i].ID, b.Partition)
			}
		}
	}
	for i := range b.Appends {
		if adapter.Partition(b.Appends[i].Subject) != b.Partition {
			return fmt.Errorf("%w: log %s is not in partition %q", adapter.ErrCrossPartition, b.Appends[i].Subject, b.Partition)
		}
	}
	for _, subject := range b.Drops {
		if adapter.Partition(subject) != b.Partition {
			return fmt.Errorf("%w: log %s is not in partition %q", adapter.ErrCrossPartition, subject, b.Partition)
		}
	}
	return nil
}

// message is a batch on its way to the script.
type message struct {
	s           *Store
	args        []string
	collections []*collection
}

func (m *message) add(args ...string) { m.args = append(m.args, args...) }
func (m *message) count(n int)        { m.args = append(m.args, strconv.Itoa(n)) }

func (m *message) collection(ctx context.Context, name string) (*collection, error) {
	for _, c := range m.collections {
		if c.name == name {
			return c, nil
		}
	}
	c, err := m.s.collection(ctx, name)
	if err == nil {
		m.collections = append(m.collections, c)
	}
	return c, err
}

// write makes the arguments: the script reads them in this order.
func (m *message) write(ctx context.Context, b *adapter.Batch) error {
	for _, docs := range [...][]adapter.Doc{b.Checks, b.Puts, b.Deletes} {
		for i := range docs {
			if _, err := m.collection(ctx, docs[i].Collection); err != nil {
				return err
			}
		}
	}
	expire := ""
	if b.Expire != nil {
		expire = strconv.FormatInt(micros(b.Expire.Docs), 10) + "," + strconv.FormatInt(micros(b.Expire.Logs), 10)
	}
	m.add(b.Partition, expire, m.s.cluster)
	m.count(len(m.collections))
	for _, c := range m.collections {
		m.add(c.escaped, strconv.Itoa(c.schema))
	}
	m.count(len(b.Checks))
	for i := range b.Checks {
		m.expect(&b.Checks[i])
	}
	m.count(len(b.Puts))
	for i := range b.Puts {
		d := &b.Puts[i]
		c, err := m.collection(ctx, d.Collection)
		if err != nil {
			return err
		}
		places, err := c.places(d)
		if err != nil {
			return err
		}
		m.add(c.escaped, rest(d.ID), strconv.FormatInt(int64(d.Version), 10), strconv.FormatInt(micros(d.ExpireAt), 10),
			rueidis.BinaryString(d.Body), places)
	}
	m.count(len(b.Deletes))
	for i := range b.Deletes {
		m.expect(&b.Deletes[i])
	}
	m.count(len(b.Appends))
	for i := range b.Appends {
		a := &b.Appends[i]
		m.add(rest(a.Subject))
		m.count(len(a.Records))
		for k := range a.Records {
			m.add(encodeRecord(&a.Records[k]))
		}
	}
	m.count(len(b.Drops))
	for _, subject := range b.Drops {
		m.add(rest(subject))
	}
	return nil
}

func (m *message) expect(d *adapter.Doc) {
	m.add(escaped(d.Collection)+":"+rest(d.ID), strconv.FormatInt(int64(d.Version), 10))
}

// read takes the script's reply apart. again says that the batch was made without knowing all indexes.
func (m *message) read(reply []rueidis.RedisMessage, b *adapter.Batch) (done adapter.Committed, again bool, err error) {
	if len(reply) == 0 {
		return done, false, fmt.Errorf("%w: the commit script returned nothing", adapter.ErrUnavailable)
	}
	switch kind := textOf(&reply[0]); {
	case kind == "S":
		return done, true, nil
	case kind == "C" && len(reply) == 2:
		conflict, err := readConflict(&reply[1], b)
		if err != nil {
			return done, false, err
		}
		return done, false, conflict
	case kind != "K" || len(reply) != 3+len(b.Appends):
		return done, false, fmt.Errorf("the commit script returned %q and %d values", kind, len(reply))
	}
	now, err := reply[1].AsInt64()
	if err != nil {
		return done, false, err
	}
	done.Now = fromMicros(now)
	version, err := reply[2].AsInt64()
	if err != nil {
		return done, false, err
	}
	if len(b.Puts) > 0 {
		done.Versions = make([]adapter.Version, len(b.Puts))
	}
	for i := range b.Puts {
		done.Versions[i] = adapter.Version(version + int64(i))
	}
	if len(b.Appends) > 0 {
		done.FirstSeq = make([]uint64, len(b.Appends))
	}
	for i := range b.Appends {
		if done.FirstSeq[i], err = reply[3+i].AsUint64(); err != nil {
			return done, false, err
		}
	}
	return done, false, nil
}

// readConflict reads number, version, expiry and body of each document that was not as expected.
func readConflict(m *rueidis.RedisMessage, b *adapter.Batch) (*adapter.Conflict, error) {
	values, err := m.ToArray()
	if err != nil {
		return nil, err
	}
	conflict := &adapter.Conflict{}
	for ; len(values) >= 4; values = values[4:] {
		n, err := values[0].AsInt64()
		if err != nil {
			return nil, err
		}
		asked := nth(b, int(n))
		d := adapter.Doc{Collection: asked.Collection, ID: asked.ID}
		version, err := values[1].AsInt64()
		if err != nil {
			return nil, err
		}
		if d.Version = adapter.Version(version); d.Version != adapter.Absent {
			expires, err := values[2].AsInt64()
			if err != nil {
				return nil, err
			}
			body, err := values[3].AsBytes()
			if err != nil {
				return nil, err
			}
			d.ExpireAt, d.Body = fromMicros(expires), json.RawMessage(body)
		}
		conflict.Current = append(conflict.Current, d)
	}
	return conflict, nil
}

// nth returns the nth expectation of a batch, from 1 on.
func nth(b *adapter.Batch, n int) *adapter.Doc {
	for _, docs := range [...][]adapter.Doc{b.Checks, b.Puts, b.Deletes} {
		if n <= len(docs) {
			return &docs[n-1]
		}
		n -= len(docs)
	}
	return &adapter.Doc{}
}
