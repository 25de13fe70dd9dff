// Package leakcheck finds goroutines that a package's tests have left running.
package leakcheck

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// grace is how long goroutines that are about to end get to do so.
const grace = 5 * time.Second

// Main runs the tests of a package and ends the process: with their exit code, or with 1 and the stacks of the goroutines that
// are left when all tests have passed. m is a *testing.M.
func Main(m interface{ Run() int }) {
	code := m.Run()
	if code == 0 {
		if left := wait(); left != "" {
			fmt.Fprintf(os.Stderr, "goroutines are left behind:\n%s\n", left)
			code = 1
		}
	}
	os.Exit(code)
}

// wait returns the stacks of the goroutines that do not end, or "".
func wait() string {
	for deadline := time.Now().Add(grace); ; {
		left := others()
		if left == "" || time.Now().After(deadline) {
			return left
		}
		<-time.After(10 * time.Millisecond)
	}
}

// others returns the stacks of all goroutines but the caller's and those of the runtime and of package testing.
func others() string {
	buffer := make([]byte, 1<<20)
	stacks := strings.Split(string(buffer[:runtime.Stack(buffer, true)]), "\n\n")
	var left []string
	for _, stack := range stacks[1:] {
		if !strings.Contains(stack, "testing.(*M).startAlarm") && !strings.Contains(stack, "os/signal.") &&
			!strings.Contains(stack, "created by runtime") {
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}
