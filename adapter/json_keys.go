package adapter

import (
	"bytes"
	"hash/maphash"
	"unicode/utf8"
)

const (
	minSlots = 128
	// maxKeptSlots bounds the scratch space that is kept after a document with very many keys.
	maxKeptSlots = 1 << 14
)

// keySet finds keys that an object has twice. It holds the keys of all objects of one document in one hash table.
type keySet struct {
	raw   []byte
	seed  maphash.Seed // random, so that nobody can choose keys that collide
	slots []keySlot
	used  int
	epoch uint32 // slots of another epoch are empty: clearing the table costs nothing
	buf   [2][]byte
}

type keySlot struct {
	hash    uint64
	start   int
	end     int
	object  uint32
	epoch   uint32
	escaped bool
}

func newKeySet() keySet {
	return keySet{seed: maphash.MakeSeed(), slots: make([]keySlot, minSlots)}
}

func (s *keySet) reset(raw []byte) {
	s.raw, s.used = raw, 0
	if s.epoch++; s.epoch == 0 {
		clear(s.slots)
		s.epoch = 1
	}
}

// add remembers a key of an object by its place in the document, and reports whether it is new.
func (s *keySet) add(object uint32, start, end int, escaped bool) bool {
	if 2*s.used >= len(s.slots) {
		s.grow()
	}
	key := s.key(0, start, end, escaped)
	hash := maphash.Bytes(s.seed, key) ^ uint64(object)*0x9e3779b97f4a7c15
	mask := uint64(len(s.slots) - 1)
	i := hash & mask
	for ; s.slots[i].epoch == s.epoch; i = (i + 1) & mask {
		o := &s.slots[i]
		if o.hash == hash && o.object == object && bytes.Equal(key, s.key(1, o.start, o.end, o.escaped)) {
			return false
		}
	}
	s.slots[i] = keySlot{hash: hash, start: start, end: end, object: object, epoch: s.epoch, escaped: escaped}
	s.used++
	return true
}

// key returns the characters of a key, unescaped into one of the two buffers where that is needed.
func (s *keySet) key(buf, start, end int, escaped bool) []byte {
	if !escaped {
		return s.raw[start:end]
	}
	s.buf[buf] = appendUnescaped(s.buf[buf][:0], s.raw[start:end])
	return s.buf[buf]
}

func (s *keySet) grow() {
	old := s.slots
	s.slots = make([]keySlot, 2*len(old))
	mask := uint64(len(s.slots) - 1)
	for _, slot := range old {
		if slot.epoch != s.epoch {
			continue
		}
		i := slot.hash & mask
		for s.slots[i].epoch == s.epoch {
			i = (i + 1) & mask
		}
		s.slots[i] = slot
	}
}

// appendUnescaped appends the characters of a string that scanString has accepted.
func appendUnescaped(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			i++
			continue
		}
		switch c := s[i+1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hex4(s, i+2)
			if r >= 0xd800 && r <= 0xdfff {
				low, _ := hex4(s, i+8)
				r = (r-0xd800)<<10 + (low - 0xdc00) + 0x10000
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
			i += 4
		default:
			dst = append(dst, c)
		}
		i += 2
	}
	return dst
}
