// Package leakcheck finds goroutines that a package's tests have left running.
//
//	func TestMain(m *testing.M) { leakcheck.Main(m) }
package leakcheck

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// grace is how long goroutines that are about to end get to do so.
const grace = 3 * time.Second

// Main runs the tests of a package and ends the process: with their exit code, or with 1 and the stacks of the goroutines
// that are left, when all tests have passed and some goroutine has not ended within 3 seconds. m is a *testing.M; the
// parameter is not of that type so that this package does not link package testing.
func Main(m interface{ Run() int }) {
	os.Exit(run(m.Run, grace))
}

func run(tests func() int, wait time.Duration) int {
	code := tests()
	if code != 0 {
		return code // a failed test may well leave goroutines; its own message is what matters
	}
	if err := Check(wait); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Check waits until no goroutine is left but the caller's and those of the runtime and of package testing. When some are
// left after wait it returns an error with their stacks. It sees the whole process, so it must not run beside other tests.
func Check(wait time.Duration) error {
	deadline := time.Now().Add(wait)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		left := leaked()
		if len(left) == 0 {
			return nil
		}
		if !time.Now().Before(deadline) {
			return fmt.Errorf("%d goroutines have not ended:\n\n%s", len(left), strings.Join(left, "\n\n"))
		}
		time.Sleep(pause) //nolint:forbidigo // a goroutine's end signals nobody; runs in TestMain, where nobody cancels
	}
}

// expected are functions whose goroutines belong to the runtime, to package testing, or to what the standard library
// starts once per process.
var expected = []string{
	"testing.(*T).Run(",
	"testing.(*M).",
	"testing.runTests",
	"testing.runFuzzing(",
	"os/signal.signal_recv(",
	"os/signal.loop(",
	"runtime.ReadTrace(",
	"runtime/trace.",
}

// leaked returns the stacks of all goroutines but the caller's and the expected ones.
func leaked() []string {
	buf := make([]byte, 1<<16)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	var left []string
	for i, stack := range strings.Split(strings.TrimSpace(string(buf[:n])), "\n\n") {
		if i > 0 && !isExpected(stack) { // the caller's comes first
			left = append(left, stack)
		}
	}
	return left
}

func isExpected(stack string) bool {
	for _, fn := range expected {
		if strings.Contains(stack, "\n"+fn) {
			return true
		}
	}
	return false
}
