package sqlite

import (
	"sync"

	"github.com/ncruces/go-sqlite3/vfs"
)

// vfsName is the file layer under all connections: the system's, without its memory mapping. The mapping is of no use with
// page checksums, and a checkpoint of such a database stumbles over it (go-sqlite3 v0.37: vfsUnfetch calls a nil mapper).
const vfsName = "nvent"

var registered sync.Once

// Register makes the file layer known. Open does it; layers over it, for tests, need it before.
func Register() string {
	registered.Do(func() { vfs.Register(vfsName, Layer{vfs.Find("os").(vfs.VFSFilename)}) })
	return vfsName
}

// Layer is a file layer over another one.
type Layer struct{ vfs.VFSFilename }

// OpenFilename opens a file.
func (l Layer) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := l.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return File{f}, flags, nil
}

// File is a file of another layer. It passes on what SQLite's write-ahead log needs.
type File struct{ vfs.File }

// SharedMemory returns that of the other layer.
func (f File) SharedMemory() vfs.SharedMemory {
	if s, ok := f.File.(vfs.FileSharedMemory); ok {
		return s.SharedMemory()
	}
	return nil
}

// LockState returns the lock that is held.
func (f File) LockState() vfs.LockLevel {
	if s, ok := f.File.(vfs.FileLockState); ok {
		return s.LockState()
	}
	return vfs.LOCK_EXCLUSIVE + 1 // not known
}

// HasMoved reports whether the file is not where it was opened any more.
func (f File) HasMoved() (bool, error) {
	if s, ok := f.File.(vfs.FileHasMoved); ok {
		return s.HasMoved()
	}
	return false, nil
}

// PersistWAL reports whether the write-ahead log stays when the last connection is closed.
func (f File) PersistWAL() bool {
	s, ok := f.File.(vfs.FilePersistWAL)
	return ok && s.PersistWAL()
}

// SetPersistWAL changes that.
func (f File) SetPersistWAL(keep bool) {
	if s, ok := f.File.(vfs.FilePersistWAL); ok {
		s.SetPersistWAL(keep)
	}
}
