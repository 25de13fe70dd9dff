//go:build !linux

package sqlite

import (
	"os"
	"time"
)

// lookEvery is how often the file is looked at, where nobody tells us.
const lookEvery = 10 * time.Millisecond

// watchFile calls changed in a goroutine of its own after the file was written to, until the returned
// function is called, which waits for the goroutine.
func watchFile(path string, changed func()) (stop func(), err error) {
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		var last time.Time
		for {
			select {
			case <-end:
				return
			case <-ticker.C:
			}
			if info, err := os.Stat(path); err == nil && !info.ModTime().Equal(last) {
				last = info.ModTime()
				changed()
			}
		}
	}()
	return func() { close(end); <-done }, nil
}
