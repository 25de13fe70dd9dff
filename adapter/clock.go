package adapter

import "time"

// Clock is the time source of an adapter that has no server to ask, and of the engine. Tests inject their own.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f in its own goroutine once d has passed.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a pending call of [Clock.AfterFunc], with the semantics of [time.Timer].
type Timer interface {
	Stop() bool
	Reset(d time.Duration) bool
}

// SystemClock returns the clock of the machine. Inside a testing/synctest bubble it is the bubble's clock.
func SystemClock() Clock { return systemClock{} }

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }
