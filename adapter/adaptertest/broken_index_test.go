package adaptertest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/nvent-go/nvent/adapter"
)

// brokenLogs misread logs.
func brokenLogs() []broken[adapter.Store] {
	return []broken[adapter.Store]{
		{"reads from a seq instead of after it", "read/ranges", editRead(func(r *adapter.Range) {
			if r.After > 0 && !r.Backward {
				r.After--
			}
		}, nil)},
		{"ignores backward", "read/ranges", editRead(func(r *adapter.Range) { r.Backward = false }, nil)},
		{"ignores types", "read/ranges", editRead(func(r *adapter.Range) { r.Types = nil }, nil)},
		{"reads without a limit", "read/default-limit-is-1000", editRead(func(r *adapter.Range) {
			if r.Limit == 0 {
				r.Limit = 1 << 20
			}
		}, nil)},
		{"drops causes", "log/keeps-every-field", editRead(nil, func(recs []adapter.Record) []adapter.Record {
			for i := range recs {
				recs[i].Causes = nil
			}
			return recs
		})},
		{"counts seqs from zero", "log/seqs-count-from-one", editRead(nil, func(recs []adapter.Record) []adapter.Record {
			for i := range recs {
				recs[i].Seq--
			}
			return recs
		})},
		{"fails on an absent log", "log/absent-is-empty", robbing(func(s *store) {
			s.read = func(ctx context.Context, subject string, r adapter.Range) ([]adapter.Record, error) {
				recs, err := s.Store.Read(ctx, subject, r)
				if err == nil && len(recs) == 0 {
					err = adapter.ErrNotFound
				}
				return recs, err
			}
		})},
		{"does not drop", "drop/seqs-are-not-used-again", editBatch(func(b *adapter.Batch) { b.Drops = nil })},
	}
}

// brokenIndexes find the wrong documents.
func brokenIndexes() []broken[adapter.Store] {
	return []broken[adapter.Store]{
		{"keeps a stale index", "index/follows-every-write", robbing(func(s *store) {
			cache := map[string]adapter.Page[adapter.Doc]{}
			s.list = func(ctx context.Context, collection string, q adapter.Query) (adapter.Page[adapter.Doc], error) {
				key := fmt.Sprint(collection, q)
				page, ok := cache[key]
				if ok {
					return page, nil
				}
				page, err := s.Store.List(ctx, collection, q)
				cache[key] = page
				return page, err
			}
		})},
		{"scans where no index is", "index/undeclared-is-unsupported", robbing(func(s *store) {
			s.list = func(ctx context.Context, collection string, q adapter.Query) (adapter.Page[adapter.Doc], error) {
				page, err := s.Store.List(ctx, collection, q)
				if errors.Is(err, adapter.ErrUnsupported) {
					err = nil
				}
				return page, err
			}
		})},
		{"ignores descending", "query/numbers-by-value", editList(func(q *adapter.Query) { q.Desc = false }, nil)},
		{"ignores the upper bound", "query/bounds-are-inclusive", editList(func(q *adapter.Query) { q.To = nil }, nil)},
		{"sorts numbers as strings", "query/numbers-by-value", editList(nil, func(p *adapter.Page[adapter.Doc]) {
			slices.SortFunc(p.Items, func(a, b adapter.Doc) int { return slices.Compare(a.Body, b.Body) })
		})},
		{"loses the last of a full page", "page/default-limit-is-100", editList(nil, func(p *adapter.Page[adapter.Doc]) {
			if p.Next != "" {
				p.Items = p.Items[:len(p.Items)-1]
			}
		})},
		{"pages by position", "page/nothing-twice-nothing-missed-under-change", robbing(func(s *store) {
			s.list = func(ctx context.Context, collection string, q adapter.Query) (adapter.Page[adapter.Doc], error) {
				at, _ := strconv.Atoi(q.Cursor)
				limit := q.Limit
				q.Cursor, q.Limit = "", 1000
				page, err := s.Store.List(ctx, collection, q)
				page.Items = page.Items[min(at, len(page.Items)):]
				if page.Next = ""; len(page.Items) > limit {
					page.Items, page.Next = page.Items[:limit], strconv.Itoa(at+limit)
				}
				return page, err
			}
		})},
		{"repeats the last of a page", "query/equal-ones-by-id", robbing(func(s *store) {
			var last []adapter.Doc
			s.list = func(ctx context.Context, collection string, q adapter.Query) (adapter.Page[adapter.Doc], error) {
				page, err := s.Store.List(ctx, collection, q)
				if q.Cursor != "" && q.Limit > 0 {
					page.Items = append(last, page.Items...)[:min(q.Limit, 1+len(page.Items))]
				}
				last = slices.Clone(page.Items[max(0, len(page.Items)-1):])
				return page, err
			}
		})},
		{"counts wrongly and calls it exact", "index/equality", robbing(func(s *store) {
			s.count = func(ctx context.Context, collection string, q adapter.Query) (int64, bool, error) {
				n, exact, err := s.Store.Count(ctx, collection, q)
				return n + 1, exact, err
			}
		})},
	}
}
