package memory

import (
	"slices"
	"sort"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

const defaultRead = 1000

// log is the log of a subject. It outlives its records, so that no seq is used again.
type log struct {
	subject string
	next    *log   // of the partition
	first   uint64 // the first seq that is kept, or will be written next
	last    uint64
	dropped bool // and nothing was written since: the log does not exist
	runs    []run
}

// run is what one append has added: the records as they were given, and what the store has assigned to them.
type run struct {
	first   uint64
	at      time.Time
	records []adapter.Record // not empty
}

// end returns the seq behind the run.
func (r *run) end() uint64 { return r.first + uint64(len(r.records)) }

// record returns record number i.
func (r *run) record(i int) adapter.Record {
	record := r.records[i]
	record.Seq, record.At = r.first+uint64(i), r.at
	return record
}

func (sh *shard) log(p *partition, subject string) *log {
	l := sh.logs[subject]
	if l == nil {
		l = &log{subject: subject, next: p.logs, first: 1}
		p.logs = l
		sh.logs[subject] = l
	}
	return l
}

// append adds records and returns the seq of the first one.
func (l *log) append(records []adapter.Record, now time.Time) uint64 {
	first := l.last + 1
	if len(records) == 0 {
		return first
	}
	if cap(records) > 2*len(records) { // the log may live long
		records = slices.Clone(records)
	}
	l.runs = append(l.runs, run{first, now, records})
	l.last += uint64(len(records))
	l.dropped = false
	return first
}

// trim removes all records.
func (l *log) trim() {
	l.runs, l.first = nil, l.last+1
}

// from returns the position of a seq that is kept: its run, and its index there.
func (l *log) from(seq uint64) (runIndex, index int) {
	i := sort.Search(len(l.runs), func(i int) bool { return l.runs[i].end() > seq })
	if i == len(l.runs) {
		return i, 0
	}
	return i, int(seq - l.runs[i].first)
}

// read returns the records that r selects. See [adapter.Store].
func (l *log) read(r *adapter.Range) ([]adapter.Record, error) {
	trimmed := &adapter.Trimmed{Subject: l.subject, First: l.first}
	if r.Seqs != nil {
		var found []adapter.Record
		for _, seq := range r.Seqs {
			if seq < l.first {
				return nil, trimmed
			}
			if i, k := l.from(seq); i < len(l.runs) {
				found = append(found, l.runs[i].record(k))
			}
		}
		return found, nil
	}
	limit := r.Limit
	if limit <= 0 {
		limit = defaultRead
	}
	if r.Backward {
		before := l.last + 1
		if r.After > 0 {
			before = min(before, r.After)
		}
		if before <= l.first && l.first > 1 && before > 1 {
			return nil, trimmed
		}
		return l.backward(before, limit, r.Types), nil
	}
	if r.After < l.first-1 {
		return nil, trimmed
	}
	if r.After >= l.last {
		return nil, nil
	}
	return l.forward(r.After+1, limit, r.Types), nil
}

func (l *log) forward(seq uint64, limit int, types []string) []adapter.Record {
	found := make([]adapter.Record, 0, min(uint64(limit), l.last-seq+1))
	i, k := l.from(seq)
	for ; i < len(l.runs); i, k = i+1, 0 {
		for r := &l.runs[i]; k < len(r.records); k++ {
			if len(types) == 0 || slices.Contains(types, r.records[k].Type) {
				if found = append(found, r.record(k)); len(found) == limit {
					return found
				}
			}
		}
	}
	return found
}

func (l *log) backward(before uint64, limit int, types []string) []adapter.Record {
	if before <= l.first {
		return nil
	}
	found := make([]adapter.Record, 0, min(uint64(limit), before-l.first))
	i, k := l.from(before - 1)
	for {
		for r := &l.runs[i]; k >= 0; k-- {
			if len(types) == 0 || slices.Contains(types, r.records[k].Type) {
				if found = append(found, r.record(k)); len(found) == limit {
					return found
				}
			}
		}
		if i--; i < 0 {
			return found
		}
		k = len(l.runs[i].records) - 1
	}
}
