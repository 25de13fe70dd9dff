package file

import (
	"encoding/binary"
	"hash/crc32"
	"strconv"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is a checksum over the columns of a row, in their order: each text with its length before it, so that no two rows
// look alike. The columns that change later are not in it; SQLite's page checksums cover them.
type sum struct{ crc uint32 }

func (s *sum) number(n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	s.crc = crc32.Update(s.crc, castagnoli, b[:])
}

func sumText[T ~string | ~[]byte](s *sum, text T) {
	var b [20]byte
	s.crc = crc32.Update(s.crc, castagnoli, append(strconv.AppendInt(b[:0], int64(len(text)), 10), ':'))
	s.crc = crc32.Update(s.crc, castagnoli, []byte(text))
}

func (s *sum) value() int64 { return int64(s.crc) }
