package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// entry is what the catalog keeps of a collection.
type entry struct {
	Schema  int             `json:"schema,omitempty"`
	Indexes []declaredIndex `json:"indexes,omitempty"`
}

type declaredIndex struct {
	Equal []string `json:"equal,omitempty"`
	Order string   `json:"order,omitempty"`
	Ready bool     `json:"ready,omitempty"` // all documents are in it
}

// swapScript replaces an entry of the catalog if it is what the caller has seen.
var swapScript = newScript(`
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1`)

// Declare makes collections known to all instances. Indexes that were declared before stay. An index that is new is built
// before Declare returns, while others write: their writes find its declaration in the shard, read the catalog again, and keep
// the index up to date. See [adapter.Store].
func (s *Store) Declare(ctx context.Context, collections ...adapter.Collection) error {
	const op = "declare"
	if err := s.usable(ctx, op); err != nil {
		return err
	}
	for _, c := range collections {
		if c.Name == "" {
			return conn.Invalid(op, "a collection has no name", "")
		}
		for _, x := range c.Indexes {
			if len(x.Equal) == 0 && x.Order == "" {
				return conn.Invalid(op, fmt.Sprintf("an index of %q has no fields", c.Name), "documents are listed by ID without one")
			}
		}
	}
	for _, c := range collections {
		if err := s.declare(ctx, c); err != nil {
			return conn.Error(ctx, op, err)
		}
	}
	return nil
}

func (s *Store) declare(ctx context.Context, d adapter.Collection) error {
	e, err := s.change(ctx, d.Name, func(e *entry) bool {
		changed := false
		for _, x := range d.Indexes {
			if !slices.ContainsFunc(e.Indexes, func(have declaredIndex) bool { return sameIndex(have.index(), x) }) {
				e.Indexes = append(e.Indexes, declaredIndex{Equal: x.Equal, Order: x.Order})
				e.Schema++
				changed = true
			}
		}
		return changed
	})
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(e.Indexes, func(x declaredIndex) bool { return !x.Ready }) {
		return nil
	}
	schema := e.Schema
	if err := s.build(ctx, newCollection(d.Name, e)); err != nil {
		return fmt.Errorf("build indexes of %q: %w", d.Name, err)
	}
	_, err = s.change(ctx, d.Name, func(e *entry) bool {
		changed := false
		for i := range e.Indexes[:min(schema, len(e.Indexes))] {
			changed = changed || !e.Indexes[i].Ready
			e.Indexes[i].Ready = true
		}
		return changed
	})
	return err
}

func (x declaredIndex) index() adapter.Index { return adapter.Index{Equal: x.Equal, Order: x.Order} }

// change lets edit change the entry of a collection until nobody else does so at the same time, and returns what is in the
// catalog then. edit reports whether it did anything; a collection without an entry gets one in any case.
func (s *Store) change(ctx context.Context, name string, edit func(*entry) bool) (*entry, error) {
	field := escaped(name)
	for {
		old, e, err := s.load(ctx, name)
		if err != nil {
			return nil, err
		}
		if !edit(e) && old != "" {
			return e, nil
		}
		text, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		done, err := s.runOn(ctx, swapScript, s.keys.catalog, field, old, string(text)).AsInt64()
		if err != nil {
			return nil, err
		}
		if done == 1 {
			s.remember(newCollection(name, e))
			return e, nil
		}
	}
}

// load reads the entry of a collection, as text and parsed. "" is none.
func (s *Store) load(ctx context.Context, name string) (string, *entry, error) {
	e := &entry{}
	text, err := s.client.Do(ctx, s.client.B().Hget().Key(s.keys.catalog).Field(escaped(name)).Build()).ToString()
	if rueidis.IsRedisNil(err) {
		return "", e, nil
	}
	if err != nil {
		return "", nil, err
	}
	if err := json.Unmarshal([]byte(text), e); err != nil {
		return "", nil, fmt.Errorf("catalog entry of %q: %w", name, err)
	}
	s.remember(newCollection(name, e))
	return text, e, nil
}

func (s *Store) remember(c *collection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.collections[c.name] = c
}

// forget makes the next use of collections read the catalog again.
func (s *Store) forget(collections []*collection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range collections {
		if s.collections[c.name] == c {
			delete(s.collections, c.name)
		}
	}
}

// collection returns a declared collection.
func (s *Store) collection(ctx context.Context, name string) (*collection, error) {
	s.mu.RLock()
	c := s.collections[name]
	s.mu.RUnlock()
	if c != nil {
		return c, nil
	}
	text, e, err := s.load(ctx, name)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, fmt.Errorf("%w: collection %q is not declared: call Declare with it first", adapter.ErrInvalid, name)
	}
	return newCollection(name, e), nil
}

// buildPage is how many documents are indexed at a time.
const buildPage = 200

// build puts the documents of a collection into its indexes. Before that it tells every shard about them, so that nobody
// writes there who does not know of them.
func (s *Store) build(ctx context.Context, c *collection) error {
	for i, r := range s.runEach(ctx, raiseScript, s.keys.shards[:], c.escaped, strconv.Itoa(c.schema)) {
		n, err := r.AsInt64()
		if err != nil {
			return err
		}
		if n > 0 {
			if err := s.buildShard(ctx, c, s.keys.shards[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) buildShard(ctx context.Context, c *collection, shard string) error {
	for from := "-"; ; {
		ids, err := s.client.Do(ctx, s.client.B().Zrangebylex().Key(shard+"z:"+c.escaped).Min(from).Max("+").
			Limit(0, buildPage).Build()).AsStrSlice()
		if err != nil || len(ids) == 0 {
			return err
		}
		from = "(" + ids[len(ids)-1]
		found, err := s.fetch(ctx, c, ids)
		if err != nil {
			return err
		}
		args := []string{c.escaped}
		for i := range found {
			if found[i].head == "" {
				continue
			}
			places, err := c.places(&found[i].Doc)
			if err != nil {
				places = "" // what is not valid JSON has no fields
			}
			args = append(args, adapter.Partition(found[i].ID), rest(found[i].ID), found[i].head, places)
		}
		if err := s.run(ctx, reindexScript, shard, args...).Error(); err != nil && !rueidis.IsRedisNil(err) {
			return err
		}
	}
}
