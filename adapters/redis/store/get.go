package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// stored is a document as it is stored. head is "" where there is none.
type stored struct {
	adapter.Doc
	head   string // "version,expiry"
	places string
	gone   int64 // when its partition expires
}

// Get returns documents. Those of one partition are read at one moment. See [adapter.Store].
func (s *Store) Get(ctx context.Context, collection string, ids ...string) ([]adapter.Doc, error) {
	const op = "get"
	if err := s.usable(ctx, op); err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, nil
	}
	c, err := s.collection(ctx, collection)
	if err != nil {
		return nil, conn.Error(ctx, op, err)
	}
	found, err := s.fetch(ctx, c, ids)
	if err != nil {
		return nil, conn.Error(ctx, op, err)
	}
	docs := make([]adapter.Doc, 0, len(found))
	v := visibility{s: s}
	for i := range found {
		visible, err := v.visible(ctx, &found[i])
		if err != nil {
			return nil, conn.Error(ctx, op, err)
		}
		if visible {
			docs = append(docs, found[i].Doc)
		}
	}
	return docs, nil
}

// visible reports whether a document is there now.
func (v *visibility) visible(ctx context.Context, d *stored) (bool, error) {
	if d.head == "" {
		return false, nil
	}
	for _, at := range [...]int64{micros(d.ExpireAt), d.gone} {
		if expired, err := v.expired(ctx, at); err != nil || expired {
			return false, err
		}
	}
	return true, nil
}

// fetch reads documents, aligned with ids, in one round trip: those of a partition with one command.
func (s *Store) fetch(ctx context.Context, c *collection, ids []string) ([]stored, error) {
	type group struct {
		key     string
		members []int
	}
	var groups []*group
	byKey := make(map[string]*group, len(ids))
	for i, id := range ids {
		key := s.keys.partition(id)
		g := byKey[key]
		if g == nil {
			g = &group{key: key}
			byKey[key] = g
			groups = append(groups, g)
		}
		g.members = append(g.members, i)
	}
	commands := make(rueidis.Commands, len(groups))
	for i, g := range groups {
		fields := make([]string, 1, 1+3*len(g.members))
		fields[0] = "@"
		for _, n := range g.members {
			name := c.escaped + ":" + rest(ids[n])
			fields = append(fields, "v"+name, "b"+name, "i"+name)
		}
		commands[i] = s.client.B().Hmget().Key(g.key).Field(fields...).Build()
	}
	found := make([]stored, len(ids))
	for i, r := range s.client.DoMulti(ctx, commands...) {
		values, err := r.ToArray()
		if err != nil {
			return nil, err
		}
		g := groups[i]
		if len(values) != 1+3*len(g.members) {
			return nil, fmt.Errorf("read of partition %s returned %d fields", g.key, len(values))
		}
		gone, _, err := two(textOf(&values[0]))
		if err != nil {
			return nil, err
		}
		for k, n := range g.members {
			d := &found[n]
			d.Collection, d.ID, d.gone = c.name, ids[n], gone
			if err := d.fill(values[1+3*k : 4+3*k]); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// fill takes over the fields v, b and i.
func (d *stored) fill(fields []rueidis.RedisMessage) error {
	if fields[0].IsNil() {
		return nil
	}
	d.head, d.places = textOf(&fields[0]), textOf(&fields[2])
	version, expires, err := two(d.head)
	if err != nil {
		return err
	}
	d.Version, d.ExpireAt = adapter.Version(version), fromMicros(expires)
	body, err := fields[1].AsBytes()
	d.Body = json.RawMessage(body)
	return err
}

// textOf returns a text, or "" for nil.
func textOf(m *rueidis.RedisMessage) string {
	text, err := m.ToString()
	if err != nil {
		return ""
	}
	return text
}
