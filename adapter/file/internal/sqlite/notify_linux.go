package sqlite

import (
	"fmt"
	"os"
	"syscall"
)

// watchFile calls changed in a goroutine of its own whenever the file is written to, until the returned
// function is called, which waits for the goroutine.
func watchFile(path string, changed func()) (stop func(), err error) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", path, os.NewSyscallError("inotify_init1", err))
	}
	f := os.NewFile(uintptr(fd), "inotify")
	if _, err := syscall.InotifyAddWatch(fd, path, syscall.IN_MODIFY); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("watch %s: %w", path, os.NewSyscallError("inotify_add_watch", err))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			if _, err := f.Read(buf); err != nil {
				return
			}
			changed()
		}
	}()
	return func() {
		_ = f.Close() // ends the read
		<-done
	}, nil
}
