package file_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// faultFS is a file layer that can fail, and that knows what a power cut would take.
type faultFS struct {
	vfs.VFSFilename
	name string

	mu       sync.Mutex
	unsynced map[string][]oldBytes // by file, in the order of writing: what was there before
	writes   int
	cutAt    int // the power is cut at this write; 0: never
	dead     bool
	failSync bool
	full     bool // files cannot grow
}

// oldBytes is what a write that is not synced has replaced.
type oldBytes struct {
	off  int64
	old  []byte
	new  []byte
	size int64 // of the file, before
}

var faultLayers atomic.Int64

func newFaultFS() *faultFS {
	fs := &faultFS{
		VFSFilename: vfs.Find(sqlite.Register()).(vfs.VFSFilename), name: fmt.Sprint("fault", faultLayers.Add(1)),
		unsynced: map[string][]oldBytes{},
	}
	vfs.Register(fs.name, fs)
	return fs
}

// set changes what goes wrong.
func (fs *faultFS) set(change func()) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	change()
}

func (fs *faultFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	path := name.String()
	f, flags, err := fs.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return &faultFile{sqlite.File{File: f}, fs, path}, flags, nil
}

type faultFile struct {
	sqlite.File
	fs   *faultFS
	path string
}

func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	fs := f.fs
	fs.mu.Lock()
	defer fs.mu.Unlock()
	size, err := f.Size()
	if err != nil {
		return 0, err
	}
	if fs.writes++; fs.dead || fs.writes == fs.cutAt {
		fs.dead = true
		return 0, sqlite3.IOERR_WRITE
	}
	if fs.full && off+int64(len(p)) > size {
		return 0, sqlite3.FULL
	}
	old := make([]byte, min(int64(len(p)), max(size-off, 0)))
	if len(old) > 0 {
		if _, err := f.ReadAt(old, off); err != nil {
			return 0, err
		}
	}
	fs.unsynced[f.path] = append(fs.unsynced[f.path], oldBytes{off, old, append([]byte(nil), p...), size})
	return f.File.WriteAt(p, off)
}

func (f *faultFile) Truncate(size int64) error {
	fs := f.fs
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.dead {
		return sqlite3.IOERR_TRUNCATE
	}
	was, err := f.Size()
	if err != nil {
		return err
	}
	if was > size {
		old := make([]byte, was-size)
		if _, err := f.ReadAt(old, size); err != nil {
			return err
		}
		fs.unsynced[f.path] = append(fs.unsynced[f.path], oldBytes{off: size, old: old, size: was})
	}
	return f.File.Truncate(size)
}

func (f *faultFile) Sync(flags vfs.SyncFlag) error {
	fs := f.fs
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.dead || fs.failSync {
		return sqlite3.IOERR_FSYNC
	}
	delete(fs.unsynced, f.path)
	return f.File.Sync(flags)
}

// powerCut takes back what was not synced, some of it and some of that half, as a disk might that was in the middle of it.
// Everything must be closed.
func (fs *faultFS) powerCut(random *rand.Rand) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for path, list := range fs.unsynced {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		kept := random.IntN(3) // nothing survives, some of it does in any order, or a prefix does
		for _, o := range slices.Backward(list) {
			if err := f.Truncate(o.size); err != nil {
				return err
			}
			if _, err := f.WriteAt(o.old, o.off); err != nil {
				return err
			}
		}
		prefix := random.IntN(len(list) + 1)
		for i, o := range list {
			part := o.new
			switch {
			case kept == 0, kept == 1 && random.IntN(2) == 0, kept == 2 && i > prefix:
				continue
			case random.IntN(4) == 0, kept == 2 && i == prefix:
				part = part[:random.IntN(len(part)+1)] // torn
			}
			if _, err := f.WriteAt(part, o.off); err != nil {
				return err
			}
		}
		if err := f.Close(); err != nil {
			return err
		}
		if shm := strings.TrimSuffix(path, "-wal") + "-shm"; shm != path {
			_ = os.Remove(shm) // it is in memory
		}
	}
	return nil
}
