package orders

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxLine is the longest line that is read, in bytes.
const maxLine = 1 << 20

// BadLine is a line of input that is no order.
type BadLine struct {
	File  string `json:"file"`
	Line  int    `json:"line"` // from 1
	Error string `json:"error"`
}

// Files returns the input files that a path names: itself, or the *.ndjson and *.jsonl files of a directory, sorted.
func Files(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && slices.Contains([]string{".ndjson", ".jsonl"}, strings.ToLower(filepath.Ext(p))) {
			files = append(files, p)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no *.ndjson or *.jsonl file in %s", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	return files, nil
}

// Read calls good for each order of a file and bad for each line that is none; blank lines are passed over. A line that is
// too long is bad like any other: what follows it is read.
func Read(file string, good func(line int, o Order) error, bad func(BadLine)) error {
	f, err := os.Open(file) //nolint:gosec // the user names the file to read
	if err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	r := bufio.NewReaderSize(f, 64<<10)
	for n := 1; ; n++ {
		line, tooLong, err := readLine(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read %s, line %d: %w", file, n, err)
		}
		if tooLong {
			bad(BadLine{file, n, fmt.Sprintf("longer than %d bytes", maxLine)})
		} else if line = bytes.TrimSpace(line); len(line) > 0 {
			if o, bade := Parse(line); bade != nil {
				bad(BadLine{file, n, bade.Error()})
			} else if gerr := good(n, o); gerr != nil {
				return gerr
			}
		}
		if err != nil {
			return nil
		}
	}
}

// readLine returns the next line. Of one that is too long it reads everything and returns nothing.
func readLine(r *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			line, tooLong = nil, true
		}
		if !tooLong {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}
