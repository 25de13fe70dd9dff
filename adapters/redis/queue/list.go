package queue

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// List returns jobs in the order of creation. BullMQ's layout has no index by creation, name or label: each page costs in
// proportion to the jobs in the states that are asked for, in small calls between which the server does other work. See
// [adapter.Queue].
func (q *Queue) List(ctx context.Context, queue string, query adapter.JobQuery) (adapter.Page[adapter.Job], error) {
	const op = "list"
	var page adapter.Page[adapter.Job]
	base, err := q.base(op, queue)
	if err != nil {
		return page, err
	}
	found, err := q.candidates(ctx, op, base, query)
	if err != nil {
		return page, err
	}
	limit := query.Limit
	if limit <= 0 {
		limit = 100
	}
	for len(found) > 0 && len(page.Items) < limit {
		n := min(len(found), limit-len(page.Items))
		ids := make([]string, n)
		for i := range ids {
			ids[i] = found[i].ID
		}
		last := found[n-1]
		found = found[n:]
		jobs, err := q.read(ctx, op, queue, base, ids)
		if err != nil {
			return page, err
		}
		for _, j := range jobs {
			if len(query.States) == 0 || slices.Contains(query.States, j.State) { // it may have moved meanwhile
				page.Items = append(page.Items, j)
			}
		}
		if len(found) > 0 {
			page.Next = last.encode()
		} else {
			page.Next = ""
		}
	}
	return page, nil
}

// place is where a job is in the order of creation.
type place struct {
	At int64  `json:"t"`
	ID string `json:"i"`
}

func (p place) compare(other place) int {
	return cmp.Or(cmp.Compare(p.At, other.At), strings.Compare(p.ID, other.ID))
}

func (p place) encode() string {
	raw, err := json.Marshal(p)
	if err != nil {
		panic("queue: encode cursor: " + err.Error()) // a number and a text
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func decodePlace(cursor string) (p place, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil {
		return p, conn.Invalid("list", "cursor "+cursor, "use Page.Next of the page before")
	}
	return p, nil
}

// sources are the keys that hold the jobs of a state, as suffixes: lists, and sorted sets.
var sources = map[adapter.JobState]struct{ lists, sets []string }{
	adapter.JobWaiting:   {[]string{"wait", "paused"}, []string{"prioritized", "waiting-children"}},
	adapter.JobActive:    {[]string{"active"}, nil},
	adapter.JobDelayed:   {nil, []string{"delayed"}},
	adapter.JobCompleted: {nil, []string{"completed"}},
	adapter.JobFailed:    {nil, []string{"failed"}},
}

// candidates returns the jobs that a query may find, after its cursor, in its order.
func (q *Queue) candidates(ctx context.Context, op, base string, query adapter.JobQuery) ([]place, error) {
	var after *place
	if query.Cursor != "" {
		p, err := decodePlace(query.Cursor)
		if err != nil {
			return nil, err
		}
		after = &p
	}
	ids, err := q.idsIn(ctx, op, base, query.States)
	if err != nil {
		return nil, err
	}
	var found []place
	for len(ids) > 0 {
		n := min(len(ids), 500)
		cmds := make([]rueidis.Completed, n)
		for i, id := range ids[:n] {
			cmds[i] = q.client.B().Hmget().Key(base+id).Field("timestamp", "name", "nx").Build()
		}
		for i, r := range q.client.DoMulti(ctx, cmds...) {
			f, err := r.ToArray()
			if err != nil {
				return nil, conn.Error(ctx, op, err)
			}
			h := hash{"timestamp": text(f[0]), "name": text(f[1]), "nx": text(f[2])}
			p := place{h.int("timestamp"), ids[i]}
			if f[0].IsNil() && f[1].IsNil() || !h.matches(query) || after != nil && !p.follows(*after, query.Desc) {
				continue
			}
			found = append(found, p)
		}
		ids = ids[n:]
	}
	slices.SortFunc(found, place.compare)
	if query.Desc {
		slices.Reverse(found)
	}
	return slices.CompactFunc(found, func(a, b place) bool { return a.ID == b.ID }), nil
}

func (p place) follows(other place, desc bool) bool {
	if desc {
		return p.compare(other) < 0
	}
	return p.compare(other) > 0
}

// matches reports whether a job with these fields is what a query asks for, its state aside.
func (h hash) matches(query adapter.JobQuery) bool {
	if query.Name != "" && h["name"] != query.Name {
		return false
	}
	at := h.time("timestamp")
	if !query.After.IsZero() && !at.After(query.After) || !query.Before.IsZero() && !at.Before(query.Before) {
		return false
	}
	if query.Label == "" && query.Value == "" {
		return true
	}
	var j adapter.NewJob
	decodeExtra(h["nx"], &j)
	v, ok := j.Labels[query.Label]
	return ok && v == query.Value
}

// idsIn returns the IDs of the jobs in some states, as they are at one moment.
func (q *Queue) idsIn(ctx context.Context, op, base string, wanted []adapter.JobState) ([]string, error) {
	if q.closed() {
		return nil, conn.Closed(op)
	}
	if ctx.Err() != nil {
		return nil, conn.Error(ctx, op, ctx.Err())
	}
	b := q.client.B()
	cmds := []rueidis.Completed{b.Multi().Build()}
	for state, s := range sources {
		if len(wanted) > 0 && !slices.Contains(wanted, state) {
			continue
		}
		for _, list := range s.lists {
			cmds = append(cmds, b.Lrange().Key(base+list).Start(0).Stop(-1).Build())
		}
		for _, set := range s.sets {
			cmds = append(cmds, b.Zrange().Key(base+set).Min("0").Max("-1").Build())
		}
	}
	cmds = append(cmds, b.Exec().Build())
	var ids []string
	err := q.client.Dedicated(func(c rueidis.DedicatedClient) error {
		replies := c.DoMulti(ctx, cmds...)
		lists, err := replies[len(replies)-1].ToArray()
		if err != nil {
			return err
		}
		for _, l := range lists {
			more, err := l.AsStrSlice()
			if err != nil {
				return err
			}
			for _, id := range more {
				if !strings.HasPrefix(id, "0:") { // BullMQ 4's markers
					ids = append(ids, id)
				}
			}
		}
		return nil
	})
	return ids, conn.Error(ctx, op, err)
}

// selected returns the IDs of the jobs that a query selects and an action applies to.
func (q *Queue) selected(ctx context.Context, queue string, a adapter.JobAction, sel adapter.Selection) ([]string, error) {
	query := *sel.Query
	query.States = slices.DeleteFunc(slices.Clone(applies[a]), func(s adapter.JobState) bool {
		return len(sel.Query.States) > 0 && !slices.Contains(sel.Query.States, s)
	})
	limit := sel.Limit
	if limit <= 0 {
		limit = 1000
	}
	if len(query.States) == 0 {
		return nil, nil
	}
	query.Limit = limit
	page, err := q.List(ctx, queue, query)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(page.Items))
	for i := range page.Items {
		ids[i] = page.Items[i].ID
	}
	return ids, nil
}
