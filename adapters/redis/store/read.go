package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

const defaultRead = 1000

// Read returns records of a log. See [adapter.Store].
func (s *Store) Read(ctx context.Context, subject string, r adapter.Range) ([]adapter.Record, error) {
	const op = "read"
	if err := s.usable(ctx, op); err != nil {
		return nil, err
	}
	if r.Limit <= 0 {
		r.Limit = defaultRead
	}
	r.After = min(r.After, maxSeq)
	l := reader{s: s, subject: subject, first: 1}
	var records []adapter.Record
	var err error
	for range attempts {
		switch {
		case r.Seqs != nil:
			records, err = l.exactly(ctx, r.Seqs)
		case r.Backward:
			records, err = l.backward(ctx, &r)
		default:
			records, err = l.forward(ctx, &r)
		}
		if !errors.Is(err, errMoved) {
			break
		}
	}
	return records, conn.Error(ctx, op, err)
}

// maxSeq is beyond every seq: scripts count in float64.
const maxSeq = 1 << 53

// reader reads a log. A list knows positions, so the seq of its first record has to be known; it is guessed to be 1, and since
// records carry their seqs a wrong guess shows.
type reader struct {
	s       *Store
	subject string
	first   uint64
	last    uint64
	empty   bool // there is no such log, or it was dropped
}

// errMoved: the log was trimmed or dropped between two commands. Reading again helps.
var errMoved = fmt.Errorf("%w: the log changed while it was read", adapter.ErrUnavailable)

// attempts is how often a read starts over that meets a log being trimmed.
const attempts = 5

// fetch runs commands that read the list, with the log's state in front of them, in one round trip. It calls again with what
// it learnt when the first seq was not the one that the commands were made for.
func (l *reader) fetch(ctx context.Context, commands func() []rueidis.Completed) ([]adapter.Record, error) {
	for range attempts {
		guess := l.first
		all := append(rueidis.Commands{l.s.client.B().Hmget().Key(l.s.keys.partition(l.subject)).
			Field("@", "l"+rest(l.subject)).Build()}, commands()...)
		results := l.s.client.DoMulti(ctx, all...)
		if err := l.state(ctx, results[0]); err != nil || l.empty {
			return nil, err
		}
		if l.first != guess {
			continue
		}
		records, err := decodeAll(results[1:])
		if err != nil {
			return nil, err
		}
		return records, nil
	}
	return nil, errMoved
}

// state reads what is known about the log.
func (l *reader) state(ctx context.Context, r rueidis.RedisResult) error {
	fields, err := r.AsStrSlice()
	if err != nil {
		return err
	}
	if len(fields) != 2 {
		return fmt.Errorf("state of log %s has %d fields", l.subject, len(fields))
	}
	if l.empty = fields[1] == "" || strings.HasSuffix(fields[1], ",dropped"); l.empty {
		return nil
	}
	last, first, err := two(fields[1])
	if err != nil {
		return err
	}
	docs, logs, err := two(fields[0])
	if err != nil {
		return err
	}
	v := visibility{s: l.s}
	if l.empty, err = v.expired(ctx, docs); err != nil || l.empty {
		return err
	}
	trimmed, err := v.expired(ctx, logs)
	if trimmed {
		first = last + 1
	}
	l.last, l.first = uint64(last), uint64(first)
	return err
}

func decodeAll(results []rueidis.RedisResult) ([]adapter.Record, error) {
	var records []adapter.Record
	for _, r := range results {
		values, err := r.ToArray()
		if rueidis.IsRedisNil(err) {
			continue
		}
		if err != nil {
			single, err := r.AsBytes() // LINDEX
			if err != nil {
				return nil, err
			}
			record, err := decodeRecord(single)
			if err != nil {
				return nil, err
			}
			records = append(records, record)
			continue
		}
		records = slices.Grow(records, len(values))
		for i := range values {
			raw, err := values[i].AsBytes()
			if err != nil {
				return nil, err
			}
			record, err := decodeRecord(raw)
			if err != nil {
				return nil, err
			}
			records = append(records, record)
		}
	}
	return records, nil
}

func (l *reader) trimmed() error { return &adapter.Trimmed{Subject: l.subject, First: l.first} }

// slice reads the records from one seq to another, both included.
func (l *reader) slice(ctx context.Context, from, to uint64) ([]adapter.Record, error) {
	return l.fetch(ctx, func() []rueidis.Completed {
		if to < from || to < l.first {
			return nil
		}
		start := max(from, l.first) - l.first
		return []rueidis.Completed{l.s.client.B().Lrange().Key(l.s.keys.log(l.subject)).Start(int64(start)).
			Stop(int64(to - l.first)).Build()}
	})
}

func (l *reader) forward(ctx context.Context, r *adapter.Range) ([]adapter.Record, error) {
	var found []adapter.Record
	for after := r.After; ; {
		// More than what is asked for where types may leave some out.
		size := uint64(r.Limit - len(found))
		if len(r.Types) > 0 {
			size = max(size, 256)
		}
		page, err := l.slice(ctx, after+1, after+size)
		if err != nil || l.empty {
			return found, err
		}
		if after < l.first-1 {
			return nil, l.trimmed()
		}
		if len(page) > 0 && page[0].Seq != after+1 || len(page) == 0 && after < l.last {
			return nil, errMoved
		}
		found = appendTypes(found, page, r)
		if len(found) == r.Limit || uint64(len(page)) < size {
			return found, nil
		}
		after += uint64(len(page))
	}
}

// appendTypes appends records of the types of r up to its limit.
func appendTypes(found, page []adapter.Record, r *adapter.Range) []adapter.Record {
	for i := range page {
		if len(found) == r.Limit {
			break
		}
		if len(r.Types) == 0 || slices.Contains(r.Types, page[i].Type) {
			found = append(found, page[i])
		}
	}
	return found
}

func (l *reader) backward(ctx context.Context, r *adapter.Range) ([]adapter.Record, error) {
	var found []adapter.Record
	for before := r.After; ; {
		size := uint64(r.Limit - len(found))
		if len(r.Types) > 0 {
			size = max(size, 256)
		}
		page, err := l.fetch(ctx, func() []rueidis.Completed {
			start, stop := -int64(size), int64(-1) // from the end
			if before > 0 {
				if before <= l.first {
					return nil
				}
				stop = int64(before - 1 - l.first)
				start = max(0, stop-int64(size)+1)
			}
			return []rueidis.Completed{l.s.client.B().Lrange().Key(l.s.keys.log(l.subject)).Start(start).Stop(stop).Build()}
		})
		if err != nil || l.empty {
			return found, err
		}
		end := l.last + 1
		if before > end {
			before = 0
			continue
		}
		if from := cmp.Or(before, end); from <= l.first {
			if l.first > 1 && from > 1 {
				return nil, l.trimmed()
			}
			return found, nil
		}
		if len(page) == 0 || before > 0 && page[len(page)-1].Seq != before-1 {
			return nil, errMoved
		}
		slices.Reverse(page)
		found = appendTypes(found, page, r)
		before = page[len(page)-1].Seq
		if len(found) == r.Limit || before <= l.first {
			return found, nil
		}
	}
}

// exactly reads the records of these seqs: the whole stretch where they lie close together.
func (l *reader) exactly(ctx context.Context, seqs []uint64) ([]adapter.Record, error) {
	if len(seqs) == 0 {
		return nil, nil
	}
	low, high := slices.Min(seqs), slices.Max(seqs)
	records, err := l.fetch(ctx, func() []rueidis.Completed {
		if high < l.first || low == 0 {
			return nil
		}
		key := l.s.keys.log(l.subject)
		if high-low < 4*uint64(len(seqs)) {
			start := max(low, l.first) - l.first
			return []rueidis.Completed{l.s.client.B().Lrange().Key(key).Start(int64(start)).Stop(int64(high - l.first)).Build()}
		}
		var commands []rueidis.Completed
		for _, seq := range seqs {
			if seq >= l.first {
				commands = append(commands, l.s.client.B().Lindex().Key(key).Index(int64(seq-l.first)).Build())
			}
		}
		return commands
	})
	if err != nil || l.empty {
		return nil, err
	}
	if low < l.first {
		return nil, l.trimmed()
	}
	bySeq := make(map[uint64]int, len(records))
	for i := range records {
		bySeq[records[i].Seq] = i
	}
	found := make([]adapter.Record, 0, len(seqs))
	for _, seq := range seqs {
		if i, ok := bySeq[seq]; ok {
			found = append(found, records[i])
		} else if seq <= l.last {
			return nil, fmt.Errorf("%w: record %s of log %s", errMoved, strconv.FormatUint(seq, 10), l.subject)
		}
	}
	return found, nil
}
