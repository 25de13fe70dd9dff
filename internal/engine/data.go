package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// readData returns the committed value of a state document, or nil.
func (e *Engine) readData(ctx context.Context, run, key string) (json.RawMessage, error) {
	docs, err := e.Store.Get(ctx, CollectionData, dataID(run, key))
	if err != nil {
		return nil, fmt.Errorf("read state %q of run %s: %w", key, run, err)
	}
	if len(docs) == 0 {
		return nil, nil
	}
	var body dataBody
	if err := json.Unmarshal(docs[0].Body, &body); err != nil {
		return nil, fmt.Errorf("decode state %q of run %s: %w", key, run, err)
	}
	return body.Value, nil
}

// dataChanges are the writes that state operations and the clean-up come to.
type dataChanges struct {
	puts, deletes []adapter.Doc
}

// dataOps folds the state operations of a change into writes. The documents are changed together with the run's state only,
// so the state's version guards what is read here.
func (e *Engine) dataOps(ctx context.Context, c *change) (dataChanges, error) {
	var ch dataChanges
	values := map[string]*dataValue{}
	var order []string
	for _, op := range c.out.Ops {
		v := values[op.Key]
		if v == nil {
			v = &dataValue{}
			values[op.Key] = v
			order = append(order, op.Key)
		}
		if err := e.fold(ctx, c.box.run, v, op, c.now); err != nil {
			return ch, err
		}
	}
	cleanup := e.cleanup(c.work.Status)
	if cleanup {
		for _, key := range c.work.Data {
			if values[key] == nil {
				values[key] = &dataValue{}
				order = append(order, key)
			}
		}
		c.work.Data = nil
	}
	for _, key := range order {
		v := values[key]
		doc := adapter.Doc{Collection: CollectionData, ID: dataID(c.box.run, key), Version: adapter.AnyVersion}
		if v.value == nil || cleanup {
			ch.deletes = append(ch.deletes, doc)
			continue
		}
		body, err := json.Marshal(dataBody{v.value})
		if err != nil {
			return ch, fmt.Errorf("encode state %q: %w: %w", key, adapter.ErrInvalid, err)
		}
		doc.Body, doc.ExpireAt = body, v.expireAt
		ch.puts = append(ch.puts, doc)
	}
	return ch, e.expireData(ctx, c, values, &ch)
}

// dataValue is a state document in the making. A nil value means that it is deleted.
type dataValue struct {
	value    json.RawMessage
	expireAt time.Time
	known    bool // value is what it will be; else it has to be read first
}

func (e *Engine) fold(ctx context.Context, run string, v *dataValue, op flow.StateOp, now time.Time) error {
	switch op.Op {
	case flow.OpSet:
		*v = dataValue{value: op.Value, expireAt: after(now, time.Duration(op.TTL)), known: true}
	case flow.OpDelete:
		*v = dataValue{known: true}
	case flow.OpAdd:
		if !v.known {
			value, err := e.readData(ctx, run, op.Key)
			if err != nil {
				return err
			}
			v.value, v.known = value, true
		}
		sum, err := flow.AddNumbers(v.value, op.Value)
		if err != nil {
			return fmt.Errorf("add to state %q: %w: %w", op.Key, adapter.ErrInvalid, err)
		}
		v.value = sum
	default:
		return fmt.Errorf("state operation %q on %q: %w", op.Op, op.Key, adapter.ErrInvalid)
	}
	return nil
}

// cleanup reports whether the state documents go in the commit that brings the run to this status.
func (e *Engine) cleanup(s flow.Status) bool {
	switch e.Cleanup.Strategy {
	case CleanupImmediate:
		return s.Ended()
	case CleanupOnComplete:
		return s == flow.StatusCompleted
	}
	return false
}

// expireData sets the expiry of the state documents of a run that ends, where the clean-up strategy is ttl.
func (e *Engine) expireData(ctx context.Context, c *change, written map[string]*dataValue, ch *dataChanges) error {
	if e.Cleanup.Strategy != CleanupTTL || !c.work.Status.Ended() {
		return nil
	}
	at := after(c.now, e.Cleanup.TTL)
	for i := range ch.puts {
		if ch.puts[i].ExpireAt.IsZero() || ch.puts[i].ExpireAt.After(at) {
			ch.puts[i].ExpireAt = at
		}
	}
	var ids []string
	for _, key := range c.work.Data {
		if written[key] == nil {
			ids = append(ids, dataID(c.box.run, key))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	docs, err := e.Store.Get(ctx, CollectionData, ids...)
	if err != nil {
		return fmt.Errorf("read state of run %s: %w", c.box.run, err)
	}
	for _, d := range docs {
		if d.ExpireAt.IsZero() || d.ExpireAt.After(at) {
			d.ExpireAt, d.Version = at, adapter.AnyVersion
			ch.puts = append(ch.puts, d)
		}
	}
	return nil
}
