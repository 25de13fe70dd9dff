package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// A record is stored as "micros,seq;" of the commit, and behind it what encodeRecord makes: a byte with the format, the type,
// flow, step, key and scope, each with its length before it, epoch, iteration and attempt, the causes with their number
// before them, and the data, with a byte before it that says whether there is any. Numbers are varints.
const recordFormat = 1

var errRecord = errors.New("a stored record cannot be read: it was written by something else, or a newer version")

func encodeRecord(r *adapter.Record) string {
	b := make([]byte, 0, 32+len(r.Type)+len(r.Flow)+len(r.Step)+len(r.Key)+len(r.Scope)+len(r.Data)+4*len(r.Causes))
	b = append(b, recordFormat)
	for _, s := range [...]string{r.Type, r.Flow, r.Step, r.Key, r.Scope} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	for _, n := range [...]int{r.Epoch, r.Iteration, r.Attempt} {
		b = binary.AppendVarint(b, int64(n))
	}
	b = binary.AppendUvarint(b, uint64(len(r.Causes)))
	for _, c := range r.Causes {
		b = binary.AppendUvarint(b, c)
	}
	if r.Data == nil {
		return string(append(b, 0))
	}
	return string(append(append(b, 1), r.Data...))
}

// decodeRecord returns a record that keeps stored.
func decodeRecord(stored []byte) (adapter.Record, error) {
	var r adapter.Record
	head, body, ok := bytes.Cut(stored, []byte{';'})
	at, seq, ok2 := bytes.Cut(head, []byte{','})
	if !ok || !ok2 || len(body) == 0 || body[0] != recordFormat {
		return r, errRecord
	}
	us, err := strconv.ParseInt(string(at), 10, 64)
	if err != nil {
		return r, fmt.Errorf("%w: %w", errRecord, err)
	}
	if r.Seq, err = strconv.ParseUint(string(seq), 10, 64); err != nil {
		return r, fmt.Errorf("%w: %w", errRecord, err)
	}
	r.At = time.UnixMicro(us)
	d := decoder{rest: body[1:]}
	for _, s := range [...]*string{&r.Type, &r.Flow, &r.Step, &r.Key, &r.Scope} {
		*s = d.text()
	}
	for _, n := range [...]*int{&r.Epoch, &r.Iteration, &r.Attempt} {
		*n = d.number()
	}
	if n := d.size(); n > 0 {
		r.Causes = make([]uint64, n)
		for i := range r.Causes {
			r.Causes[i] = d.unsigned()
		}
	}
	if d.bad || len(d.rest) == 0 {
		return r, errRecord
	}
	if d.rest[0] == 1 {
		r.Data = d.rest[1:]
	}
	return r, nil
}

// decoder reads fields; bad says that some field was not there.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) unsigned() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) number() int {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return int(v)
}

// size reads a number of things that each take a byte at least.
func (d *decoder) size() int {
	n := d.unsigned()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return 0
	}
	return int(n)
}

func (d *decoder) text() string {
	n := d.size()
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}
