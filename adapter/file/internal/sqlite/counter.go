package sqlite

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// counter is the number of the last durable commit, kept in a file of its own. The database counts the same; when it comes
// back with less than the file says, its end was lost.
//
// The file has two lines of text which are written in turn, so that a torn write leaves the other. It is written after the
// commit and not synced: after a power cut it may say less than the database, never more.
type counter struct{ f *os.File }

const counterLine = 72

func formatCount(id string, n int64) string {
	text := fmt.Sprintf("%32s %20d", id, n)
	return fmt.Sprintf("%-*s\n", counterLine-1, fmt.Sprintf("%s %08x", text, crc32.Checksum([]byte(text), castagnoli)))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (c *counter) write(id string, n int64) error {
	_, err := c.f.WriteAt([]byte(formatCount(id, n)), counterLine*(n&1))
	return err
}

// read returns the highest count that the file has of a database, or of any if id is empty. known is false if it has none.
func (c *counter) read(id string) (n int64, known bool, err error) {
	buf := make([]byte, 2*counterLine)
	got, err := c.f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, false, err
	}
	for off := 0; off+counterLine <= got; off += counterLine {
		line := string(buf[off : off+counterLine])
		var lineID string
		var count int64
		if _, err := fmt.Sscanf(line, "%s %d", &lineID, &count); err != nil || formatCount(lineID, count) != line || id != "" && lineID != id {
			continue
		}
		n, known = max(n, count), true
	}
	return n, known, nil
}
