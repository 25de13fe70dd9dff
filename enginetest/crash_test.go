package enginetest_test

import (
	"testing"

	"github.com/nvent-go/nvent/enginetest"
)

func onMemory() enginetest.Harness { return enginetest.Harness{New: enginetest.Memory, Bubble: true} }

// TestPromise4_NoCrashLosesARun crashes scenarios at every call of an instance. Another takes over, and the log is that of
// the undisturbed run (promise 7).
func TestPromise4_NoCrashLosesARun(t *testing.T) {
	enginetest.TestCrashes(t, onMemory(), enginetest.Scenarios()...)
}
